from __future__ import annotations

from dataclasses import replace

from pytest_navigator.core.records import Outcome
from pytest_navigator.core.steps import Status
from pytest_navigator.core.variants import Variant
from pytest_navigator.package.layout.navigator_log import HINT, render
from tests.package.recorded import SOURCE, correctness, outcomes, results, verify

MISSION = """\
2022-02-22 15:34:28 INFO     Navigator API: ============================== Pipeline PyTorch pipeline started ===================================
2022-02-22 15:34:28 INFO     Navigator API: ============================== Command Fetch input model data started ==============================
2022-02-22 15:34:28 INFO     Navigator API: ============================== Command Dump input model data started ===============================
2022-02-22 15:34:28 INFO     Navigator API: ============================== Command Dump output model data started ==============================
2022-02-22 15:34:28 INFO     Navigator API: ============================== Command Export PyTorch to ONNX started ==============================
2022-02-22 15:34:32 INFO     Navigator API: ============================== Command Correctness PyTorch to ONNX started =========================
2022-02-22 15:34:33 ERROR    Navigator API: Traceback (most recent call last):
  File "/model_navigator/compare.py", line 63, in compare
AssertionError: Current atol = 0.001, rtol = 0.001, try to adjust tolerance values

2022-02-22 15:34:33 INFO     Navigator API: You can disable error suppression for debugging with flag NAV_DEBUG=1
2022-02-22 15:34:33 INFO     Navigator API: Command Performance ONNX skipped: correctness did not pass
2022-02-22 15:34:33 INFO     Navigator API: ============================== Command Generate configurations for Navigator CLI started ===========
2022-02-22 15:34:33 INFO     Navigator API: ============================== Navigator summary ===================================================
2022-02-22 15:34:33 INFO     Navigator API: ============================== Pipeline PyTorch pipeline summary ===================================
2022-02-22 15:34:33 INFO     Navigator API: [ OK ] Fetch input model data
2022-02-22 15:34:33 INFO     Navigator API: [ OK ] Dump input model data
2022-02-22 15:34:33 INFO     Navigator API: [ OK ] Dump output model data
2022-02-22 15:34:33 INFO     Navigator API: [ OK ] Export PyTorch to ONNX
2022-02-22 15:34:33 WARNING  Navigator API: [FAIL] Correctness PyTorch to ONNX
2022-02-22 15:34:33 INFO     Navigator API: [SKIP] Performance ONNX
2022-02-22 15:34:33 INFO     Navigator API: [ OK ] Generate configurations for Navigator CLI
2022-02-22 15:34:33 WARNING  Navigator API: Initially models are not verified. Validate exported models with verify_* functions that ask for nav_runner to set models as verified.
"""  # noqa: E501
ONNX = (Variant("torch", "torch", None, ""), Variant("onnx", "onnx", None, "model.onnx", {}, ("OnnxCPU",)))
ERROR = "AssertionError: Current atol = 0.001, rtol = 0.001, try to adjust tolerance values"


def test_the_log_has_the_form_of_the_mission() -> None:
    trouble = (
        f'Traceback (most recent call last):\n  File "/model_navigator/compare.py", line 63, in compare\n{ERROR}\n'
    )
    steps = [
        Outcome("source", Status.PASSED, started="2022-02-22T15:34:28+00:00"),
        Outcome("export", Status.PASSED, "onnx", started="2022-02-22T16:34:28+01:00", duration=3.0),
        Outcome(
            "correctness",
            Status.FAILED,
            "onnx",
            "OnnxCPU",
            message=ERROR,
            detail=trouble,
            started="2022-02-22T15:34:32+00:00",
            duration=1.0,
        ),
        Outcome("profile", Status.SKIPPED, "onnx", "OnnxCPU", "batch1", message="correctness did not pass"),
    ]

    assert render(results(steps, variants=ONNX)) == MISSION


def test_equal_titles_are_told_apart_by_what_differs() -> None:
    text = render(results())

    assert "[FAIL] Export PyTorch to TorchScript (torchscript-script) (expected)\n" in text
    assert "[ OK ] Export PyTorch to TorchScript (torchscript-trace)\n" in text
    assert "[FAIL] Correctness PyTorch to ONNX (OnnxCPU)\n" in text
    assert "[SKIP] Correctness PyTorch to ONNX (OnnxCUDA)\n" in text
    assert "[ OK ] Performance TorchScript (batchmax)\n" in text
    assert "[SKIP] Convert ONNX to TensorRT\n" in text
    assert "[ OK ] Correctness PyTorch\n" in text


def test_every_failure_has_its_message_and_the_hint() -> None:
    text = render(results())

    assert "ERROR    Navigator API: NotSupportedError: no script\n\n" in text
    assert "ERROR    Navigator API: StepFailed: output__0: max abs 0.2\n\n" in text
    assert text.count(HINT) == 2


def test_two_verify_tests_of_one_runner_are_two_rows() -> None:
    text = render(results([*outcomes(), verify("onnx", "OnnxCPU"), verify("onnx", "OnnxCPU", name="b")]))

    assert "[ OK ] Verify ONNX (test_quality.py::verify_a[onnx])\n" in text
    assert "[ OK ] Verify ONNX (test_quality.py::verify_b[onnx])\n" in text


def test_a_verified_model_ends_the_warning() -> None:
    assert "not verified" in render(results([*outcomes(), verify("onnx", "OnnxCPU", "another")]))
    assert "not verified" not in render(results([*outcomes(), verify("onnx", "OnnxCPU")]))


def test_a_failed_source_stops_the_rest() -> None:
    failed = Outcome(
        "source", Status.FAILED, message="the loader is empty", started=SOURCE.started, error="SourceError"
    )
    text = render(replace(results([failed]), signature=None))

    assert "SourceError: the loader is empty" in text
    assert "[FAIL] Fetch input model data\n" in text
    assert "[SKIP] Dump input model data\n" in text
    assert "[SKIP] Generate configurations for Navigator CLI\n" in text


def test_a_run_that_never_began_has_a_log() -> None:
    text = render(results([]))

    assert "[SKIP] Dump input model data\n" in text
    assert "[ OK ]" not in text


def test_the_caveat_of_a_pass_is_in_the_log() -> None:
    step = replace(correctness("torch", "TorchCPU"), message="two runs differ bitwise")

    assert "INFO     Navigator API: two runs differ bitwise\n" in render(results([SOURCE, step]))


def test_the_strategies_name_the_best_runner_with_its_figures_and_its_file() -> None:
    log = render(results())

    blocks = [block.splitlines()[:5] for block in log.split("INFO     Navigator API:\nStrategy: ")[1:]]
    source = ["  Latency: 1.0000 [ms]", "  Throughput: 1000.0000 [infer/sec]", "  Runner: TorchCPU", "  Model: torch"]
    assert blocks == [["MaxThroughputStrategy", *source], ["MinLatencyStrategy", *source]]
    traced = [step for step in outcomes() if (step.step, step.key) != ("profile", "torch")]
    assert "  Runner: TorchScriptCPU\n  Model: torchscript-trace/model.pt\n" in render(results(traced))
