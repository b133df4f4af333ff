"""`pytest-navigator pack`: a run that was killed, packed from what it left, and resumed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from blackbox import DENSE, FAKE_FORMAT, status

from pytest_navigator.cli import main

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = "nav_config = NavConfig(framework='dense', formats=[FakeConfig(mode='hang', where='export')])\n"
RUN = [sys.executable, "-m", "pytest", "-p", "no:randomly", "-p", "no:cacheprovider", "--nav-no-profile"]
EXPORT = "export.fake"

MODEL, HOOK, _rest = DENSE.partition("def pytest_nav_formats")
HOOKS = f"from fake_format import *\n{HOOK}{_rest}"


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """A project whose run was killed in the middle of its export."""
    (tmp_path / "fake_format.py").write_text(FAKE_FORMAT)
    (tmp_path / "conftest.py").write_text(DENSE + CONFIG)
    with (tmp_path / "output.txt").open("wb") as output:
        run = subprocess.Popen(
            [*RUN, "--nav-package=out.nav"], cwd=tmp_path, start_new_session=True, stdout=output, stderr=output
        )
    try:
        calls = tmp_path / "calls.txt"
        for _ in range(1200):
            if calls.exists() and "export" in calls.read_text():
                break
            time.sleep(0.05)
        assert calls.exists(), (tmp_path / "output.txt").read_text()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
        run.wait()
    return tmp_path


def test_a_killed_run_is_packed_with_its_crash_and_resumed(killed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pack", str(killed / "navigator_workspace"), "-o", str(killed / "out.nav")]) == 0

    partial = killed / "out.partial.nav"
    printed = capsys.readouterr().out
    assert f"crashed: {EXPORT}" in printed.splitlines()
    assert f"package: {partial} (partial: 2 steps did not run)" in printed.splitlines()
    own = status(partial)["pytest_navigator"]
    assert (own["steps"]["source"]["status"], own["steps"][EXPORT]["error"]) == ("passed", "crash")
    assert not (killed / "out.nav").exists()

    (killed / "conftest.py").write_text(DENSE + CONFIG.replace("mode='hang', where='export'", ""))
    resumed = subprocess.run(
        [*RUN, "--nav-package=out.nav", "--nav-resume"], cwd=killed, capture_output=True, text=True
    )
    assert resumed.returncode == 0, resumed.stdout
    assert {step["status"] for step in status(killed / "out.nav")["pytest_navigator"]["steps"].values()} == {"passed"}


@pytest.mark.parametrize("there", [False, True])
def test_a_folder_that_is_no_workspace_is_refused(
    tmp_path: Path, there: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    if there:
        (tmp_path / "folder").mkdir()

    assert main(["pack", str(tmp_path / "folder"), "-o", str(tmp_path / "out.nav")]) == 2
    said = capsys.readouterr().err
    assert f"there is no folder {tmp_path / 'folder'}" in said if not there else "folder is no workspace of" in said
    assert list(tmp_path.iterdir()) == ([tmp_path / "folder"] if there else [])


def test_several_models_need_a_name_for_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fake_format.py").write_text(FAKE_FORMAT)
    (tmp_path / "conftest.py").write_text(HOOKS)
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "conftest.py").write_text(
            f"{MODEL}nav_config = NavConfig(framework='dense', name='{name}')\n"
        )
    subprocess.run([*RUN, "--nav"], check=True, capture_output=True)

    assert main(["pack", "navigator_workspace", "-o", "out.nav"]) == 2
    assert "-o out.nav: the workspace has 2 models (first, second); use {model}" in capsys.readouterr().err
    assert main(["pack", "navigator_workspace", "-o", "{model}.nav"]) == 0
    assert {path.name for path in tmp_path.glob("*.nav")} == {"first.nav", "second.nav"}
