"""The reports of a run have its pipelines end to end."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import jsonschema
import pytest
from piped import PIPELINE, SLOW, SLOW_PIPELINE
from test_pipeline_runs import LENIENT

from pytest_navigator.reporting import json_schema

if TYPE_CHECKING:
    from pathlib import Path

    from blackbox import Nav


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(json_schema.schema()).validate(content)
    return content


def test_what_the_whole_takes_is_in_every_report(
    pytester: pytest.Pytester, nav: Nav, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "parts_of_it", raising=False)
    pytester.makepyfile(parts_of_it=SLOW)
    pytester.makeconftest(SLOW_PIPELINE)
    pytester.syspathinsert()
    written = ("--nav-json=out.json", "--nav-report=out.html", "--junitxml=junit.xml", "--nav-package=out.nav")
    result = nav(*written, "--nav-batch-sizes=1", profile=True)
    assert result.ret == 0

    (whole,) = read(pytester.path / "out.json")["pipelines"]
    assert (whole["passed"], whole["modules"], whole["package"]) == (True, ["slow"], "out.nav")
    best = whole["mixes"][-1]
    assert (best["formats"], best["status"]) == ("best", "passed")
    assert best["speed_up"] == pytest.approx(best["eager_ms"] / best["ms"])
    assert [each["runs"] for each in best["modules"]] == ["torchscript-trace-cpu"]
    cases = {case.get("name"): case for case in ElementTree.parse(pytester.path / "junit.xml").iter("testcase")}
    properties = {p.get("name"): p.get("value") for p in cases["test_pipeline[best]"].iter("property")}
    assert float(properties["nav_pipeline_ms"] or 0) == best["ms"]
    assert properties["nav_module_slow"] == "torchscript-trace-cpu"
    page = (pytester.path / "out.html").read_text(encoding="utf-8")
    assert "(pipeline: slow)" in page
    (row,) = [line.split() for line in result.outlines if line.split()[:2] == ["best", "ok"]]
    assert row[4].endswith("x")
    assert row[4] in page


@pytest.mark.parametrize("workers", [(), pytest.param(("-n2",), id="n2")])
def test_a_pipeline_in_order_is_no_failure_of_another_test(
    pytester: pytest.Pytester, nav: Nav, workers: tuple[str, ...]
) -> None:
    pytester.makeconftest(PIPELINE)
    assert nav("--nav-json=out.json", *workers, subprocess=bool(workers)).ret == 0
    content = read(pytester.path / "out.json")
    assert (content["passed"], content["other_failures"], len(content["models"])) == (True, [], 2)
    assert [mix["status"] for mix in content["pipelines"][0]["mixes"]] == ["passed"]


def test_a_pipeline_that_is_wrong_is_annotated_at_its_place(
    pytester: pytest.Pytester, nav: Nav, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(pytester.path))
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(pytester.path / "summary.md"))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # another one annotates what failed
    pytester.makeconftest(LENIENT)
    result = nav("-p", "pytest_navigator.plugin")
    assert result.ret == 1
    lines = (pytester.path / "conftest.py").read_text().splitlines()
    number = next(i for i, line in enumerate(lines) if line.startswith("def nav_pipeline"))
    title = f"{pytester.path.name} test_pipeline[torchscript-trace-cpu]"
    result.stdout.re_match_lines([rf"::error file=conftest.py,line={number},title={re.escape(title)}::.*max abs.*"])
    text = (pytester.path / "summary.md").read_text(encoding="utf-8")
    assert text.startswith("## ❌ Model checks failed: 1 of 1 pipeline, 1 cause\n")
    assert "| torchscript-trace-cpu | FAILED |" in text
    assert "right without the format of parts.decoder" in text
