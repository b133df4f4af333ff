"""Model Navigator's command `convert`: a model file, its documentation's example of a configuration, no code."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import yaml
from blackbox import words

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackbox import Nav

    Convert = Callable[..., pytest.RunResult]

EXAMPLE = """
# converter set config
target_formats: ["onnx",]
onnx_opsets: [13]
# model signature
inputs:
    image__0:
      name: image__0
      shape: [-1, 3, -1, -1]
      dtype: float32
outputs:
    output__0:
      name: output__0
      shape: [-1, 1000]
      dtype: float32
# comparator config
atol:
    output__0: 0.01
rtol:
    output__0: 0.1
# dataset profile
max_shapes:
    image__0: [128, 3, 600, 800]
value_ranges:
    image__0: [0., 1.]
dtypes:
    image__0: float32
"""
"""As documented; the tests take fewer and smaller images."""

SMALL = EXAMPLE.replace("[128, 3, 600, 800]", "[4, 3, 12, 16]")
OUTPUT = f"{SMALL}\noutput_path: models/MobileNetV2.onnx\n"


@pytest.fixture
def convert(pytester: pytest.Pytester, nav: Nav) -> Convert:
    """Save a small classifier as TorchScript and run the checks with a configuration file."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxruntime")
    torch.manual_seed(0)
    layers = torch.nn.Conv2d(3, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()
    model = torch.nn.Sequential(*layers, torch.nn.Linear(8, 1000)).eval()
    with warnings.catch_warnings(action="ignore", category=DeprecationWarning):
        traced = torch.jit.trace(model, torch.rand(2, 3, 8, 8))
    traced.save(str(pytester.path / "MobileNetV2_trace.pt"))

    def run(config: str, *args: str) -> pytest.RunResult:
        (pytester.path / "MobileNetV2_trace_config.yaml").write_text(config)
        named = "--nav-model=MobileNetV2_trace.pt", "--nav-config=MobileNetV2_trace_config.yaml"
        return nav("-v", *named, "--nav-in-process", *args, formats="")

    return run


def results(pytester: pytest.Pytester) -> list[Any]:
    found: list[Any] = yaml.safe_load((pytester.path / "navigator_workspace" / "convert_results.yaml").read_text())
    return found


def test_the_documented_example_runs(pytester: pytest.Pytester, convert: Convert) -> None:
    result = convert(OUTPUT)

    assert words(result) == {
        "test_source": "PASSED",
        "test_convert[onnx]": "PASSED",
        "test_correctness[torchscript-cpu]": "PASSED",
        "test_correctness[onnx-cpu]": "PASSED",
    }
    result.stdout.fnmatch_lines(["output: models/MobileNetV2.onnx (onnx)"])
    (entry,) = results(pytester)
    assert entry["status"]["state"] == "succeeded"
    assert entry["source_model_config"]["model_format"] == "torchscript"
    assert entry["conversion_config"]["onnx_opsets"] == [13]
    assert entry["model_signature_config"]["inputs"]["image__0"]["shape"] == [-1, 3, -1, -1]
    assert entry["comparator_config"] == {"atol": {"output__0": 0.01}, "rtol": {"output__0": 0.1}}
    assert entry["dataset_profile"]["max_shapes"] == {"image__0": [4, 3, 12, 16]}
    low, high = entry["dataset_profile"]["value_ranges"]["image__0"]
    assert 0 <= low < high <= 1
    assert check_output(pytester) == (13, (5, 1000))


def check_output(pytester: pytest.Pytester) -> tuple[int, tuple[int, ...]]:
    """Run the copied model with a batch and sizes that no sample had; returns its opset and its output's shape."""
    onnx, runtime = pytest.importorskip("onnx"), pytest.importorskip("onnxruntime")
    path = pytester.path / "models" / "MobileNetV2.onnx"
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    (output,) = session.run(["output__0"], {"image__0": np.zeros((5, 3, 9, 7), np.float32)})
    return onnx.load(path).opset_import[0].version, output.shape


def test_the_next_run_replaces_its_output_and_a_failed_one_leaves_it(
    pytester: pytest.Pytester, convert: Convert
) -> None:
    output = pytester.path / "models" / "MobileNetV2.onnx"
    convert(OUTPUT)
    first = output.read_bytes()

    convert(OUTPUT.replace("[13]", "[17]"))
    second = output.read_bytes()
    strict = OUTPUT.replace("output__0: 0.01", "output__0: 0").replace("output__0: 0.1", "output__0: 0")
    failed = convert(strict.replace("[0., 1.]", "[-1.0e+4, 1.0e+4]"))

    assert first != second
    assert words(failed)["test_correctness[onnx-cpu]"] == "FAILED"
    failed.stdout.fnmatch_lines(["output_path: models/MobileNetV2.onnx was not written: onnx failed: OnnxCPU: *"])
    assert output.read_bytes() == second
    (entry,) = results(pytester)
    assert entry["status"]["state"] == "failed"
    assert entry["output_model"]["correctness"]["OnnxCPU"]["status"] == "failed"


def test_without_a_size_for_a_dynamic_axis_nothing_is_made_up(pytester: pytest.Pytester, convert: Convert) -> None:
    result = convert(SMALL.replace("max_shapes:\n    image__0: [4, 3, 12, 16]\n", ""))

    assert words(result)["test_source"] == "FAILED"
    result.stdout.fnmatch_lines(
        ["axis 2 of input 'image__0', axis 3 of *", "max_shapes:", "  image__0: [[]4, 3, 16, 16]"]
    )
    (entry,) = results(pytester)
    assert entry["status"]["state"] == "skipped"


def test_two_opsets_are_two_conversions_and_the_first_is_the_output(
    pytester: pytest.Pytester, convert: Convert
) -> None:
    result = convert(OUTPUT.replace("[13]", "[13, 17]"))

    assert words(result)["test_correctness[onnx-opset17-cpu]"] == "PASSED"
    assert [entry["output_model"]["name"] for entry in results(pytester)] == ["onnx-opset13", "onnx-opset17"]
    assert check_output(pytester)[0] == 13


def test_the_next_run_does_not_take_its_own_report_for_somebodys_file(
    pytester: pytest.Pytester, convert: Convert
) -> None:
    convert(SMALL, "-k", "source")
    assert (pytester.path / "navigator_workspace" / "convert_results.yaml").exists()

    assert words(convert(SMALL, "-k", "source")) == {"test_source": "PASSED"}
    assert results(pytester)[0]["status"] == {
        "state": "skipped",
        "message": "it was not asked for in this run",
        "log_path": results(pytester)[0]["status"]["log_path"],
    }
