"""`--nav-json=out.json`: every model of the run in one file, whatever the run's end; paths that cannot be."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from blackbox import two_models

if TYPE_CHECKING:
    from pathlib import Path

    from blackbox import Fake, Nav


def read(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["one process", "workers"])
def test_several_models_are_in_one_file(pytester: pytest.Pytester, nav: Nav, workers: tuple[str, ...]) -> None:
    two_models(pytester)
    pytester.makepyfile(test_own="def test_own(): raise AssertionError('the other one')")
    result = nav("--nav-json=reports/out.json", *workers, formats="", subprocess=bool(workers))

    content = read(pytester.path / "reports" / "out.json")
    assert result.ret == content["exit_code"] == 1
    assert {model["name"]: model["passed"] for model in content["models"]} == {"right": True, "wrong": False}
    assert [model["failures"] for model in content["models"] if not model["passed"]] == [["correctness.fake.FakeCPU"]]
    (other,) = content["other_failures"]
    assert other["nodeid"] == "test_own.py::test_own"
    assert "the other one" in other["message"]
    result.stdout.fnmatch_lines(["report: reports/out.json"])


def test_it_says_what_was_required_and_was_not_checked(dense: Fake, nav: Nav) -> None:
    pytester = dense("mode='raise', where='export'")
    assert nav("-x", "--nav-json=out.json", "--nav-require=fake-cpu", formats="").ret == 1

    (model,) = read(pytester.path / "out.json")["models"]
    assert model["passed"] is False
    assert any("required fake-cpu" in reason for reason in model["reasons"])
    assert model["records"]["complete"] is False
    assert "ZeroDivisionError" in model["records"]["steps"]["export.fake"]["detail"]


def test_an_earlier_report_is_replaced(dense: Fake, nav: Nav) -> None:
    pytester = dense()
    (pytester.path / "out.json").touch()
    assert [nav("--nav-json=out.json", formats="").ret for _ in range(2)] == [0, 0]
    assert read(pytester.path / "out.json")["passed"] is True


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", ": the path is missing"),
        ("folder", "this is a folder"),
        ("conftest.py", "this file is no report of an earlier run and would be lost"),
        ("conftest.py/out.json", "*conftest.py is no folder"),
        ("fifo", "this is no regular file"),
        ("navigator_workspace/out.json", "this is inside of the workspace"),
        ("out.nav", "this is also the path of --nav-package"),
        ("/proc/out.json", "cannot be written"),
    ],
)
def test_a_path_that_cannot_be_is_said_before_anything_runs(dense: Fake, nav: Nav, path: str, reason: str) -> None:
    pytester = dense()
    pytester.mkdir("folder")
    os.mkfifo(pytester.path / "fifo")
    result = nav(f"--nav-json={path}", "--nav-package=out.nav", formats="")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --nav-json=*{reason}*"])
    assert not (pytester.path / "calls.txt").exists()


def test_a_report_is_not_written_over_a_models_own_package(dense: Fake, nav: Nav) -> None:
    dense(name="'linear'")
    result = nav("--nav-json=linear.nav", "--nav-package={model}.nav", formats="")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --nav-json=*linear.nav: this is also the path of --nav-package*"])


def test_without_a_model_it_is_refused(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_mine(): pass")
    result = pytester.runpytest_inprocess("--nav-json=out.json", "-p", "no:randomly")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --nav-json=out.json: no model is checked*"])


def test_a_report_that_cannot_be_written_any_more_fails_the_run(dense: Fake, nav: Nav) -> None:
    pytester = dense()
    pytester.makepyfile("from pathlib import Path\ndef test_in_the_way(): Path('out.json').mkdir()")
    result = nav("--nav-json=out.json", formats="")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["ERROR: --nav-json: cannot write *out.json: Is a directory"])
