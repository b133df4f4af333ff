"""What is worse than it was: verdicts by two sides' records."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_navigator.core.expected import Expected, ExpectedLine
from pytest_navigator.core.plain import load, save
from pytest_navigator.core.records import Outcome, Signature, TensorSpec
from pytest_navigator.core.steps import Status
from pytest_navigator.gates.regression import cell_rows, model_rows, other_model
from pytest_navigator.gates.row_text import failure, is_shown_only, row_line
from pytest_navigator.gates.rows import Row, Verdict, worse
from pytest_navigator.gates.sides import Side
from pytest_navigator.gates.vouched import verified_rows
from tests.package.recorded import DIGEST, SIGNATURE, SOURCE, VARIANTS, profile, suite, verify

if TYPE_CHECKING:
    from pathlib import Path

ONNX = ("onnx", "OnnxCPU")
MADE = Outcome("export", Status.PASSED, "onnx", digest=DIGEST, data={"bytes": 1000})
CELLS = (VARIANTS[0], replace(VARIANTS[3], runners=("OnnxCPU",)))


def checked(atol: float = 1e-7, status: Status = Status.PASSED, **more: object) -> Outcome:
    report = {"name": "output__0", "atol": atol, "rtol": 0.0, "largest": 1.0}
    rule = {"kind": "scaled", "note": "fp32"}
    data = {"outputs": [report], "cases": 4, "rules": {"output__0": rule}}
    return Outcome("correctness", status, *ONNX, data=data, **more)


def side(*changed: Outcome, signature: Signature | None = SIGNATURE, **changes: object) -> Side:
    found = {each.id: each for each in (SOURCE, MADE, checked(), *changed)}
    more = {name: changes.pop(name) for name in ("verified", "samples") if name in changes}
    record = suite(list(found.values()), **{"variants": CELLS, **changes})
    samples = {"model_input/0.npz": "a" * 64}
    return Side(record, tuple(found.values()), signature, **{"samples": samples, **more})


def verdicts(rows: list[Row]) -> dict[str, str]:
    return {f"{row.topic} {row.subject}": str(row.verdict) for row in rows}


def test_a_run_is_no_worse_than_itself() -> None:
    assert model_rows(side(), side()) == []
    assert set(verdicts(cell_rows(side(), side(), ONNX, 0.0)).values()) == {"same"}
    assert failure(cell_rows(side(), side(), ONNX), "main.nav") == ""


def test_a_side_survives_a_file(tmp_path: Path) -> None:
    save(tmp_path / "side.json", side(profile(*ONNX, "batch1", 1.0, 1000.0)))

    assert load(tmp_path / "side.json", Side).profiles(ONNX).keys() == {"batch1"}


@pytest.mark.parametrize("status", [Status.FAILED, Status.XFAILED, Status.SKIPPED])
def test_what_passed_and_does_not_is_worse(status: Status) -> None:
    now = side(checked(status=status, message="no openvino", requirement="no openvino"))

    row, *_ = cell_rows(side(), now, ONNX)

    assert row == Row("coverage", "onnx-cpu", "passed", str(status), Verdict.WORSE, "no openvino")
    assert failure([row], "main.nav, 1a2b3c4 of 2026-11-21") == (
        f"worse than main.nav, 1a2b3c4 of 2026-11-21: coverage: onnx-cpu: passed -> {status} (no openvino)"
    )


def test_what_did_not_pass_before_fails_nothing() -> None:
    failed = side(checked(status=Status.FAILED))

    assert worse(cell_rows(failed, failed, ONNX)) == []
    assert verdicts(cell_rows(failed, side(), ONNX))["coverage onnx-cpu"] == "better"


def test_an_expected_failure_and_a_missing_gpu_are_said_and_fail_nothing() -> None:
    expected = {"xfail": {"value": {"onnx-cpu": "known"}, "origin": "nav_config"}}
    xfailed = side(checked(status=Status.FAILED), settings=expected)
    line = ExpectedLine(("fail-correctness",), reason="known")
    in_file = side(checked(status=Status.FAILED), expected=Expected("nav_expected.toml", {"onnx-cpu": line}))
    no_gpu = side(checked(status=Status.SKIPPED, requirement="no CUDA device"))

    assert cell_rows(side(), xfailed, ONNX)[0].reason == "xfail of nav_config: known"
    assert cell_rows(side(), in_file, ONNX)[0].reason == "nav_expected.toml expects fail-correctness: known"
    assert verdicts(cell_rows(side(), in_file, ONNX))["coverage onnx-cpu"] == "not judged"
    assert verdicts(cell_rows(side(), no_gpu, ONNX))["coverage onnx-cpu"] == "not judged"


def gone(**settings: tuple[object, str]) -> Side:
    said = {name: {"value": value, "origin": origin} for name, (value, origin) in settings.items()}
    return side(variants=CELLS[:1], settings=said)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "worse"),
        ({"formats": (["torchscript"], "nav_config")}, "worse"),
        ({"formats": (["torchscript"], "ini: nav_formats")}, "worse"),
        ({"formats": (["torchscript"], "--nav-formats")}, "not judged"),
        ({"formats": (["onnx"], "--nav-formats")}, "worse"),
        ({"runtimes": (["cuda"], "--nav-runtimes")}, "not judged"),
        ({"runtimes": (["OnnxCPU"], "--nav-runtimes")}, "worse"),
        ({"device": ("cuda", "--nav-device")}, "not judged"),
        ({"device": ("auto", "default")}, "worse"),
    ],
)
def test_a_cell_that_is_gone_is_worse_unless_a_flag_leaves_it_out(
    settings: dict[str, tuple[object, str]], expected: str
) -> None:
    assert verdicts(model_rows(side(), gone(**settings))) == {"coverage onnx-cpu": expected}


def test_a_cell_that_needs_another_machine_is_not_judged() -> None:
    before = side(
        replace(checked(), runner="OnnxCUDA"), variants=(CELLS[0], replace(CELLS[1], runners=("OnnxCPU", "OnnxCUDA")))
    )

    (row,) = model_rows(before, side(elsewhere={"cuda": 2}))

    assert (row.subject, row.verdict) == ("onnx-cuda", Verdict.NOT_JUDGED)
    assert row.reason == "needs a CUDA device, which is not here"


def test_a_format_that_nothing_runs_here_is_still_made() -> None:
    plan = replace(VARIANTS[4], runners=())
    made = Outcome("convert", Status.PASSED, "trt-fp16")
    before = side(made, variants=(*CELLS, plan))

    failed = side(replace(made, status=Status.FAILED, message="no"), variants=(*CELLS, plan))

    assert verdicts(model_rows(before, failed)) == {"coverage trt-fp16": "worse"}
    assert verdicts(model_rows(failed, before)) == {"coverage trt-fp16": "better"}
    assert verdicts(model_rows(before, side())) == {"coverage trt-fp16": "worse"}


X = SIGNATURE.inputs[0]


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        ((replace(X, shape=(3, 5)),), "worse"),
        ((replace(X, shape=(-1, 6)),), "worse"),
        ((replace(X, shape=(-1, -1)),), "better"),
        ((replace(X, dtype="float64"),), "worse"),
        ((replace(X, shape=(-1, 5, 1)),), "worse"),
        ((X, TensorSpec("mask", (-1,), "bool")), "worse"),
        ((replace(X, name="x"),), "worse"),
    ],
)
def test_a_signature_may_only_become_wider(inputs: tuple[TensorSpec, ...], expected: str) -> None:
    rows = model_rows(side(), side(signature=replace(SIGNATURE, inputs=inputs)))

    assert {str(row.verdict) for row in rows} == {expected}
    assert {row.topic for row in rows} == {"signature"}


def test_another_structure_and_another_order_are_worse() -> None:
    other = replace(SIGNATURE, output_tree={"tuple": [{"leaf": "output__0"}]})
    y = replace(X, name="y")
    before, after = (side(signature=replace(SIGNATURE, inputs=each)) for each in ((X, y), (y, X)))

    assert verdicts(model_rows(side(), side(signature=other))) == {"signature return value": "worse"}
    assert verdicts(model_rows(before, after)) == {"signature order of the inputs": "worse"}


def test_other_parameters_are_different_and_no_worse() -> None:
    after = side(replace(SOURCE, data={**SOURCE.data, "fingerprint": "0" * 64}))

    assert verdicts(model_rows(side(), after)) == {"model fingerprint": "different"}


def test_another_name_alone_is_no_other_model() -> None:
    other = replace(SIGNATURE, inputs=(replace(X, dtype="int64"),))

    assert other_model(side(), side(name="renamed")) == ""
    assert other_model(side(), side(signature=other)) == ""
    assert "it is of another model: linear (input__0 float32[-1, 5]), not bert (input__0 int64[-1, 5])" in other_model(
        side(), side(name="bert", signature=other)
    )


EPS = 2.0**-23


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (0.0, 15 * EPS, "same"),  # noise of any model
        (0.0, 17 * EPS, "worse"),
        (10 * EPS, 39 * EPS, "same"),  # four times as much
        (10 * EPS, 41 * EPS, "worse"),
        (41 * EPS, 10 * EPS, "better"),
        (1 * EPS, 0.0, "same"),
    ],
)
def test_a_difference_may_grow_by_what_rounding_explains(before: float, after: float, expected: str) -> None:
    found = verdicts(cell_rows(side(checked(before)), side(checked(after)), ONNX))

    assert found["tolerance onnx-cpu output__0"] == expected


def test_a_coarser_precision_explains_more() -> None:
    half = replace(CELLS[1], parameters={"precision": "fp16"})
    before, after = (side(checked(atol), variants=(CELLS[0], half)) for atol in (0.0, 1e-2))

    assert verdicts(cell_rows(before, after, ONNX))["tolerance onnx-cpu output__0"] == "same"
    assert verdicts(cell_rows(side(), side(checked(1e-2)), ONNX))["tolerance onnx-cpu output__0"] == "worse"


def test_differences_on_other_samples_are_not_judged() -> None:
    others = side(checked(1e-2), samples={"model_input/0.npz": "b" * 64})

    rows = [row for row in cell_rows(side(), others, ONNX) if row.topic == "tolerance"]

    assert [(row.verdict, row.reason) for row in rows] == [(Verdict.NOT_JUDGED, "other samples")]


def test_size_and_memory_may_grow_as_far_as_somebody_allows() -> None:
    def measured(size: int, memory: float) -> Side:
        found = profile(*ONNX, "batch1", 1.0, 1000.0)
        figures = {**found.data["result"], "peak_memory": memory}
        return side(replace(MADE, data={"bytes": size}), replace(found, data={"result": figures}))

    before, after = measured(1000, 100.0), measured(1100, 120.0)

    def told(most: float | None) -> dict[str, str]:
        return {name: word for name, word in verdicts(cell_rows(before, after, ONNX, most)).items() if name[0] in "sm"}

    assert told(None) == {"size onnx": "not judged", "memory onnx-cpu batch1": "not judged"}
    assert told(0.1) == {"size onnx": "same", "memory onnx-cpu batch1": "worse"}
    assert told(0.3) == {"size onnx": "same", "memory onnx-cpu batch1": "same"}
    assert told(0.05) == {"size onnx": "worse", "memory onnx-cpu batch1": "worse"}
    rows = worse(cell_rows(before, after, ONNX, 0.1))
    assert [row_line(row) for row in rows] == ["memory: onnx-cpu batch1: 100 MiB -> 120 MiB (+20 %; 10 % are allowed)"]


def test_memory_of_a_process_that_had_other_things_to_load_is_not_judged() -> None:
    def measured(memory: float) -> Side:
        found = profile(*ONNX, "batch1", 1.0, 1000.0)
        return side(replace(found, data={"result": {**found.data["result"], "peak_memory": memory}}))

    before, after = measured(100.0), measured(400.0)
    others = replace(after, suite=replace(after.suite, variants=(*CELLS, VARIANTS[2])))

    assert worse(cell_rows(before, after, ONNX, 0.1))
    for now in (replace(after, mixed="workers"), others):
        assert verdicts(cell_rows(before, now, ONNX, 0.1))["memory onnx-cpu batch1"] == "not judged"


def test_memory_of_a_live_runner_is_that_of_the_process_of_pytest_and_never_judged() -> None:
    live = VARIANTS[0].key, "TorchCPU"

    def measured(memory: float) -> Side:
        found = profile(*live, "batch1", 1.0, 1000.0)
        return side(replace(found, data={"result": {**found.data["result"], "peak_memory": memory}}))

    row, *_ = [row for row in cell_rows(measured(100.0), measured(400.0), live, 0.1) if row.topic == "memory"]

    assert row.verdict is Verdict.NOT_JUDGED
    assert is_shown_only(row)


def test_figures_of_two_runs_are_shown_and_never_judged() -> None:
    before, after = (side(profile(*ONNX, "batch1", p50, 1.0)) for p50 in (1.0, 100.0))

    assert verdicts(cell_rows(before, after, ONNX))["latency onnx-cpu batch1"] == "not judged"


def vouched(nodeid: str) -> Side:
    found = side(verified=(ONNX,))
    return replace(found, outcomes=(*found.outcomes, replace(verify(*ONNX), data={"nodeid": nodeid})))


TEST = "test_quality.py::verify_a[onnx]"


@pytest.mark.parametrize(
    ("tests", "ran", "expected"),
    [
        ({}, (), "not judged"),
        ({TEST: ONNX}, (), "not judged"),
        ({TEST: ONNX}, (verify(*ONNX, status=Status.SKIPPED),), "worse"),
        ({"another": ("torch", "TorchCPU")}, (), "worse"),
    ],
    ids=["no tests", "did not run", "skipped", "of others only"],
)
def test_what_nobody_verifies_any_more_is_worse_where_tests_were_to_run(
    tests: dict[str, tuple[str, str]], ran: tuple[Outcome, ...], expected: str
) -> None:
    now = side(verify=tests)
    after = replace(now, outcomes=(*now.outcomes, *ran))

    assert verdicts(verified_rows(vouched(TEST), after)) == {"verified onnx-cpu": expected}
    assert verified_rows(side(), after) == []


def test_what_somebody_has_verified_by_hand_is_not_judged() -> None:
    after = side(verify={"another": ("torch", "TorchCPU")})

    assert verdicts(verified_rows(vouched("set_verified"), after)) == {"verified onnx-cpu": "not judged"}
