from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
import torch
import torch_models
from torch_models import Subject

from pytest_navigator.backends.builtin import known
from pytest_navigator.backends.exchange.onnx import OnnxFormat
from pytest_navigator.backends.onnx import file as onnx_file
from pytest_navigator.backends.torch.program_values import PROGRAM
from pytest_navigator.configuration.onnx_config import OnnxConfig, OnnxDynamoExportConfig, OnnxTraceExportConfig
from pytest_navigator.errors import ConfigError, StepFailed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Any

OnnxCPU = known().runners()["OnnxCPU"].load()

TRACE = OnnxTraceExportConfig()
DYNAMO = OnnxDynamoExportConfig()


def exported(subject: Subject, path: Path, index: int = 0, **options: Any) -> tuple[OnnxCPU, dict[str, Any]]:
    variant, data = subject.export(OnnxFormat(), OnnxConfig(**options), path, index)
    return OnnxCPU(path / variant.file, subject.signature, variant.parameters), data


def shapes(path: Path) -> dict[str, list[str | int]]:
    graph = onnx.load(path).graph
    values = [*graph.input, *graph.output]
    return {v.name: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim] for v in values}


def keys(**options: Any) -> list[str]:
    return [variant.key for variant in OnnxFormat().variants(OnnxConfig(**options), [])]


def test_keys_tell_engines_and_opsets_apart_only_where_there_are_several() -> None:
    assert keys() == ["onnx"]
    assert keys(export_engine=TRACE, opset=17) == ["onnx"]
    assert keys(export_engine=(DYNAMO, TRACE)) == ["onnx", "onnx-trace"]
    assert keys(opset=(17, 18)) == ["onnx-opset17", "onnx-opset18"]
    assert keys(onnx_extended_conversion=True) == ["onnx", "onnx-script"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"opset": 3}, "opset=3: opsets are numbers from 7 on"),
        ({"opset": 13.0}, "opset=13.0: opsets are numbers from 7 on"),
        ({"opset": (17, 13.0)}, r"opset=\(17, 13.0\): opsets are numbers from 7 on"),
        ({"opset": (18, 18)}, "names none or one twice"),
        ({"opset": True}, "opset=True"),
        ({"export_engine": "dynamo"}, r"export_engine='dynamo' is not possible \(valid: None, OnnxDynamoExportConfig"),
        ({"export_engine": (TRACE, TRACE)}, "names an engine twice"),
        ({"dynamic_axes": {"x": {"0": "batch"}}}, r"dynamic_axes\['x'\]=.*with axes from 0 on"),
        ({"export_engine": OnnxDynamoExportConfig({"x": [-1]})}, r"dynamo_dynamic_shapes\['x'\]=\[-1\]"),
        ({"device": "cpu", "export_device": "cuda"}, "device='cpu' and export_device='cuda' differ"),
        ({"graph_surgeon_optimization": True}, "graph_surgeon_optimization=True is not possible"),
        ({"model_path": "nowhere.onnx"}, "model_path='nowhere.onnx' is no file"),
        ({"opsets": 18}, "did you mean 'opset'"),
    ],
)
def test_an_impossible_configuration_is_an_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        OnnxConfig(**options)


@pytest.mark.parametrize("engine", [DYNAMO, TRACE])
@pytest.mark.parametrize(
    "make",
    [
        torch_models.linear,
        torch_models.residual,
        torch_models.heads,
        torch_models.nested,
        torch_models.keyword_only,
        torch_models.numbers,
        torch_models.constants,
    ],
)
def test_both_engines_agree_at_every_batch_size(make: Callable[[], Subject], engine: Any, tmp_path: Path) -> None:
    subject = make()
    runner, data = exported(subject, tmp_path, export_engine=engine)
    assert data["engine"] == ("dynamo" if engine is DYNAMO else "trace")
    assert data["opset"] == 18
    assert {file.name for file in tmp_path.iterdir()} - {PROGRAM} == {"model.onnx"}
    subject.check(runner)


@pytest.mark.parametrize("engine", [DYNAMO, TRACE])
def test_a_transformer_has_the_names_and_axes_of_the_signature(engine: Any, tmp_path: Path) -> None:
    subject = torch_models.bert()
    runner, _ = exported(subject, tmp_path, export_engine=engine)
    assert shapes(tmp_path / "model.onnx") == {
        "input_ids": ["batch", "length"],
        "attention_mask": ["batch", "length"],
        "last_hidden_state": ["batch", "length", 16],
        "pooler_output": ["batch", 16],
    }
    with runner:
        for size, length in ((1, 3), (2, 7), (5, 11), (1, 1)):
            subject.check_sample(runner, torch_models.tokens(size, length))


def test_a_loader_of_single_rows_gives_a_file_for_every_batch(tmp_path: Path) -> None:
    subject = Subject(torch_models.Residual().eval(), lambda n: torch.randn(n, 3, 8, 8), example_size=1)
    subject.check(exported(subject, tmp_path)[0], sizes=(1, 2, 4))


def test_names_that_are_no_identifiers_are_the_files_names(tmp_path: Path) -> None:
    subject = Subject(torch.nn.Linear(5, 7).eval(), lambda n: torch.randn(n, 5))
    spec = subject.signature.inputs[0]
    subject.signature = renamed(subject, spec, "input-ids")
    subject.example = {"input-ids": subject.example["input"]}
    exported(subject, tmp_path)
    assert shapes(tmp_path / "model.onnx")["input-ids"] == ["batch", 5]


def renamed(subject: Subject, spec: Any, name: str) -> Any:
    from dataclasses import replace

    tree = {"args": [{"leaf": name}], "kwargs": []}
    return replace(subject.signature, inputs=(replace(spec, name=name),), input_tree=tree)


@pytest.mark.parametrize("engine", [DYNAMO, TRACE])
def test_an_input_that_the_model_ignores_stays_an_input(engine: Any, tmp_path: Path) -> None:
    subject = Subject(torch_models.IgnoresMask().eval(), lambda n: (torch.randn(n, 4), torch.ones(n, 4)))
    runner, _ = exported(subject, tmp_path, export_engine=engine)
    assert list(shapes(tmp_path / "model.onnx")) == ["x", "mask", "output__0"]
    subject.check(runner)


@pytest.mark.parametrize("opset", [17, 20])
def test_the_opset_that_was_asked_for_is_the_files(opset: int, tmp_path: Path) -> None:
    subject = torch_models.linear()
    runner, data = exported(subject, tmp_path, opset=opset)
    assert onnx_file.opset_of(tmp_path / "model.onnx") == data["opset"] == opset
    subject.check(runner)


def test_an_opset_that_dynamo_does_not_deliver_comes_from_the_other_engine(tmp_path: Path) -> None:
    subject = torch_models.residual()
    runner, data = exported(subject, tmp_path, opset=13)
    assert (data["engine"], data["opset"]) == ("trace", 13)
    subject.check(runner)


def test_a_named_engine_that_does_not_deliver_the_opset_fails(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match="opset 13 was asked for, the dynamo engine delivered 18"):
        exported(torch_models.residual(), tmp_path, opset=13, export_engine=DYNAMO)
    assert list(tmp_path.iterdir()) == []


def test_a_bfloat16_model_is_exported_with_its_types(tmp_path: Path) -> None:
    subject = torch_models.half_precision()
    runner, _ = exported(subject, tmp_path)
    kinds = [v.type.tensor_type.elem_type for v in onnx.load(tmp_path / "model.onnx").graph.input]
    assert kinds == [onnx.TensorProto.BFLOAT16]
    with pytest.raises(StepFailed, match=r"does not implement the operator Gemm .* for these types"):
        runner.activate()


def test_a_fixed_batch_is_a_failure_of_the_export(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=r"^torch.onnx.export: the model fixes batch to 2 "):
        exported(torch_models.baked(), tmp_path, export_engine=DYNAMO)


@pytest.mark.parametrize("layer", [torch.nn.GRU, torch.nn.LSTM])
def test_an_axis_that_dynamo_fixes_is_dynamic_by_the_other_exporter(
    layer: type[torch.nn.RNNBase], tmp_path: Path
) -> None:
    subject = torch_models.recurrent(layer)
    with pytest.raises(
        StepFailed, match=r"fixes length to 5 .*; not tried, .*: OnnxConfig\(export_engine=OnnxTraceExportConfig\(\)\)"
    ):
        exported(subject, tmp_path, export_engine=DYNAMO)
    runner, data = exported(subject, tmp_path)
    assert data["engine"] == "trace"
    subject.check(runner)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_axis_that_is_fixed_in_a_file_is_found(tmp_path: Path) -> None:
    subject = torch_models.linear()
    torch.onnx.export(
        subject.model, (torch.randn(2, 5),), str(tmp_path / "fixed.onnx"), input_names=["input"],
        output_names=["output__0"], dynamo=False,
    )  # fmt: skip
    with pytest.raises(StepFailed, match="the batch axis of input 'input' was fixed to 2 by the exporter"):
        exported(subject, tmp_path, model_path=tmp_path / "fixed.onnx")


def test_a_branch_fails_with_dynamo_is_not_traced_and_survives_scripting(tmp_path: Path) -> None:
    subject = torch_models.branching()
    with pytest.raises(StepFailed, match=r"branches on the values of a tensor .*if x.sum\(\) > 0:\)") as failed:
        exported(subject, tmp_path, export_engine=DYNAMO)
    assert "Traceback" in failed.value.detail
    for options in ({"onnx_extended_conversion": True, "index": 1}, {}):
        runner, data = exported(subject, tmp_path, **options)
        assert data["engine"] == "script"
        with runner:
            subject.check_sample(runner, subject.sample(3))
            subject.check_sample(runner, -subject.sample(3))


def test_a_ready_file_is_taken_as_it_is(tmp_path: Path) -> None:
    subject = torch_models.linear()
    exported(subject, tmp_path)
    (tmp_path / "model.onnx").rename(tmp_path / "ready.onnx")
    runner, data = exported(subject, tmp_path, model_path=tmp_path / "ready.onnx")
    assert data == {"engine": "file", "opset": 18}
    subject.check(runner)


def test_large_weights_go_to_one_file_beside_the_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_file, "EXTERNAL_DATA_BYTES", 1000)
    subject = Subject(torch.nn.Linear(50, 70).eval(), lambda n: torch.randn(n, 50))
    runner, _ = exported(subject, tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {PROGRAM, "model.onnx", "model.onnx.data"}
    subject.check(runner)


def test_dynamic_axes_of_the_user_replace_the_inferred_ones(tmp_path: Path) -> None:
    both = {0: "batch", 1: "length"}
    subject = Subject(
        torch_models.KeywordOnly().eval(), lambda n: {"query": torch.randn(n, 4), "key": torch.randn(n, 4)}
    )
    exported(subject, tmp_path, dynamic_axes={"query": both, "key": both})
    assert shapes(tmp_path / "model.onnx")["query"] == ["batch", "length"]
    with pytest.raises(StepFailed, match="lacks axis 0 of 'query', which changes in the loader"):
        exported(subject, tmp_path, dynamic_axes={"query": [1]})
    with pytest.raises(StepFailed, match="'query' has 2 axes, none is 5"):
        exported(subject, tmp_path, dynamic_axes={"query": [0, 5]})
    with pytest.raises(StepFailed, match=r"names \['mask'\], which the model does not have"):
        exported(subject, tmp_path, dynamic_axes={"mask": [0]})


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_a_script_module_is_exported_by_the_other_engine(tmp_path: Path) -> None:
    subject = Subject(torch.jit.script(torch_models.Residual().eval()), lambda n: torch.randn(n, 3, 8, 8))
    runner, data = exported(subject, tmp_path)
    assert data["engine"] == "trace"
    subject.check(runner)


def test_the_users_model_is_left_as_it_was(tmp_path: Path) -> None:
    subject = torch_models.residual()
    before = subject.source.fingerprint()
    exported(subject, tmp_path, export_engine=(TRACE, DYNAMO))
    assert subject.source.fingerprint() == before
    assert all(parameter.requires_grad for parameter in subject.model.parameters())
    assert np.isfinite(subject.expected(subject.sample(2))["output__0"]).all()
