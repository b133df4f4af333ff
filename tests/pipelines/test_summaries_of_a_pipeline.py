"""The figures of a pipeline: digits that mean something, a mark and one note where they are disturbed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_navigator.core.pipeline_facts import STEP, WholeFacts
from pytest_navigator.core.plain import plain
from pytest_navigator.core.records import Outcome
from pytest_navigator.core.steps import Status
from pytest_navigator.package.query.strategies import Figure
from pytest_navigator.pipelines.choice import Choice
from pytest_navigator.pipelines.choosing import compared
from pytest_navigator.pipelines.pipeline_record import PipelineRecord
from pytest_navigator.pipelines.pipeline_results import PipelineResults, report_of
from pytest_navigator.pipelines.result import PipelineResult
from pytest_navigator.reporting.pipelines import summary

BUSY = "measured while others used 60 % of the processors"
UNET = Choice("unet", "unet", "ab", "k", "onnx", "OnnxCPU", "126x as fast", eager_ms=1361.2, chosen_ms=10.79)
RESULT = PipelineResult((UNET, Choice("vae", "vae", "cd", "", reason="never called")), {"unet": 4}, 1, 1904.6, 15.03)


def test_the_table_of_optimize_writes_figures_out() -> None:
    assert str(RESULT).splitlines() == [
        "  module  calls  eager ms  chosen ms  runs          why",
        "  unet    4      1360      10.8       onnx/OnnxCPU  126x as fast",
        "  vae     0                           eager         never called",
        "the whole pipeline, 1 sample: eager 1900 ms, optimized 15.0 ms, 127x as fast; it gives the same. "
        "nav.load_optimized() swaps the formats in",
    ]


def test_disturbed_figures_of_optimize_are_marked_and_told_once() -> None:
    disturbed = replace(UNET, caveat=BUSY, spread=0.1)

    lines = str(replace(RESULT, choices=(disturbed,), caveat=BUSY)).splitlines()

    assert lines[1] == "  unet    4      1400*     11*        onnx/OnnxCPU  126x as fast"
    assert "eager 1900* ms, optimized 15.0* ms" in lines[2]
    assert lines[3:] == [f"note: 2 rows have a caveat (* above), for example unet: {BUSY}"]


def test_the_end_of_a_run_marks_disturbed_figures_of_the_whole() -> None:
    facts = WholeFacts(1904.6, 15.03, {"unet": "onnx-cpu"}, {"unet": "126x as fast"}, caveat=BUSY)
    outcome = Outcome(STEP, Status.PASSED, "best", data=plain(facts))

    results = PipelineResults(PipelineRecord("p", "p", "", {"unet": "u"}, ("best",)), [outcome])

    assert summary(report_of(results)) == [
        "p (pipeline: unet)",
        "  formats  result  eager ms  ms     speed-up  verified",
        "  best     ok      1900*     15.0*  127x      -",
        "best: unet onnx-cpu (126x as fast)",
        f"note: a row has a caveat (* above), for example best: {BUSY}",
    ]


@pytest.mark.parametrize(
    ("ms", "caveat", "format_", "reason"),
    [
        (1.0, "", "onnx", "2.00x as fast"),
        (2.2, BUSY, "onnx", f"0.909x as fast alone, which is in doubt: {BUSY}"),
        (2.2, "", "", "no format is faster: the best one, onnx on OnnxCPU, has 0.909x its speed"),
        (9.0, BUSY, "", "no format is faster: the best one, onnx on OnnxCPU, has 0.222x its speed"),
    ],
)
def test_a_format_that_noise_may_have_slowed_is_tried_in_the_pipeline(ms, caveat, format_, reason) -> None:
    best, eager = Figure("onnx", "OnnxCPU", 1, ms, 1.0, caveat), Figure("torch", "TorchCPU", 1, 2.0, 1.0)

    found = compared(best, eager)

    assert (found.format, found.reason, found.caveat) == (format_, reason, caveat)
