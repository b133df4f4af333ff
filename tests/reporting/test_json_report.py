"""`--nav-json` as text: valid by its schema, which is that of the records, and read back as what was written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest

from pytest_navigator.core.facts import as_data
from pytest_navigator.core.plain import structured
from pytest_navigator.core.records import Outcome
from pytest_navigator.core.steps import Status
from pytest_navigator.gates.facts import RegressionFacts
from pytest_navigator.gates.rows import Row, Verdict
from pytest_navigator.package.layout.own_schema import Recorded
from pytest_navigator.package.layout.schema import ELSEWHERE
from pytest_navigator.reporting import json_schema
from pytest_navigator.reporting.causes import causes
from pytest_navigator.reporting.github import summary
from pytest_navigator.reporting.html.view import page
from pytest_navigator.reporting.json_report import render
from pytest_navigator.reporting.regressions import regressions
from pytest_navigator.reporting.run_report import ModelReport, OtherFailure, RunReport
from tests.package.recorded import outcomes, results

if TYPE_CHECKING:
    from pytest_navigator.core.plain import JSON

DOCUMENTED = Path(__file__).parents[2] / "docs" / "report.schema.json"
SCHEMA: dict[str, Any] = json_schema.schema()


def report(**changes: Any) -> RunReport:
    model = ModelReport(results(), ("required trt was not checked",), Path("/here/out.nav"))
    whole = RunReport(
        (model, replace(model, reasons=())),
        exit_code=1,
        others=(OtherFailure("test_a.py::test_b", "assert 0"),),
        start=Path("/here"),
        ended="2026-02-22T15:40:00+00:00",
    )
    return replace(whole, **changes)


def read(run: RunReport) -> dict[str, Any]:
    def refuse(word: str) -> None:
        pytest.fail(f"{word} is no JSON")

    content: dict[str, Any] = json.loads(render(run), parse_constant=refuse)
    return content


def valid(content: JSON) -> None:
    jsonschema.Draft202012Validator(SCHEMA).validate(content)


def test_the_schema_of_the_documentation_is_that_of_the_records() -> None:
    assert DOCUMENTED.read_text(encoding="utf-8") == json_schema.text(), (
        "run: python -m pytest_navigator.reporting.json_schema > docs/report.schema.json"
    )
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_a_failure_that_nav_config_expects_is_none_in_any_report() -> None:
    green = {"xfail": {"value": {"onnx-cpu": "known"}, "origin": "nav_config"}}
    found = results()
    expecting = replace(found, suite=replace(found.suite, settings=found.suite.settings | green))
    run = report(models=(ModelReport(expecting),), exit_code=0, others=())

    (model,) = read(run)["models"]
    assert (model["passed"], model["failures"]) == (True, [])
    assert causes(run) == []
    assert "FAILED" not in summary(run)
    assert not page(run).failed
    assert "xfailed" in [cell.text for row in page(run).models[0].rows for cell in row]


def test_a_report_is_valid_and_holds_every_model() -> None:
    content = read(report())

    valid(content)
    assert [model["passed"] for model in content["models"]] == [False, False]
    assert content["models"][0]["reasons"] == ["required trt was not checked"]
    assert content["models"][0]["failures"] == ["correctness.onnx.OnnxCPU"]
    assert content["models"][0]["package"] == "out.nav"
    assert content["other_failures"] == [{"nodeid": "test_a.py::test_b", "message": "assert 0"}]


def test_the_records_of_a_report_are_read_as_those_of_a_package() -> None:
    records = read(report())["models"][0]["records"]
    read_back = structured({**records, "suite": ELSEWHERE | records["suite"]}, Recorded).results(
        records["settings"], {}
    )

    assert [o.id for o in read_back.outcomes] == [o.id for o in results().outcomes]
    assert read_back.signature == results().signature
    assert read_back.suite.variants == results().suite.variants


def test_an_infinite_figure_is_a_word() -> None:
    step = read(report())["models"][0]["records"]["steps"]["correctness.onnx.OnnxCPU"]

    assert step["data"]["outputs"][0]["rtol"] == "Infinity"


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("schema_version",), 2),
        (("models", 0, "records", "steps", "source", "status"), "green"),
        (("models", 0, "records", "steps", "source", "data", "max_batch_size"), "three"),
        (("models", 0, "records", "suite", "variants", 0, "key"), 1),
        (("models", 0, "records", "steps", "profile.torch.TorchCPU.batch1", "data", "result", "p50_latency"), -1.0),
    ],
)
def test_another_value_is_not_valid(place: tuple[str | int, ...], value: JSON) -> None:
    content: Any = read(report())
    *above, last = place
    holder = content
    for part in above:
        holder = holder[part]
    holder[last] = value

    with pytest.raises(jsonschema.ValidationError):
        valid(content)


def test_the_details_of_a_failure_are_in_it_and_nothing_private_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "s3cr3t-of-somebody")
    failed = [
        replace(o, detail="a long story of s3cr3t-of-somebody") if o.status is Status.FAILED else o for o in outcomes()
    ]
    text = render(report(models=(ModelReport(results(failed)),)))

    assert "a long story of" in text
    assert "s3cr3t" not in text


def test_what_is_merely_different_from_the_baseline_is_told_too() -> None:
    row = Row("model", "fingerprint", "f" * 64, "0" * 64, Verdict.DIFFERENT)
    facts = as_data(RegressionFacts("main.nav", (row,)))
    lines = regressions(results([*outcomes(), Outcome("regression", Status.PASSED, data=facts)]))

    assert any(line.startswith("different: model: fingerprint") for line in lines)


def test_the_command_that_repeats_a_step_is_one_that_a_shell_can_run() -> None:
    script = "onnx/reproduce_export.sh --model MODULE:FUNCTION"
    failed = Outcome("export", Status.FAILED, "onnx", message="no").noted(script=script)
    model = ModelReport(results([failed]), folder=Path("/here/linear"))

    (found,) = page(RunReport((model,))).models[0].failures

    assert found.commands == (f"cd /here/linear && bash {script}",)
