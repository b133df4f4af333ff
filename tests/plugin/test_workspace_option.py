"""The workspace: a run's own, replaced if it is marked and free, never if it is somebody else's."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from blackbox import Fake, Nav

HOLD = """
import filelock, sys
with filelock.FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(lock: Path) -> subprocess.Popen[str]:
    """Hold a workspace's lock in another process, until its stdin is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


@pytest.mark.parametrize("arguments", [(), ("-n2",)], ids=["plain", "n2"])
def test_a_workspace_in_use_by_another_run_is_a_usage_error(dense: Fake, nav: Nav, arguments: tuple[str, ...]) -> None:
    pytester = dense()
    nav(formats="").assert_outcomes(passed=4)
    files = {path for path in (pytester.path / "navigator_workspace").rglob("*") if path.is_file()}
    with hold(pytester.path / "navigator_workspace" / ".pytest_navigator.lock"):
        result = nav(*arguments, formats="", subprocess=bool(arguments))
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(
            ["ERROR: the workspace */navigator_workspace is in use by another run*--nav-workspace*"]
        )
        assert "Traceback" not in result.stderr.str()
        assert all(path.exists() for path in files)
        nav("--nav-workspace=another", formats="").assert_outcomes(passed=4)
    nav(formats="").assert_outcomes(passed=4)


def test_collecting_does_not_wait_for_another_run(dense: Fake, nav: Nav) -> None:
    pytester = dense()
    nav(formats="").assert_outcomes(passed=4)
    with hold(pytester.path / "navigator_workspace" / ".pytest_navigator.lock"):
        assert nav("--collect-only", formats="").ret == 0


@pytest.mark.parametrize("resume", [(), ("--nav-resume",)], ids=["new", "resumed"])
def test_a_folder_that_holds_something_else_is_refused_and_kept(dense: Fake, nav: Nav, resume: tuple[str, ...]) -> None:
    pytester = dense()
    thesis = pytester.mkdir("navigator_workspace") / "thesis.tex"
    thesis.write_text("42")
    result = nav(*resume, formats="")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *navigator_workspace holds something that pytest-navigator did not write*"])
    assert [path.name for path in thesis.parent.iterdir()] == ["thesis.tex"]
    assert thesis.read_text() == "42"


def test_a_workspace_of_ours_is_replaced(dense: Fake, nav: Nav) -> None:
    pytester = dense()
    nav(formats="").assert_outcomes(passed=4)
    (left,) = pytester.path.glob("navigator_workspace/*/fake/model.npz")
    (left.parent / "left_over.txt").write_text("of the run before")
    nav(formats="").assert_outcomes(passed=4)
    assert left.exists()
    assert not (left.parent / "left_over.txt").exists()


def test_an_empty_folder_may_become_the_workspace(dense: Fake, nav: Nav) -> None:
    pytester = dense()
    pytester.mkdir("empty")
    nav("--nav-workspace=empty", formats="").assert_outcomes(passed=4)
    assert (pytester.path / "empty" / ".pytest_navigator.json").exists()


def test_a_workspace_that_is_a_file_is_a_usage_error(dense: Fake, nav: Nav) -> None:
    pytester = dense()
    (pytester.path / "taken").write_text("a file")
    result = nav("--nav-workspace=taken", formats="")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: *taken*"])
    assert (pytester.path / "taken").read_text() == "a file"


def test_a_link_in_the_workspace_is_never_followed(dense: Fake, nav: Nav) -> None:
    pytester = dense()
    nav(formats="").assert_outcomes(passed=4)
    outside = pytester.mkdir("outside")
    (outside / "data.txt").write_text("42")
    (made,) = pytester.path.glob("navigator_workspace/*/fake")
    (made / "link").symlink_to(outside)
    nav(formats="").assert_outcomes(passed=4)
    assert not (made / "link").exists()
    assert (outside / "data.txt").read_text() == "42"


def test_the_workspace_is_not_collected(dense: Fake, nav: Nav) -> None:
    pytester = dense()
    nav(formats="").assert_outcomes(passed=4)
    (made,) = pytester.path.glob("navigator_workspace/*/fake")
    (made / "test_planted.py").write_text("def test_planted(): raise AssertionError")
    nav("--nav-resume", formats="").assert_outcomes(passed=4)
