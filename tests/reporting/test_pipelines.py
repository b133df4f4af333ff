"""A whole pipeline in every form of report: the page, JSON, GitHub's and GitLab's, junit, a notebook."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from pytest_navigator.core.pipeline_facts import WholeFacts
from pytest_navigator.core.plain import plain
from pytest_navigator.core.records import Outcome, ProfileResult
from pytest_navigator.core.steps import Status
from pytest_navigator.pipelines.choice import Choice
from pytest_navigator.pipelines.profiled import PipelineProfile, Way
from pytest_navigator.pipelines.result import PipelineResult
from pytest_navigator.reporting import json_schema, junit
from pytest_navigator.reporting.causes import causes
from pytest_navigator.reporting.github import summary
from pytest_navigator.reporting.gitlab import links
from pytest_navigator.reporting.html.rendering import render
from pytest_navigator.reporting.json_report import render as as_json
from pytest_navigator.reporting.pipelines import MixReport, ModuleInPlace, PipelineReport
from pytest_navigator.reporting.pipelines import summary as terminal
from pytest_navigator.reporting.run_report import ModelReport, OtherFailure, Place, RunReport
from tests.package.recorded import outcomes, results
from tests.reporting.pages import HOSTILE, Elements

VAE = ModuleInPlace("vae", "eager", "not faster in the pipeline: 0.07 ms a call, eager 0.01 ms")
UNET = ModuleInPlace("unet", "onnx-cpu", "3x as fast", ("2 of 6 calls: a structure that was not recorded",))
BEST = MixReport("best", Status.PASSED, "", 98.0, 19.2, 98 / 19.2, "yes", (), (VAE, UNET))
WRONG = MixReport(
    "onnx-cpu", Status.FAILED, "output__0: max abs 0.2", modules=(replace(VAE, runs="onnx-cpu", reason=""),)
)
RIGHT = PipelineReport(
    "d4", "conftest.py::nav_pipeline", ("vae", "unet"), (BEST,), ("one batch size",), (), Path("/here/out.nav")
)
FAILED = replace(RIGHT, mixes=(WRONG, BEST))


def report(*pipelines: PipelineReport, **changes: object) -> RunReport:
    """A run whose models are in order."""
    model = ModelReport(results([each for each in outcomes() if not each.failed]))
    return replace(RunReport((model,), 0, start=Path("/here"), pipelines=pipelines), **changes)  # type: ignore[arg-type]


def test_the_page_has_what_the_whole_takes_and_what_stays_eager_and_why() -> None:
    text = Elements(render(report(RIGHT))).text
    assert "1 model and 1 pipeline in order" in text
    assert "d4 (pipeline: vae, unet) ✓ passed" in text
    assert "best ✓ ok 98.0 19.2 5.10x ✓ yes" in text
    assert f"best vae eager {VAE.reason}" in text
    assert f"best unet onnx-cpu 3x as fast; {UNET.eagerly[0]}" in text
    assert "package: out.nav" in text


def test_a_pipeline_that_is_wrong_with_a_format_fails_the_report_where_it_stands() -> None:
    run = report(FAILED, places={f"{FAILED.nodeid}::test_pipeline[onnx-cpu]": Place("conftest.py", 7)})
    (cause,) = causes(run)
    assert (cause.model, cause.test, cause.message) == ("d4", "test_pipeline[onnx-cpu]", WRONG.message)
    assert cause.place == Place("conftest.py", 7)
    assert "1 of 1 pipeline failed, for 1 cause" in Elements(render(run)).text
    assert summary(run).startswith("## ❌ Model checks failed: 1 of 1 pipeline, 1 cause\n")


def test_a_failed_test_of_the_users_is_one_cause_and_fails_the_pipeline() -> None:
    nodeid = "test_images.py::verify_it[best]"
    refused = replace(RIGHT, mixes=(replace(BEST, verified="no", failed_tests=(nodeid,)),))
    run = report(refused, others=(OtherFailure(nodeid, "assert 0"),))
    assert [cause.test for cause in causes(run)] == [nodeid]
    assert run.broken == "1 of 1 pipeline"


def test_a_package_that_could_not_be_written_is_a_cause() -> None:
    run = report(replace(RIGHT, package=None, reasons=("no package was written: the disk is full",)))
    assert [cause.message for cause in causes(run)] == ["no package was written: the disk is full"]
    assert "the disk is full" in Elements(render(run)).text


def test_json_has_it_by_the_schema() -> None:
    content = json.loads(as_json(report(FAILED)))
    jsonschema.Draft202012Validator(json_schema.schema()).validate(content)
    (found,) = content["pipelines"]
    assert (found["name"], found["passed"], found["package"]) == ("d4", False, "out.nav")
    wrong, best = found["mixes"]
    assert (wrong["status"], wrong["message"], wrong["speed_up"]) == ("failed", WRONG.message, None)
    assert (best["eager_ms"], best["ms"], best["verified"]) == (98.0, 19.2, "yes")
    assert [(each["name"], each["runs"]) for each in best["modules"]] == [("vae", "eager"), ("unet", "onnx-cpu")]


def test_githubs_summary_has_the_rows_and_the_notes_of_the_terminal() -> None:
    text = summary(report(RIGHT))
    assert text.startswith("## ✅ Model checks passed: 1 model and 1 pipeline\n")
    assert "| best | ok | 98.0 | 19.2 | 5.10x | yes |" in text
    assert text.index("pipeline&#58; vae") < text.index("linear (torch)")
    said = [line for line in terminal(RIGHT) if line.startswith(("best: ", "note: "))]
    assert said == [
        f"best: vae eager ({VAE.reason})",
        "best: unet onnx-cpu (3x as fast)",
        "note: one batch size",
        f"note: unet ran eagerly in {UNET.eagerly[0]}",
    ]
    assert text.count("\n- best&#58; ") == 2
    assert text.count("\n- note&#58; ") == 2


def test_gitlab_links_to_the_file_of_its_modules() -> None:
    found = links(report(RIGHT), {}, "https://gitlab.example/1", Path("/here"))
    assert found == [{"label": "out.nav", "url": "https://gitlab.example/1/artifacts/file/out.nav"}]


def test_junit_has_the_figures_and_what_runs_in_each_module() -> None:
    facts = WholeFacts(98.0, 19.6, {"unet": "onnx-cpu", "vae": "eager"}, {"vae": VAE.reason})
    found = dict(junit.properties(Outcome("pipeline", Status.PASSED, "best", data=plain(facts))))  # type: ignore[arg-type]
    assert found == {
        "nav_step": "pipeline",
        "nav_format": "best",
        "nav_pipeline_eager_ms": 98.0,
        "nav_pipeline_ms": 19.6,
        "nav_pipeline_speed_up": 5.0,
        "nav_module_unet": "onnx-cpu",
        "nav_module_vae": "eager",
        "nav_reason_vae": VAE.reason,
    }


def test_names_and_reasons_of_others_are_text() -> None:
    place = ModuleInPlace(HOSTILE, HOSTILE, HOSTILE, (HOSTILE,))
    wild = PipelineReport(
        HOSTILE, HOSTILE, (HOSTILE,), (replace(WRONG, message=HOSTILE, modules=(place,)),), (HOSTILE,), (HOSTILE,)
    )
    run = report(wild)
    page = Elements(render(run))
    assert page.open == []
    assert {"script", "img"} & {tag for tag, _ in page.found} == set()
    assert "<script" not in summary(run)


CHOICES = (
    Choice("unet", "unet", "", "", "onnx", "OnnxCPU", "3x as fast", eager_ms=3.0, chosen_ms=1.0),
    Choice("vae", "vae", "", "", reason=HOSTILE),
)
FIGURES = ProfileResult(1, 2.0, 0.1, 2.0, 2.1, 2.2, 2.3, 500.0, 50)


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (
            PipelineResult(CHOICES, {"unet": 20}, 2, 98.0, 19.2, ("one batch size",)),
            "unet 20 3.00 1.00 onnx/OnnxCPU 3x as fast",
        ),
        (PipelineProfile((Way("eager", samples={0: FIGURES}), Way("onnx", problem=HOSTILE))), "eager 0 1 2.00"),
    ],
    ids=["optimize", "profile"],
)
def test_a_notebook_shows_a_result_as_a_table(shown: PipelineResult | PipelineProfile, said: str) -> None:
    found = Elements(shown._repr_html_())
    assert said in found.text
    assert {tag for tag, _ in found.found} == {"table", "caption", "thead", "tbody", "tr", "th", "td", "ul", "li"}
