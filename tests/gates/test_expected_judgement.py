"""Outcomes against `nav_expected.toml`, and what a run may write: tables of what is expected and what it became."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_navigator.core.expected import CHECK, TIGHTEN, UPDATE, Expected, ExpectedLine, ExpectedOption
from pytest_navigator.core.plain import load, save
from pytest_navigator.core.records import Outcome, SuiteRecord
from pytest_navigator.core.steps import Status
from pytest_navigator.gates.expected import Verdict, judged
from pytest_navigator.gates.expected_changes import planned, useless
from tests.package.recorded import DIGEST, SOURCE, correctness, profile, suite

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_navigator.gates.expected import Row
    from pytest_navigator.gates.expected_changes import Plan

ONNX = Outcome("export", Status.PASSED, "onnx", digest=DIGEST)
NOT_MADE = replace(ONNX, status=Status.FAILED, message="no\nexport 7", error="ValueError")
RIGHT = correctness("onnx", "OnnxCPU")
WRONG = correctness("onnx", "OnnxCPU", 0.2, Status.FAILED, message="off", error="mismatch")
BLOCKED = Outcome("correctness", Status.SKIPPED, "onnx", "OnnxCPU", message="export failed", cause="export.onnx")
NO_TIME = replace(profile("onnx", "OnnxCPU", "batch1", 1.0, 1.0), status=Status.FAILED, error="ValueError")


def expected(**lines: str | ExpectedLine) -> Expected:
    """Names with _ for -, words with reasons."""
    return Expected(
        "f",
        {
            name.replace("_", "-"): line
            if isinstance(line, ExpectedLine)
            else ExpectedLine((line,), {}, "" if line == "pass" else "known")
            for name, line in lines.items()
        },
    )


def rows(says: Expected, *steps: Outcome) -> dict[str, Row]:
    record = suite([SOURCE, *steps])
    return {row.name: row for row in judged(says, record, [SOURCE, *steps])}


def verdicts(says: Expected, *steps: Outcome) -> dict[str, str]:
    return {name: str(row.verdict) for name, row in rows(says, *steps).items()}


def crashed(step: Outcome, kind: str) -> Outcome:
    return replace(step, status=Status.FAILED, error=kind)


@pytest.mark.parametrize(
    ("steps", "word", "name"),
    [
        ([ONNX, RIGHT], "pass", "onnx-cpu"),
        ([ONNX, WRONG], "fail-correctness", "onnx-cpu"),
        ([ONNX, RIGHT, NO_TIME], "fail-speed", "onnx-cpu"),
        ([ONNX, RIGHT, replace(NO_TIME, step="budget", batch="p50_ms")], "fail-speed", "onnx-cpu"),
        ([ONNX, RIGHT, replace(NO_TIME, step="regression")], "pass", "onnx-cpu"),
        ([ONNX, crashed(RIGHT, "SIGSEGV")], "crash", "onnx-cpu"),
        ([ONNX, crashed(RIGHT, "exit 7")], "crash", "onnx-cpu"),
        ([ONNX, crashed(RIGHT, "timeout")], "timeout", "onnx-cpu"),
        ([ONNX, RIGHT, crashed(NO_TIME, "SIGSEGV")], "crash", "onnx-cpu"),
        ([ONNX, replace(RIGHT, status=Status.SKIPPED, message="nothing to do")], "skip", "onnx-cpu"),
        ([NOT_MADE, BLOCKED], "fail-export", "onnx"),
        ([replace(NOT_MADE, status=Status.XFAILED), BLOCKED], "fail-export", "onnx"),
        ([crashed(ONNX, "SIGABRT"), BLOCKED], "crash", "onnx"),
        ([crashed(ONNX, "timeout"), BLOCKED], "timeout", "onnx"),
        ([replace(ONNX, status=Status.SKIPPED, message="not of this model"), BLOCKED], "skip", "onnx"),
        ([ONNX, replace(NOT_MADE, step="convert", key="trt-fp16")], "fail-convert", "trt-fp16"),
    ],
)
def test_each_end_of_a_cell_has_its_word(steps: list[Outcome], word: str, name: str) -> None:
    found = rows(Expected("f"), *steps)[name]

    assert found.found is not None
    assert found.found.word == word
    assert found.verdict is Verdict.UNKNOWN
    line = ExpectedLine((word,), {}, "known")
    assert rows(Expected("f", {name: line}), *steps)[name].verdict is Verdict.SAME
    worse = ExpectedLine(("pass",)) if word != "pass" else ExpectedLine(("crash",), {}, "known")
    assert rows(Expected("f", {name: worse}), *steps)[name].verdict is (
        Verdict.BETTER if word == "pass" else Verdict.WORSE
    )


def test_a_cell_is_judged_by_what_the_file_says_of_its_format() -> None:
    assert verdicts(expected(onnx="fail-export"), NOT_MADE, BLOCKED) == {"onnx": "same", "onnx-cpu": "unjudged"}
    assert verdicts(expected(onnx="fail-export"), ONNX, RIGHT) == {"onnx": "better", "onnx-cpu": "better"}
    assert verdicts(expected(onnx="fail-export"), ONNX, WRONG) == {"onnx": "better", "onnx-cpu": "worse"}
    not_converted = replace(NOT_MADE, step="convert", key="trt-fp16")
    assert verdicts(expected(onnx="fail-export"), ONNX, RIGHT, not_converted)["trt-fp16"] == "worse"


def test_a_format_that_is_not_made_breaks_what_the_file_says_of_its_cells() -> None:
    says = expected(onnx_cpu="pass")

    assert verdicts(says, NOT_MADE, BLOCKED) == {"onnx": "worse", "onnx-cpu": "unjudged"}
    assert verdicts(expected(onnx_cpu="fail-export"), NOT_MADE, BLOCKED)["onnx"] == "same"
    assert verdicts(expected(onnx_cpu="pass", onnx="fail-export"), NOT_MADE, BLOCKED)["onnx"] == "same"


def test_what_did_not_run_is_not_judged() -> None:
    record = suite([SOURCE, ONNX, RIGHT])
    found = {row.name: row.verdict for row in judged(expected(onnx_cpu="pass"), record, [SOURCE, ONNX])}

    assert found == {"onnx-cpu": Verdict.UNJUDGED}


def test_what_needs_a_device_that_is_not_here_is_not_judged_and_what_lacks_a_library_is_worse() -> None:
    no_cuda = correctness("onnx", "OnnxCUDA", status=Status.SKIPPED, requirement="no CUDA device")
    no_runtime = replace(RIGHT, status=Status.SKIPPED, message="no ONNX Runtime", requirement="no ONNX Runtime")

    assert verdicts(expected(onnx_cuda="pass"), ONNX, no_cuda) == {"onnx-cuda": "unjudged"}
    assert verdicts(expected(onnx_cpu="pass"), ONNX, no_runtime) == {"onnx-cpu": "worse"}
    assert verdicts(expected(), ONNX, no_runtime) == {"onnx-cpu": "unjudged"}


def test_a_speed_that_was_not_measured_is_not_judged() -> None:
    assert verdicts(expected(onnx_cpu="fail-speed"), ONNX, RIGHT) == {"onnx-cpu": "unjudged"}
    measured = profile("onnx", "OnnxCPU", "batch1", 1.0, 1.0)
    assert verdicts(expected(onnx_cpu="fail-speed"), ONNX, RIGHT, measured) == {"onnx-cpu": "better"}


def test_a_line_without_a_cell_has_vanished_unless_the_run_leaves_it_out() -> None:
    says = replace(expected(a="pass", b="pass", onnx_cpu="pass"), absent={"a": "filtered"}, vanished={"b": "gone"})

    found = rows(says, ONNX, RIGHT)
    assert {name: (str(row.verdict), row.why) for name, row in found.items()} == {
        "a": ("unjudged", "filtered"),
        "b": ("vanished", "gone"),
        "onnx-cpu": ("same", ""),
    }


@pytest.mark.parametrize(
    ("line", "verdict"),
    [("fail-correctness", "unjudged"), ("pass", "same"), ("fail-speed", "unjudged"), (None, "unknown")],
)
@pytest.mark.parametrize(
    "left", [NO_TIME, replace(NO_TIME, step="budget", batch="p50_ms"), replace(NO_TIME, step="throughput", batch="")]
)
def test_a_cell_is_better_only_when_all_of_its_tests_ran(left: Outcome, line: str | None, verdict: str) -> None:
    ran = [SOURCE, ONNX, RIGHT, profile("onnx", "OnnxCPU", "batchmax", 1.0, 1.0)]
    record = suite([*ran, left, NO_TIME])
    says = expected(**({"onnx_cpu": line} if line else {}))
    if line == "fail-speed":
        ran.pop()

    (row,) = judged(says, record, ran)

    assert row.verdict == verdict
    for mode in (UPDATE, TIGHTEN):
        assert planned([row], says, ExpectedOption(mode)).changes == []


# What is written


def plan(says: Expected, *steps: Outcome, mode: str = UPDATE, loosen: str = "") -> Plan:
    option = ExpectedOption(mode, tuple(filter(None, [loosen])), "agreed" if loosen else "")
    return planned(list(rows(says, *steps).values()), says, option)


def written(*given: Plan) -> dict[str, ExpectedLine | None]:
    (one,) = given
    return {change.name: change.line for change in one.changes}


def measured(atol: float, rule: str = "scaled") -> Outcome:
    data = {**RIGHT.data, "outputs": [{"name": "y", "atol": atol, "rtol": 1.0}], "rules": {"y": {"kind": rule}}}
    return replace(RIGHT, data=data)


def test_update_adds_what_the_file_does_not_know() -> None:
    assert written(plan(expected(), ONNX, measured(3e-6))) == {"onnx-cpu": ExpectedLine(("pass",), {"y": 2e-5})}
    assert written(plan(expected(), ONNX, measured(0.0))) == {"onnx-cpu": ExpectedLine(("pass",))}
    assert written(plan(expected(), ONNX, measured(0.1, "share"))) == {"onnx-cpu": ExpectedLine(("pass",))}
    assert written(plan(expected(), NOT_MADE, BLOCKED)) == {"onnx": ExpectedLine(("fail-export",), {}, "no")}


@pytest.mark.parametrize("mode", [TIGHTEN, CHECK])
def test_nothing_else_adds(mode: str) -> None:
    assert written(plan(expected(), ONNX, RIGHT, mode=mode)) == {}


def test_what_is_better_is_written_but_by_who_only_checks() -> None:
    says = expected(onnx_cpu="fail-correctness")

    for mode in (UPDATE, TIGHTEN):
        assert written(plan(says, ONNX, measured(3e-6), mode=mode)) == {
            "onnx-cpu": ExpectedLine(("pass",), {"y": 2e-5})
        }
    assert written(plan(says, ONNX, measured(3e-6), mode=CHECK)) == {}


def test_the_line_of_a_format_goes_once_its_cells_say_all() -> None:
    says = expected(onnx="fail-export")

    assert written(plan(says, ONNX, RIGHT)) == {"onnx-cpu": ExpectedLine(("pass",)), "onnx": None}
    assert written(plan(says, ONNX, WRONG)) == {}


def test_what_is_worse_is_written_only_by_its_name_and_with_a_reason() -> None:
    says = expected(onnx_cpu="pass")

    assert written(plan(says, ONNX, WRONG)) == {}
    assert written(plan(says, ONNX, WRONG, loosen="torch-cpu")) == {}
    agreed = {"onnx-cpu": ExpectedLine(("fail-correctness",), {}, "agreed")}
    assert written(plan(says, ONNX, WRONG, loosen="onnx-cpu")) == agreed
    made = {"onnx": ExpectedLine(("fail-export",), {}, "agreed")}
    assert written(plan(says, NOT_MADE, BLOCKED, loosen="onnx")) == made
    assert written(plan(says, NOT_MADE, BLOCKED, loosen="onnx-cpu")) == made


def test_a_difference_that_rounding_explains_makes_the_tolerance_larger() -> None:
    says = expected(onnx_cpu=ExpectedLine(("pass",), {"y": 1e-6, "z": 1e-3}))
    report = {"name": "y", "atol": 3e-6, "rtol": 1.0, "problem": "off", "suggestion": "atol 4e-6"}
    data = {**RIGHT.data, "outputs": [report], "rules": {"y": {"kind": "close"}}}
    off = replace(WRONG, data=data)

    assert written(plan(says, ONNX, off, loosen="onnx-cpu")) == {
        "onnx-cpu": ExpectedLine(("pass",), {"y": 2e-5, "z": 1e-3}, "agreed")
    }
    unexplained = replace(WRONG, data={**data, "outputs": [{**report, "suggestion": ""}]})
    assert written(plan(says, ONNX, unexplained, loosen="onnx-cpu")) == {
        "onnx-cpu": ExpectedLine(("fail-correctness",), {}, "agreed")
    }


def compared(**outputs: tuple[float, bool]) -> Outcome:
    """A comparison with the largest difference of each output, and whether that was too large."""
    off = {"problem": "off", "suggestion": "atol 1"}
    reports = [
        {"name": n, "atol": atol, "rtol": 1.0, **(off if failed else {})} for n, (atol, failed) in outputs.items()
    ]
    return replace(WRONG, data={**RIGHT.data, "outputs": reports, "rules": {n: {"kind": "scaled"} for n in outputs}})


def test_an_output_that_had_no_tolerance_gets_one_when_it_is_loosened() -> None:
    says = expected(onnx_cpu="pass")
    loosened = plan(says, ONNX, compared(y=(1e-3, True), z=(0.0, False)), loosen="onnx-cpu")

    assert written(loosened) == {"onnx-cpu": ExpectedLine(("pass",), {"y": 5e-3}, "agreed")}
    assert [change.text for change in loosened.changes] == ["loosened: onnx-cpu: atol of y default -> 5e-3"]


def test_an_output_that_passed_keeps_its_tolerance() -> None:
    says = expected(onnx_cpu=ExpectedLine(("pass",), {"y": 2e-5, "z": 2e-5}))
    loosened = plan(says, ONNX, compared(y=(1e-3, True), z=(1e-5, False)), loosen="onnx-cpu")

    assert written(loosened) == {"onnx-cpu": ExpectedLine(("pass",), {"y": 5e-3, "z": 2e-5}, "agreed")}


def test_where_no_tolerance_would_become_larger_the_outcome_is_another() -> None:
    says = expected(onnx_cpu=ExpectedLine(("pass",), {"y": 1.0}))
    loosened = plan(says, ONNX, compared(y=(1e-3, True), z=(1e-3, True)), loosen="onnx-cpu")

    assert written(loosened) == {"onnx-cpu": ExpectedLine(("fail-correctness",), {}, "agreed")}


def test_a_list_gets_one_more_outcome() -> None:
    says = expected(onnx_cpu=ExpectedLine(("pass", "crash"), {"y": 1e-6}, "races"))

    assert written(plan(says, ONNX, WRONG, loosen="onnx-cpu")) == {
        "onnx-cpu": ExpectedLine(("pass", "crash", "fail-correctness"), {"y": 1e-6}, "agreed")
    }
    assert written(plan(says, ONNX, RIGHT)) == {}


def test_a_name_that_is_not_worse_cannot_be_loosened() -> None:
    found = list(rows(expected(onnx_cpu="pass"), ONNX, RIGHT).values())

    assert useless(ExpectedOption(UPDATE, ("onnx-cpu", "nothing"), "agreed"), found) == ["onnx-cpu", "nothing"]


def test_a_line_stays_in_the_section_where_it_stands_and_a_new_one_goes_where_its_device_is() -> None:
    on_cuda = correctness("onnx", "OnnxCUDA")

    assert written(plan(expected(), ONNX, on_cuda)) == {"onnx-cuda": ExpectedLine(("pass",), {}, "", "cuda")}
    says = expected(onnx_cuda=ExpectedLine(("crash",), {}, "known", "onnxruntime"))
    assert written(plan(says, ONNX, on_cuda)) == {"onnx-cuda": ExpectedLine(("pass",), {}, "", "onnxruntime")}


def test_what_was_written_is_as_expected_afterwards() -> None:
    steps = [ONNX, measured(3e-6), correctness("torch", "TorchCPU", 0.0)]
    lines = {name: line for name, line in written(plan(expected(), *steps)).items() if line}
    again = Expected("f", lines)

    assert set(verdicts(again, *steps).values()) == {"same"}
    assert written(plan(again, *steps)) == {}


def test_a_suite_s_record_keeps_what_the_file_said(tmp_path: Path) -> None:
    record = replace(suite([SOURCE]), expected=expected(onnx_cpu=ExpectedLine(("pass", "crash"), {"y": 1e-6}, "races")))

    save(tmp_path / "suite.json", record)

    assert load(tmp_path / "suite.json", SuiteRecord) == record
