"""Without their libraries, what Torch-TensorRT and TF-TRT make is skipped with what is missing, and the rest runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import LINEAR, words

from pytest_navigator.backends.tensorflow.tf_tensorrt import TensorFlowTensorRTFormat
from pytest_navigator.backends.torch.torch_tensorrt import TorchTensorRTFormat
from pytest_navigator.devices import requirements

if TYPE_CHECKING:
    from blackbox import Nav


def test_without_a_gpu_its_steps_are_skipped_and_its_parent_is_made(pytester: pytest.Pytester, nav: Nav) -> None:
    if requirements.missing(("cuda",)) is None:
        pytest.skip("there is a CUDA device")
    pytester.makeconftest(LINEAR)
    runtimes = "--nav-runtimes=TorchExportedProgramCPU,TorchTensorRT"
    result = nav("-v", "-rs", "--nav-formats=torch-trt-fp16", runtimes, formats="")
    assert words(result) == {
        "test_source": "PASSED",
        "test_export[torch-exportedprogram]": "PASSED",
        "test_convert[torch-trt-fp16]": "SKIPPED",
        "test_correctness[torch-exportedprogram-cpu]": "PASSED",
        "test_correctness[torch-trt-fp16-tensorrt]": "SKIPPED",
    }
    result.stdout.fnmatch_lines(["SKIPPED*no CUDA device*"])


def test_what_was_made_of_torchscript_is_an_error_that_names_what_there_is(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makeconftest(LINEAR)
    result = nav("--nav-formats=torch-trt-script-fp16", formats="", profile=False)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*'torch-trt-fp16' is made of the exported program*"])


def test_the_missing_library_is_named_with_what_would_be_needed() -> None:
    pytest.importorskip("tensorflow")
    first, second, *_ = TensorFlowTensorRTFormat.requires
    assert first == TorchTensorRTFormat.requires[0] == "cuda"
    text = requirements.missing((second,))
    assert text is not None
    assert "was built without TF-TRT (needs Linux, a TensorFlow <= 2.17 GPU wheel with TensorRT 8.6" in text
    text = requirements.missing((TorchTensorRTFormat.requires[1],))
    assert text is not None
    assert text.startswith("Torch-TensorRT is not installed (pip install torch-tensorrt of the same minor version")
