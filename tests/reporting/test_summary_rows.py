"""Which formats and runners have a row in the summary's table."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_navigator.core.records import Outcome
from pytest_navigator.core.steps import Status
from pytest_navigator.reporting.notebook import table
from pytest_navigator.reporting.report import HEADINGS, matrix, summary
from tests.package.recorded import SOURCE, outcomes, results

FORMATS = ["torch", "torchscript-script", "torchscript-trace", "onnx"]


def converted(**fields: str) -> Outcome:
    return Outcome("convert", Status.SKIPPED, "trt-fp16", **fields)


@pytest.mark.parametrize(("status", "word"), [(Status.FAILED, "FAILED"), (Status.XFAILED, "xfailed")])
def test_a_format_that_could_not_be_made_has_a_row_in_its_place(status: Status, word: str) -> None:
    steps = [replace(o, status=status) if o.key == "torchscript-script" else o for o in outcomes()]

    rows = matrix(results(steps))

    assert list(dict.fromkeys(row[0] for row in rows)) == FORMATS
    assert rows[1] == ("torchscript-script", "-", word, *["-"] * (len(HEADINGS) - 3))
    lines = summary(results(steps))
    assert [line.split() for line in lines if line.startswith("  torchscript-script ")] == [list(rows[1])]
    assert f"{word}: export torchscript-script: no script" in lines
    assert f"{word}</td>" in table("out.nav", results(steps))


def test_what_would_be_made_from_such_a_format_has_a_row_and_what_is_not_here_has_none() -> None:
    others = [o for o in outcomes() if o.key not in ("onnx", "trt-fp16")]
    failed = Outcome("export", Status.FAILED, "onnx", message="no")
    follows = converted(message="export.onnx failed: no", cause=failed.id)

    assert matrix(results([*others, failed, follows]))[-1][:3] == ("trt-fp16", "-", "skipped")
    lacking = converted(message="no CUDA device", requirement="no CUDA device")
    assert [row[0] for row in matrix(results([*others, failed, lacking]))] == FORMATS


def test_nothing_has_a_row_where_the_source_is_not_fit() -> None:
    source = replace(SOURCE, status=Status.FAILED, message="no samples")
    follows = replace(outcomes()[1], status=Status.SKIPPED, message="source failed: no samples", cause=source.id)

    assert matrix(results([source, follows])) == []
