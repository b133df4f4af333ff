from __future__ import annotations

import re
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from pytest_navigator import NavConfig, OnnxConfig, OptimizationProfile, TorchScriptConfig, plugin
from pytest_navigator.configuration.settings import resolve
from pytest_navigator.core.steps import Step
from pytest_navigator.errors import ConfigError
from pytest_navigator.planning.building import build
from pytest_navigator.plugin.run import registry_of

if TYPE_CHECKING:
    from pytest_navigator.formats.registry import Registry
    from pytest_navigator.planning.matrix import Matrix

FORMATS = "formats = torchscript (--nav-formats) leave it out; write --nav-formats=torchscript,onnx"
ON_REQUEST = (
    "it is made only where it is named; write --nav-formats=torchscript,torch-exportedprogram,onnx,torch-trt,trt"
)


@pytest.fixture
def registry() -> Registry:
    hook = SimpleNamespace(
        pytest_nav_formats=lambda: [plugin.pytest_nav_formats()],
        pytest_nav_runners=list,
        pytest_nav_frameworks=lambda: [plugin.pytest_nav_frameworks()],
    )
    return registry_of(SimpleNamespace(hook=hook))  # type: ignore[arg-type]


@pytest.fixture
def matrix_of(registry: Registry):
    def matrix_of(flags: dict | None = None, **config: object) -> Matrix:
        return build(resolve(flags or {}, {}, NavConfig(**config)), registry, "torch")

    return matrix_of


def test_by_default_every_format_of_the_framework_is_made_with_every_runner(matrix_of):
    matrix = matrix_of()
    assert list(matrix.variants) == [
        "torch",
        "torchscript-script",
        "torchscript-trace",
        "torch-exportedprogram",
        "onnx",
        "torch-trt-fp32",
        "torch-trt-fp16",
        "trt-fp32",
        "trt-fp16",
    ]
    assert ("onnx", "OnnxCPU") in matrix.cells
    assert ("onnx", "OnnxTensorRT") in matrix.cells
    assert ("trt-fp16", "TensorRT") in matrix.cells
    assert "TensorRTCUDAGraph" not in matrix.runners
    assert ("torch", "TorchCompileCPU") in matrix.cells
    assert matrix.named == ()


def test_what_no_chosen_runtime_runs_is_not_made_unless_it_is_named(matrix_of):
    assert "trt-fp16" not in matrix_of(runtimes=["cpu"]).variants
    assert "trt-fp16" in matrix_of(runtimes=["cpu"], require=["trt-fp16"]).variants
    assert list(matrix_of(runtimes=["TensorRT"]).variants) == ["torch", "onnx", "trt-fp32", "trt-fp16"]
    assert "trt-rtx-fp16" in matrix_of(runtimes=["cpu"], formats=["trt-rtx-fp16"]).variants


@pytest.mark.parametrize(
    ("selected", "exported"),
    [
        (["source", "correctness.torch.TorchCPU"], []),
        (["profile.onnx.OnnxCPU.batch1", "export.torchscript-script"], ["onnx", "torchscript"]),
        (["convert.trt-fp16"], ["onnx"]),
    ],
)
def test_a_selection_exports_what_its_steps_need(matrix_of, selected: list[str], exported: list[str]):
    """Of what it exports, the modules are imported before the model is made."""
    assert sorted(matrix_of().exports(selected)) == exported


def test_a_runner_that_is_no_default_runs_where_it_is_named(matrix_of):
    assert ("trt-fp16", "TensorRTCUDAGraph") in matrix_of(runtimes=["TensorRTCUDAGraph"]).cells


def test_a_flag_names_one_variant_of_a_format(matrix_of):
    matrix = matrix_of({"formats": ("torchscript-trace",)})
    assert list(matrix.variants) == ["torch", "torchscript-trace"]
    assert matrix.named == ("torchscript-trace",)


def test_a_flag_keeps_the_configuration_that_nav_config_has_for_the_format(matrix_of):
    matrix = matrix_of({"formats": ("onnx",)}, formats=[OnnxConfig(opset=19), TorchScriptConfig()])
    assert list(matrix.variants) == ["torch", "onnx"]
    assert matrix.variants["onnx"].parameters["opset"] == 19


def test_the_source_is_checked_though_nobody_named_it(matrix_of):
    assert "torch" in matrix_of(formats=["onnx"]).variants


@pytest.mark.parametrize(
    ("flags", "config", "message"),
    [
        ({"formats": ("onx",)}, {}, "unknown format of a torch model 'onx'; did you mean 'onnx'?"),
        ({"formats": ("torchscript-tracee",)}, {}, "did you mean 'torchscript-trace'?"),
        ({"runtimes": ("cpuu",)}, {}, "unknown runtime 'cpuu'; did you mean 'cpu'?"),
        ({"precisions": ("fp61",)}, {}, "unknown precision 'fp61'; did you mean 'fp16'?"),
        ({"formats": ("trt",), "precisions": ("int8",)}, {}, "has the precision 'int8' (there are: fp16, fp32)"),
        ({"require": ("onnx-cpuu",)}, {}, "unknown required format 'onnx-cpuu'; did you mean 'onnx-cpu'?"),
        ({}, {"xfail": {"torchscript-scrip": "x"}}, "did you mean 'torchscript-script'?"),
        ({}, {"formats": [OnnxConfig(), OnnxConfig(opset=17)]}, "format 'onnx' is configured twice"),
        ({}, {"formats": [3]}, "3 configures no format"),
    ],
)
def test_a_wrong_name_is_refused_with_the_nearest_one(matrix_of, flags, config, message):
    with pytest.raises(ConfigError) as caught:
        matrix_of(flags, **config)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("flags", "config", "reason"),
    [
        ({"require": ("onnx",), "formats": ("torchscript",)}, {}, FORMATS),
        ({"require": ("onnx-cpu",), "formats": ("torchscript",)}, {}, FORMATS),
        ({"require": ("trt-rtx",)}, {}, f"{ON_REQUEST},trt-rtx"),
        ({"require": ("trt-int8",)}, {}, f"{ON_REQUEST},trt-int8"),
        ({"require": ("trt-rtx-bf16-tensorrt-rtx",)}, {}, f"{ON_REQUEST},trt-rtx-bf16"),
        (
            {"require": ("onnx",)},
            {"formats": [TorchScriptConfig()]},
            "formats = torchscript (nav_config) leave it out; add 'onnx' to the formats of nav_config",
        ),
        (
            {"require": ("trt-fp32",), "precisions": ("fp16",)},
            {},
            "precisions = fp16 (--nav-precisions) leave it out; write --nav-precisions=fp16,fp32",
        ),
        (
            {"require": ("onnx-cuda",), "runtimes": ("cpu",)},
            {},
            "runtimes = cpu (--nav-runtimes) leave it out; write --nav-runtimes=cpu,cuda",
        ),
        (
            {"require": ("onnx-cuda",), "device": "cpu"},
            {},
            "device = cpu (--nav-device) leaves it out: OnnxCUDA runs on 'cuda'",
        ),
        (
            {"require": ("trt-fp16-tensorrt-cudagraph",), "formats": ("trt",)},
            {},
            "TensorRTCUDAGraph runs only where it is named; write --nav-runtimes=cpu,compile-cpu,cuda,compile-cuda,"
            "tensorrt,tensorrt-cudagraph",
        ),
        (
            {"require": ("tf-savedmodel",)},
            {},
            "it cannot be made of a torch model (it is made of: tensorflow, jax, tf-savedmodel)",
        ),
        (
            {"formats": ("torchscript",), "require": ("onnx",)},
            {},
            FORMATS,
        ),
    ],
)
def test_a_name_that_is_no_part_of_the_run_is_told_why_and_what_to_write(matrix_of, flags, config, reason):
    (name,) = flags["require"]
    with pytest.raises(ConfigError) as caught:
        matrix_of(flags, **config)
    assert str(caught.value) == f"required format {name!r} is known, but not part of this run: {reason}"


def test_a_run_of_fewer_formats_has_the_same_configuration(matrix_of):
    found = matrix_of({"formats": ("torchscript",)}, xfail={"onnx": "not yet", "trt-fp16": "no GPU yet"})
    assert "onnx" not in found.variants


def test_an_exported_format_that_is_no_default_is_made_only_where_it_is_named(registry, matrix_of):
    vars(registry.formats["torchscript"])["default"] = False
    registry.formats.listed["torchscript"] = registry.formats.listed["torchscript"]._replace(default=False)
    with pytest.raises(ConfigError, match=r"only where it is named; write --nav-formats=\S+,trt,torchscript$"):
        matrix_of(require=["torchscript"])


@pytest.mark.parametrize("name", ["onnx-cpuu", "torchscript-cpu", "trt-tensorrt", "onnx-script"])
def test_what_looks_like_a_cell_and_is_none_is_unknown(matrix_of, name):
    with pytest.raises(ConfigError, match=f"unknown required format {name!r}"):
        matrix_of(require=[name])


def test_the_names_of_a_wrong_format_have_what_is_made_on_request(matrix_of):
    with pytest.raises(ConfigError) as caught:
        matrix_of({"formats": ("trt-rtx-int4",)})
    message = str(caught.value)
    assert "did you mean 'trt-rtx-int8'?" in message
    *names, rest = message.partition("(valid: ")[2].split(", ")
    assert {"trt-rtx", "trt-rtx-int8", "trt-int8", "trt-rtx-fp16"} < set(names)
    assert len(names) == 10
    assert "tf-trt-int8" not in names
    assert re.fullmatch(r"and \d\d more: docs/formats.md has all\)", rest)


def test_everything_that_is_made_on_request_has_the_key_by_which_it_is_named(registry, matrix_of):
    names = [key for form in registry.formats.values() if "torch" in form.frameworks for key in form.on_request()]
    assert list(matrix_of({"formats": tuple(names)}).named) == names


def test_a_runtime_is_named_by_what_executes_or_by_its_runner(matrix_of):
    assert {r for _, r in matrix_of({"runtimes": ("OnnxCPU",)}).cells} == {"OnnxCPU"}
    assert {r for _, r in matrix_of({"runtimes": ("compile-cpu",)}).cells} == {"TorchCompileCPU"}


def test_a_device_leaves_its_own_runners(matrix_of):
    matrix = matrix_of({"device": "cpu"})
    assert {matrix.runners[r].device for _, r in matrix.cells} == {"cpu"}


def test_the_steps_come_in_the_order_of_the_tests_and_need_what_is_before_them(matrix_of):
    matrix = matrix_of({"formats": ("onnx",), "runtimes": ("cpu",)})
    ids = [step.id for step in matrix.steps()]
    assert ids == [
        "source",
        "export.onnx",
        "correctness.torch.TorchCPU",
        "correctness.onnx.OnnxCPU",
        "profile.torch.TorchCPU.batch1",
        "profile.torch.TorchCPU.batchmax",
        "profile.onnx.OnnxCPU.batch1",
        "profile.onnx.OnnxCPU.batchmax",
    ]
    for step in matrix.steps():
        assert all(ids.index(needed.id) < ids.index(step.id) for needed in matrix.needs(step))


def test_a_check_of_a_file_needs_its_export_and_a_profile_its_check(matrix_of):
    matrix = matrix_of()
    assert matrix.needs(Step("correctness", "onnx", "OnnxCPU")) == [Step("source"), Step("export", "onnx")]
    assert matrix.needs(Step("correctness", "torch", "TorchCPU")) == [Step("source")]
    assert matrix.needs(Step("profile", "onnx", "OnnxCPU", "batch1")) == [Step("correctness", "onnx", "OnnxCPU")]


def test_batch_sizes_come_from_the_flag_the_profile_or_the_default(matrix_of):
    profile = OptimizationProfile(max_batch_size=4)
    assert matrix_of({"batch_sizes": (8, 2)}, optimization_profile=profile).batches == ("batch2", "batch8")
    assert matrix_of(optimization_profile=profile).batches == ("batch1", "batchknee", "batchbest")
    assert matrix_of({"batch_sizes": "auto"}).batches == ("batch1", "batchknee", "batchbest")
    assert matrix_of().batches == ("batch1", "batchmax")
    assert matrix_of(batch_dim=None).batches == ("nobatch",)
    assert matrix_of(profile=False).batches == ()
