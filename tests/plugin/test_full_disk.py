"""Workspaces that cannot be written, or whose path is too long: one line, before anything runs."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from blackbox import prepared, words

if TYPE_CHECKING:
    from pathlib import Path

    from blackbox import Fake, Nav

OPTIONS = ("-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:hypothesispytest", "--nav-package=o.nav")


def limited(folder: Path, size: int) -> subprocess.CompletedProcess[str]:
    """Run with a limit on the size of files; writing fails as on a full disk."""
    return subprocess.run(
        prepared(
            f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))",
            *("-m", "pytest", *OPTIONS, "--nav-in-process"),
        ),
        cwd=folder,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )


@pytest.mark.parametrize(("size", "file"), [(50, "navigator_workspace"), (600, "navigator_workspace/*")])
def test_a_full_disk_before_the_first_step_is_one_line(dense: Fake, nav: Nav, size: int, file: str) -> None:
    project = dense()
    ran = limited(project.path, size)
    shown = ran.stdout + ran.stderr
    assert ran.returncode == pytest.ExitCode.USAGE_ERROR, shown
    (line,) = (line for line in shown.splitlines() if line.startswith("ERROR"))
    assert "the workspace cannot be written: " in line
    assert "File too large" in line
    assert "INTERNALERROR" not in shown
    assert "Traceback" not in shown
    assert nav("--nav-in-process", formats="").ret == 0, "the folder is still the runs' own"


def deep(root: Path, length: int) -> Path:
    """Return a path of this many bytes."""
    path = str(root)
    while len(path) < length - 1:
        path += "/" + "d" * min(100, length - 1 - len(path))
    return root / path.ljust(length, "d")


@pytest.mark.parametrize(("length", "works"), [(492, True), (493, False), (900, False)])
def test_a_workspace_has_a_path_that_its_lock_can_have(dense: Fake, nav: Nav, length: int, works: bool) -> None:
    project = dense()
    workspace = deep(project.path, length)
    result = nav(f"--nav-workspace={workspace}", "--nav-in-process", "-v", "-k", "source", formats="")
    if works:
        assert words(result) == {"test_source": "PASSED"}
        return
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [f"ERROR: *a lock in it would have {length + 12} bytes, and SQLite opens at most 504; *--nav-workspace=DIR*"]
    )
