"""What Torch-TensorRT is asked for, and that what is saved is a program for all sizes of the profile.

Torch-TensorRT cannot be imported without TensorRT, so where it is called, a stand-in takes its place that records the
call and compiles nothing: these tests show that the arguments arrive, not that TensorRT takes them.
"""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import torch
import torch_models

from pytest_navigator import TorchTensorRTConfig
from pytest_navigator.backends.builtin import known
from pytest_navigator.backends.torch.exportedprogram import TorchExportConfig, TorchExportedProgramFormat
from pytest_navigator.backends.torch.torch_tensorrt import TorchTensorRTFormat, inputs, options
from pytest_navigator.backends.torch.torch_tensorrt_model import compile_program
from pytest_navigator.core.records import LoaderRecord, Signature, TensorSpec
from pytest_navigator.core.script_parts import Subject
from pytest_navigator.core.variants import Variant
from pytest_navigator.errors import ConfigError
from pytest_navigator.reproduce.scripts import convert_script

if TYPE_CHECKING:
    from pathlib import Path

TorchTensorRT = known().runners()["TorchTensorRT"].load()

PARENT = Variant("torch-exportedprogram", "torch-exportedprogram", "torch", "model.pt2")
SIGNATURE = Signature(
    inputs=(
        TensorSpec("ids", (-1, -1), "int64", {0: "batch", 1: "length"}, batched=True),
        TensorSpec("table", (4, 2), "float32"),
        TensorSpec("scale", (), "float32"),
    ),
    outputs=(TensorSpec("y", (-1, 2), "float32", {0: "batch"}, batched=True),),
    input_tree={"args": [{"leaf": "ids"}, {"leaf": "table"}, {"leaf": "scale"}], "kwargs": []},
    output_tree={"leaf": "y"},
    batch_dim=0,
    array_type="torch",
)
PROFILE = {
    "ids": {"min": [1, 5], "opt": [4, 9], "max": [6, 20]},
    "table": {"min": [4, 2], "opt": [4, 2], "max": [4, 2]},
}


def variant(**fields: Any) -> Variant:
    return TorchTensorRTFormat().variants(TorchTensorRTConfig(**{"precision": "fp16", **fields}), [PARENT])[0]


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A module `torch_tensorrt` that records what it is asked for, and compiles nothing; it saves as the real one."""
    seen = SimpleNamespace(engines=1)

    class TorchTensorRTModule(torch.nn.Module):
        pass

    def compile(program: Any, **arguments: Any) -> Any:
        seen.compile = arguments
        module = program.module()
        for index in range(seen.engines):
            module.add_module(f"engine_{index}", TorchTensorRTModule())
        return module

    def save(module: Any, path: str, *, arg_inputs: Any, dynamic_shapes: Any, pickle_protocol: int) -> None:
        seen.protocol = pickle_protocol
        program = torch.export.export(module, tuple(arg_inputs), dynamic_shapes=dynamic_shapes, strict=False)
        torch.export.save(program, path, pickle_protocol=pickle_protocol)

    module = ModuleType("torch_tensorrt")
    parts = {"Input": SimpleNamespace, "dynamo": SimpleNamespace(compile=compile), "save": save}
    vars(module).update(parts, load=torch.export.load, __version__="0")
    monkeypatch.setitem(sys.modules, "torch_tensorrt", module)
    return seen


def test_a_profile_becomes_the_shapes_of_an_input_and_what_does_not_vary_is_fixed() -> None:
    assert inputs(SIGNATURE, PROFILE) == [
        {"min_shape": [1, 5], "opt_shape": [4, 9], "max_shape": [6, 20], "dtype": "int64"},
        {"shape": [4, 2], "dtype": "float32"},
        {"shape": [], "dtype": "float32"},
    ]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"precision": "fp32"}, {"workspace_size": 0, "disable_tf32": False}),
        (
            {"precision": "fp16"},
            {
                "workspace_size": 0,
                "disable_tf32": False,
                "enable_autocast": True,
                "autocast_low_precision_type": "float16",
            },
        ),
        (
            {"precision": "bf16", "precision_mode": "single", "max_workspace_size": 2**30},
            {
                "workspace_size": 2**30,
                "disable_tf32": True,
                "enable_autocast": True,
                "autocast_low_precision_type": "bfloat16",
            },
        ),
        (
            {"precision": "fp32", "max_workspace_size": None, "custom_args": {"min_block_size": 1}},
            {"workspace_size": 0, "disable_tf32": False, "min_block_size": 1},
        ),
    ],
)
def test_a_configuration_becomes_the_options_of_the_compiler(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert options(variant(**fields).parameters) == expected


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"precision": "int8"}, r"precision='int8' is not possible \(valid: 'fp32', 'fp16', 'bf16'\): .* ModelOpt"),
        ({"trt_profiles": [PROFILE, PROFILE]}, "takes one profile"),
        ({"max_workspace_size": -1}, "max_workspace_size=-1 is not a whole number of 0 or more"),
        ({"pickle_protocol": 6}, "pickle_protocol=6 is not a whole number from 2 to 5"),
    ],
)
def test_what_torch_tensorrt_cannot_do_is_refused(fields: dict[str, Any], message: str) -> None:
    profiles = [{k: list(v.values()) for k, v in p.items()} for p in fields.get("trt_profiles", ())]
    with pytest.raises(ConfigError, match=message):
        TorchTensorRTConfig(**{**fields, **({"trt_profiles": profiles} if profiles else {})})


def test_a_program_is_compiled_for_each_precision_and_mode() -> None:
    found = TorchTensorRTFormat().variants(TorchTensorRTConfig(), [PARENT])
    assert [(v.key, v.file, v.runners) for v in found] == [
        ("torch-trt-fp32", "model.ep", ("TorchTensorRT",)),
        ("torch-trt-fp16", "model.ep", ("TorchTensorRT",)),
    ]
    mixed = TorchTensorRTFormat().variants(TorchTensorRTConfig(precision="fp32", precision_mode="mixed"), [PARENT])
    assert [v.key for v in mixed] == ["torch-trt-fp32", "torch-trt-fp32-single"]
    assert TorchTensorRTFormat().named("torch-trt-bf16") == TorchTensorRTConfig(precision="bf16")
    assert TorchTensorRTFormat().named("torch-trt-int8") is None


def test_what_was_made_of_torchscript_is_named_with_what_there_is_instead() -> None:
    with pytest.raises(ConfigError, match=r"deprecated its compiler for TorchScript.* 'torch-trt-fp16' is made of"):
        TorchTensorRTFormat().named("torch-trt-script-fp16")


@pytest.mark.parametrize("making", [torch_models.residual, torch_models.nested])
def test_what_is_saved_loads_without_the_model_and_takes_every_size_of_the_profile(
    making: Any, tmp_path: Path, stand_in: SimpleNamespace
) -> None:
    """The stand-in of the module's docstring: torch itself saves, loads and runs; there are no engines in it."""
    subject = making()
    parent, _ = subject.export(TorchExportedProgramFormat(), TorchExportConfig(), tmp_path)
    small, usual, large = ({n: list(a.shape) for n, a in subject.feed(subject.sample(s)).items()} for s in (1, 2, 5))
    profile = {name: {"min": small[name], "opt": usual[name], "max": large[name]} for name in small}
    given, chosen = inputs(subject.signature, profile), options(variant().parameters)
    made = str(tmp_path / "model.ep")
    assert compile_program(str(tmp_path / parent.file), made, given, chosen, 2, "cpu") == 1
    assert stand_in.protocol == 2
    assert stand_in.compile["autocast_low_precision_type"] is torch.float16
    assert [vars(each)["opt_shape"] for each in stand_in.compile["arg_inputs"]] == [*usual.values()]
    assert all(isinstance(vars(each)["dtype"], torch.dtype) for each in stand_in.compile["arg_inputs"])

    class OnCPU(TorchTensorRT):
        device = "cpu"

    subject.check(OnCPU(tmp_path / "model.ep", subject.signature, variant().parameters))


def test_a_program_in_which_tensorrt_runs_nothing_is_no_artifact(tmp_path: Path, stand_in: SimpleNamespace) -> None:
    """The stand-in of the module's docstring, which leaves everything to PyTorch here."""
    stand_in.engines, subject = 0, torch_models.residual()
    parent, _ = subject.export(TorchExportedProgramFormat(), TorchExportConfig(), tmp_path)
    shape = {n: {w: list(a.shape) for w in ("min", "opt", "max")} for n, a in subject.example.items()}
    with pytest.raises(
        ValueError, match=r"PyTorch runs the whole model, TensorRT no part of it: .* \(min_block_size is 5"
    ):
        compile_program(str(tmp_path / parent.file), "x.ep", inputs(subject.signature, shape), {}, 5, "cpu")


def test_the_script_is_of_upstream_code_and_compiles() -> None:
    made = variant(custom_args={"min_block_size": 1})
    loader = LoaderRecord(profile=PROFILE, max_batch_size=6, asked_batch=6)
    subject = Subject(made, SIGNATURE, "m.M", "cpu", "model_input/0.npz", {}, parent=PARENT, loader=loader)
    text = convert_script(subject, TorchTensorRTFormat().convert_script(subject), "reproduce_conversion")
    compile(text, "reproduce_conversion.py", "exec")
    assert "pytest_navigator" not in text
    assert "'max_shape': [6, 20]" in text
    assert "'min_block_size': 1" in text
    assert 'compile_program(args.artifact, args.output, inputs, options, 5, "cuda")' in text
