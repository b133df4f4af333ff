"""What the keywords of `export` and `optimize` mean, and how wrong ones are told."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import pytest_navigator as nav
from pytest_navigator.api import jax, keywords, tensorflow, torch
from pytest_navigator.api.arguments import configuration, runtimes, unasked
from pytest_navigator.errors import ConfigError
from tests.api.scripts import output
from tests.documents import blocks

DOCUMENT = (Path(__file__).parents[2] / "docs" / "python-api.md").read_text()
OWN = {"opset", "jit_options", "jit_compile", "enable_xla"}
"""Keywords that only some of the functions have."""


def documented(table: str) -> set[str]:
    """Return the keywords in the first column of a table."""
    rows = DOCUMENT.split(f"<!-- {table} -->\n")[1].split("\n\n")[0].splitlines()
    return {name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])}


def test_the_document_has_every_keyword() -> None:
    assert documented("export") == {*keywords.ExportOptions.__annotations__, *OWN}
    assert documented("optimize") == set(keywords.OptimizeOptions.__annotations__)


def test_without_formats_or_configurations_all_formats_are_made() -> None:
    assert configuration("torch", None, []).formats is None
    assert configuration("python", None, None).framework == "python"


def test_a_configuration_leaves_the_other_formats_in() -> None:
    config = configuration("torch", None, [nav.OnnxConfig(opset=17), nav.TorchConfig(autocast=True)])

    assert config.formats == [
        nav.TorchConfig(autocast=True),
        nav.TorchScriptConfig(),
        nav.TorchExportConfig(),
        nav.TorchTensorRTConfig(),
        nav.OnnxConfig(opset=17),
        nav.TensorRTConfig(),
    ]


def test_what_a_call_says_nothing_of_is_not_asked_for() -> None:
    others = {"torchscript", "torch-exportedprogram", "torch-trt", "trt"}
    assert unasked("torch", None, [nav.OnnxConfig(opset=17), nav.TorchConfig(autocast=True)]) == others
    assert unasked("torch", ("onnx", "torchscript"), [nav.OnnxConfig(opset=17)]) == frozenset()
    assert unasked("python", None, None) == frozenset()


def test_target_formats_are_the_only_ones_with_their_configurations() -> None:
    configs = [nav.OnnxConfig(opset=17), nav.TorchScriptConfig(jit_type="trace")]

    assert configuration("torch", nav.Format.TORCHSCRIPT, configs).formats == [nav.TorchScriptConfig(jit_type="trace")]
    assert configuration("torch", ("onnx",), configs).formats == [nav.OnnxConfig(opset=17)]
    assert configuration("jax", ["stablehlo", "tf-savedmodel"], []).formats == [
        nav.StableHLOConfig(),
        nav.TensorFlowSavedModelConfig(),
    ]


def test_a_target_format_may_be_one_of_what_a_format_makes() -> None:
    strict = nav.TorchScriptConfig(strict=False)

    assert configuration("torch", "torchscript-trace", [strict]).formats == [
        nav.TorchScriptConfig(jit_type="trace", strict=False)
    ]
    assert configuration("torch", ("trt-fp16", "onnx"), []).formats == [
        nav.TensorRTConfig(precision="fp16"),
        nav.OnnxConfig(),
    ]
    assert configuration("torch", "trt-int8", [nav.TensorRTConfig(optimization_level=2)]).formats == [
        nav.TensorRTConfig(precision="int8", optimization_level=2)
    ]


def test_what_a_target_format_is_made_from_keeps_its_configuration() -> None:
    configs = [nav.OnnxConfig(opset=17), nav.TorchScriptConfig(jit_type="trace")]

    assert configuration("torch", "trt", configs).formats == [nav.OnnxConfig(opset=17), nav.TensorRTConfig()]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (
            {"target_formats": ("onnx",), "custom_configs": [nav.TensorRTConfig()]},
            r"trt is not among target_formats \(onnx\), nor is any of them made from it",
        ),
        (
            {"batching": False, "optimization_profile": nav.OptimizationProfile(batch_sizes=[1, 8])},
            r"batching=False beside OptimizationProfile\.batch_sizes=\[1, 8\]: a model without a batch axis",
        ),
        (
            {"batching": False, "optimization_profile": nav.OptimizationProfile(max_batch_size=8)},
            r"batching=False beside OptimizationProfile\.max_batch_size=8",
        ),
    ],
)
def test_keywords_that_contradict_each_other_are_told(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        torch.optimize(None, [], **options)  # type: ignore[arg-type]


def test_batch_sizes_without_a_batch_axis_are_told_by_the_names_of_export() -> None:
    with pytest.raises(ConfigError, match=r"batch_dim=None beside ProfilerConfig\.batch_sizes=\(1, 4\)"):
        torch.export(None, [], batch_dim=None, profiler_config=nav.ProfilerConfig(batch_sizes=(1, 4)))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        ("onxx", "unknown target format of a torch model 'onxx'; did you mean 'onnx'?"),
        ((nav.Format.ONNX, "tttrt"), "unknown target format of a torch model 'tttrt'; did you mean 'trt'?"),
    ],
)
def test_a_format_that_cannot_be_made_is_an_error(names: Any, problem: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(problem)):
        configuration("torch", names, [])


def test_providers_stand_for_runners_and_other_names_for_themselves() -> None:
    assert runtimes(None) is None
    assert runtimes(nav.RuntimeProvider.CPU) == ("OnnxCPU",)
    assert runtimes((nav.RuntimeProvider.CUDA, "cpu")) == ("OnnxCUDA", "cpu")


def test_an_unknown_keyword_is_told_with_the_nearest_one() -> None:
    arguments: dict[str, Any] = {"model_nam": "x"}

    for function in (torch.export, tensorflow.export, torch.optimize):
        with pytest.raises(ConfigError, match=r"unknown keyword of \w+ 'model_nam'; did you mean 'model_name'\?"):
            function(None, [], **arguments)  # type: ignore[operator]
    with pytest.raises(ConfigError, match=r"unknown keyword of export 'model_nam'"):
        jax.export(lambda x, params: x, {}, [], **arguments)


def test_what_is_for_tensorrt_is_said_of_its_engines() -> None:
    options = {
        "target_precisions": (nav.TensorRTPrecision.FP16, "int8"),
        "precison_mode": nav.TensorRTPrecisionMode.SINGLE,
        "max_workspace_size": 2**30,
        "trt_dynamic_axes": {"input": {0: (1, 4, 8)}},
    }
    (config,) = keywords.engines("jax", options)
    assert config == nav.TensorRTConfig(
        precision=("fp16", "int8"),
        precision_mode="single",
        max_workspace_size=2**30,
        trt_profiles=[{"input": {0: (1, 4, 8)}}],
    )
    assert keywords.engines("jax", {"opset": 17}) == []


@pytest.mark.parametrize(
    ("framework", "options", "expected"),
    [
        (
            "torch",
            {"target_precisions": ("fp16", "int8"), "precison_mode": "single"},
            [
                nav.TensorRTConfig(precision=("fp16", "int8"), precision_mode="single"),
                nav.TorchTensorRTConfig(precision="fp16", precision_mode="single"),
            ],
        ),
        (
            "tensorflow",
            {"max_workspace_size": 2**30, "precison_mode": "single", "minimum_segment_size": 5},
            [
                nav.TensorRTConfig(max_workspace_size=2**30, precision_mode="single"),
                nav.TensorFlowTensorRTConfig(max_workspace_size=2**30, minimum_segment_size=5),
            ],
        ),
        ("tensorflow", {"minimum_segment_size": 5}, [nav.TensorFlowTensorRTConfig(minimum_segment_size=5)]),
        ("jax", {"target_precisions": "int8"}, [nav.TensorRTConfig(precision="int8")]),
        (
            "jax",
            {"target_precisions": "int8", "target_formats": ("onnx", nav.Format.TENSORRT_RTX)},
            [nav.TensorRTConfig(precision="int8"), nav.TensorRTRTXConfig(precision="int8")],
        ),
        ("torch", {}, []),
    ],
)
def test_the_keywords_of_tensorrt_are_fields_of_what_has_them(
    framework: str, options: dict[str, Any], expected: list[Any]
) -> None:
    assert keywords.engines(framework, options) == expected


def test_target_formats_may_be_the_frameworks_own_with_tensorrt_in_them() -> None:
    config = nav.TensorFlowTensorRTConfig(precision="int8")
    assert configuration("tensorflow", nav.Format.TF_TRT, [config]).formats == [config]
    assert configuration("torch", "torch-trt", []).formats == [nav.TorchTensorRTConfig()]


@pytest.mark.parametrize(
    ("configs", "problem"),
    [
        (
            ["onnx"],
            "custom_configs[0] is 'onnx': a configuration such as nav.OnnxConfig(opset=17) is needed; the names",
        ),
        ([nav.OnnxConfig(), nav.TorchScriptConfig], f"custom_configs[1] is {nav.TorchScriptConfig!r}: a configuration"),
        (nav.OnnxConfig(), f"custom_configs={nav.OnnxConfig()!r}: a list of configurations is needed: [nav.OnnxConfig"),
        ("onnx", "custom_configs='onnx': a list of configurations is needed: [nav.OnnxConfig(opset=17)]"),
    ],
    ids=["name", "class", "one", "text"],
)
def test_what_is_no_configuration_is_named(
    configs: Any, problem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigError, match="^" + re.escape(problem)):
        nav.python.optimize(abs, [], custom_configs=configs)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_the_code_of_the_document_runs(tmp_path: Path) -> None:
    first, _ = blocks(DOCUMENT, "python")

    output(first.text, tmp_path)
    assert (tmp_path / "double.nav").is_file()


@pytest.mark.slow
def test_the_documents_engine_is_built_here(tmp_path: Path) -> None:
    for module in ("torch", "onnxruntime", "tensorrt_rtx", "polygraphy"):
        pytest.importorskip(module)
    _, engine = blocks(DOCUMENT, "python")

    lines = output(engine.text, tmp_path)
    assert any(line.split()[:3] == ["trt-rtx-fp16", "TensorRTRTX", "ok"] for line in lines)
    assert (tmp_path / "cnn.nav").is_file()
