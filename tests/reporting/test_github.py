"""What GitHub Actions is given: Markdown that is what it says, below its limits; commands that nobody can forge."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_navigator.core.facts import as_data
from pytest_navigator.core.records import Outcome
from pytest_navigator.core.steps import Status, item_name
from pytest_navigator.gates.facts import RegressionFacts
from pytest_navigator.gates.rows import Row, Verdict
from pytest_navigator.reporting.causes import Cause, causes
from pytest_navigator.reporting.github import LARGEST_SUMMARY, summary, workflow_commands
from pytest_navigator.reporting.run_report import ModelReport, OtherFailure, Place, RunReport
from tests.package.recorded import outcomes, results

NODEID = "conftest.py::nav_model"
PLACES = {f"{NODEID}::test_source": Place("conftest.py", 7)}
HOSTILE = "<script>alert(1)</script> | `x` **b** @me #1 :tada: $x$ [a](https://b.c) www.b.c\n# heading\n::error::no"


def report(**changes: Any) -> RunReport:
    return replace(RunReport((ModelReport(results()),), exit_code=1, places=PLACES, start=Path("/root")), **changes)


def failed(message: str, **changes: Any) -> RunReport:
    """A run in which one step failed with this message."""
    steps = [replace(o, message=message, **changes) if o.status is Status.FAILED else o for o in outcomes()]
    return report(models=(ModelReport(results(steps)),))


def commands(run: RunReport, workspace: str | None = "/root") -> list[str]:
    return workflow_commands(causes(run), Path("/root"), Path(workspace) if workspace else None)


def test_failures_come_first() -> None:
    right = ModelReport(results([o for o in outcomes() if not o.failed], name="right"))
    text = summary(report(models=(right, *report().models)))

    assert text.startswith("## ❌ Model checks failed: 1 of 2 models, 1 cause\n")
    places = [text.index(part) for part in ("max abs 0.2", "### ❌ linear (torch)", "### ✅ right (torch)")]
    assert places == sorted(places)


def test_a_run_in_order_says_so() -> None:
    right = ModelReport(results([o for o in outcomes() if not o.failed]))
    assert summary(RunReport((right,), exit_code=0)).startswith("## ✅ Model checks passed: 1 model\n")


def test_a_failed_test_of_the_users_own_is_a_cause() -> None:
    right = ModelReport(results([o for o in outcomes() if not o.failed]))
    run = report(models=(right,), others=(OtherFailure("test_a.py::test_b", "assert 0"),))
    assert "**test&#95;a.py" in summary(run)
    assert commands(run) == ["::error title=test_a.py%3A%3Atest_b::assert 0"]


def test_texts_of_others_are_text() -> None:
    text = summary(failed(HOSTILE, detail=f"``` {HOSTILE}"))
    before, fence, _ = re.split("^(`{4,})text$", text, maxsplit=1, flags=re.MULTILINE)

    for sign in ("<script", "**b**", "@me", "#1 ", ":tada:", "$x$", "[a]", "https:", "www.b", "| `x`"):
        assert sign not in before
    assert not re.search("^(# heading|::error)", before, re.MULTILINE)
    assert len(fence) == 4  # more than what is in it


@pytest.mark.parametrize("sign", ["x", "€", "\U0001f600", "<"])
def test_a_summary_stays_below_the_limit_in_bytes_and_says_that_it_was_cut(sign: str) -> None:
    (one,) = failed(sign * 4000, detail=sign * 20000).models
    many = report(models=tuple(replace(one, results=results(one.results.outcomes, name=f"m{i}")) for i in range(120)))
    others = tuple(OtherFailure(f"test_{i}", f"{i} {sign * 4000}") for i in range(250))
    text = summary(replace(many, others=others))

    assert len(text.encode()) <= LARGEST_SUMMARY
    assert len(text.encode()) > LARGEST_SUMMARY * 0.9
    assert re.search(r"\*Cut here, .*: \d+ parts left out\. .*\*\n$", text)
    assert len(summary(many, 10_000).encode()) <= 10_000


def test_an_annotation_has_place_and_title_with_what_github_needs_escaped() -> None:
    assert commands(failed("100 % off: a, b\r\n::warning::c")) == [
        "::error file=conftest.py,line=7,title=linear test_correctness[onnx-cpu]::100 %25 off: a, b\\r%0A::warning::c"
    ]
    (line,) = workflow_commands([Cause("a,b:c%\n", "", "no")], Path("/root"), None)
    assert line == "::error title=a%2Cb%3Ac%25%0A::no"


@pytest.mark.parametrize(
    ("workspace", "place"), [("/", "file=root/conftest.py,line=7,"), ("/elsewhere", ""), (None, "")]
)
def test_a_file_is_relative_to_githubs_workspace(workspace: str | None, place: str) -> None:
    (line,) = commands(report(), workspace)
    assert line.startswith(f"::error {place}title=")


def test_there_are_ten_annotations_and_the_last_says_how_many_more() -> None:
    run = report(others=tuple(OtherFailure(f"test_{i}", "no") for i in range(30)))
    lines = commands(run)

    assert len(lines) == 10
    assert lines[-1].endswith("%0A%0Aand 21 more causes: see the summary or the log")
    assert not any("more" in line for line in lines[:-1])


def test_what_fails_in_the_same_words_is_one_cause() -> None:
    profiles = [replace(o, status=Status.FAILED, message="no memory") if o.step == "profile" else o for o in outcomes()]
    (found, *others) = [c for c in causes(report(models=(ModelReport(results(profiles)),))) if "profile" in c.test]
    assert (found.more, others) == (3, [])


def test_a_reason_that_repeats_a_failure_is_no_cause_of_its_own() -> None:
    (model,) = report().models
    reasons = ("required onnx was not checked: correctness.onnx.OnnxCPU failed: max abs", "nobody checks output a")
    assert [c.message for c in causes(report(models=(replace(model, reasons=reasons),)))] == [
        "output__0: max abs 0.2",
        "nobody checks output a",
    ]


@pytest.mark.parametrize(("topic", "told"), [("coverage", 1), ("tolerance", 2)])
def test_what_is_worse_for_a_step_that_failed_is_no_cause_of_its_own(topic: str, told: int) -> None:
    row = Row(topic, "onnx-cpu", "passed", "failed", Verdict.WORSE)
    data = as_data(RegressionFacts("main.nav", (row,)))
    regression = Outcome("regression", Status.FAILED, "onnx", "OnnxCPU", message="worse than main.nav", data=data)
    assert len(causes(report(models=(ModelReport(results([*outcomes(), regression])),)))) == told


def test_nothing_private_is_in_either(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "s3cr3t-of-somebody")
    run = failed("where s3cr3t-of-somebody is", detail="s3cr3t-of-somebody")
    assert "s3cr3t" not in summary(run)
    assert "s3cr3t" not in "".join(commands(run))


@pytest.mark.parametrize(
    ("step", "name"),
    [
        (("regression",), "test_regression[model]"),
        (("regression", "onnx-cpu"), "test_regression[onnx-cpu]"),
        (("profile", "onnx-cpu", "batch1"), "test_profile[onnx-cpu-batch1]"),
        (("source",), "test_source"),
    ],
)
def test_a_step_is_called_as_its_item_is(step: tuple[str, ...], name: str) -> None:
    assert item_name(*step) == name


def test_a_format_that_could_not_be_made_has_a_row() -> None:
    failed = Outcome("export", Status.FAILED, "onnx", message="no")
    steps = [o for o in outcomes() if o.key != "onnx"]

    text = summary(report(models=(ModelReport(results([*steps, failed])),)))

    assert "| onnx | - | FAILED |" in text
