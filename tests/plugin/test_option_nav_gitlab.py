"""`--nav-gitlab=PATH`: links to what the run wrote, on the page of a job of GitLab."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from blackbox import Fake, Nav


@pytest.fixture
def job(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("CI_JOB_URL", "https://gitlab.example/group/project/-/jobs/1")
    monkeypatch.setenv("CI_PROJECT_DIR", str(pytester.path))
    return monkeypatch


def test_reports_and_packages_are_links(dense: Fake, nav: Nav, job: pytest.MonkeyPatch) -> None:
    pytester = dense()
    arguments = ("--nav-gitlab=links.json", "--nav-json=all of it/out.json", "--nav-package=out.nav")
    assert nav(*arguments, formats="").ret == 0
    assert nav(*arguments, formats="").ret == 0  # a file of an earlier run is replaced

    found = json.loads((pytester.path / "links.json").read_text())
    at = "https://gitlab.example/group/project/-/jobs/1/artifacts/file"
    assert [link["external_link"] for link in found["pytest-navigator"]] == [
        {"label": "Model checks as JSON (passed)", "url": f"{at}/all%20of%20it/out.json"},
        {"label": "out.nav", "url": f"{at}/out.nav"},
    ]


def test_what_the_job_cannot_keep_is_no_link(dense: Fake, nav: Nav, job: pytest.MonkeyPatch) -> None:
    pytester = dense("scale=2.0")
    job.setenv("CI_PROJECT_DIR", str(pytester.mkdir("project")))
    nav("--nav-gitlab=links.json", "--nav-json=out.json", "--nav-package=project/out.nav", formats="")
    labels = [
        link["external_link"]["label"] for link in json.loads((pytester.path / "links.json").read_text())[SECTION]
    ]
    assert labels == ["out.nav"]


SECTION = "pytest-navigator"


def test_elsewhere_nothing_is_written_and_that_is_said(dense: Fake, nav: Nav) -> None:
    pytester = dense()
    result = nav("--nav-gitlab=links.json", "--nav-json=out.json", formats="")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["note: --nav-gitlab: nothing is written: $CI_JOB_URL or $CI_PROJECT_DIR is not set"])
    assert not (pytester.path / "links.json").exists()


def test_links_to_nothing_are_refused(dense: Fake, nav: Nav) -> None:
    dense()
    result = nav("--nav-gitlab=links.json", formats="")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --nav-gitlab links to reports and packages, and this run writes none; *"])
