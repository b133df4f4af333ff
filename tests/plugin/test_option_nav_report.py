"""`--nav-report=out.html`, and the same from a package: `pytest-navigator show out.nav --html`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import two_models

from pytest_navigator.cli import main
from tests.reporting.pages import Elements

if TYPE_CHECKING:
    from pathlib import Path

    from blackbox import Fake, Nav

SHORT = ("--nav-profile-seconds=0.05", "--nav-batch-sizes=1,2")


def read(path: Path) -> Elements:
    found = Elements(path.read_text(encoding="utf-8"))
    assert found.open == []
    return found


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["one process", "workers"])
def test_the_page_has_every_model_and_what_failed(
    pytester: pytest.Pytester, nav: Nav, workers: tuple[str, ...]
) -> None:
    two_models(pytester)
    result = nav("--nav-report=out.html", *SHORT, *workers, formats="", profile=True, subprocess=bool(workers))

    assert result.ret == 1
    result.stdout.fnmatch_lines(["report: out.html"])
    page = read(pytester.path / "out.html")
    assert "1 of 2 models failed, for 1 cause" in page.text
    assert page.text.index("wrong (dense) ✗ failed") < page.text.index("right (dense) ✓ passed")
    assert "test_correctness[fake-cpu] output__0: max abs" in page.text
    assert len(page.of("svg")) == 6


def test_it_is_written_after_an_interruption_too(dense: Fake, nav: Nav) -> None:
    pytester = dense()
    pytester.makepyfile("def test_stops(): raise KeyboardInterrupt")
    result = nav("--nav-report=out.html", formats="", subprocess=True)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert "exit code 2" in read(pytester.path / "out.html").text


def test_a_package_gives_the_same_page(dense: Fake, nav: Nav, capsys: pytest.CaptureFixture[str]) -> None:
    pytester = dense("scale=2.0")
    nav("--nav-report=run.html", "--nav-package=out.nav", *SHORT, formats="", profile=True)

    assert main(["show", "out.nav", "--html"]) == 0
    assert main(["show", "out.nav", "--html=pages/other.html"]) == 0
    assert "report: out.html\nreport: pages/other.html\n" in capsys.readouterr().out
    run, shown = read(pytester.path / "run.html"), read(pytester.path / "out.html")
    assert [own["aria-label"] for own in shown.of("svg")] == [own["aria-label"] for own in run.of("svg")]
    assert "test_correctness[fake-cpu] output__0: max abs" in shown.text


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("out.nav", "this file is no report of an earlier run and would be lost"),
        ("conftest.py", "this file is no report of an earlier run and would be lost"),
        ("folder", "this is a folder"),
    ],
)
def test_a_page_of_a_package_replaces_nothing_else(
    dense: Fake, nav: Nav, capsys: pytest.CaptureFixture[str], target: str, reason: str
) -> None:
    pytester = dense()
    pytester.mkdir("folder")
    nav("--nav-package=out.nav", formats="")
    before = {path: path.read_bytes() for path in pytester.path.iterdir() if path.is_file()}

    assert main(["show", "out.nav", f"--html={target}"]) == 2
    assert f"--html={target}: {reason}" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in pytester.path.iterdir() if path.is_file()} == before


@pytest.mark.real_processes
def test_without_its_extra_it_is_refused_before_anything_runs(dense: Fake, nav: Nav) -> None:
    pytester = dense()
    pytester.makepyfile(sitecustomize="import sys\nsys.modules['jinja2'] = None")
    result = nav("--nav-report=out.html", formats="", subprocess=True)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: *needs jinja2, which is not installed: pip install 'pytest-navigator[[]report]'"]
    )
    assert not (pytester.path / "calls.txt").exists()
