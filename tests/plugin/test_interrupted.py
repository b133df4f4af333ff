"""A run that somebody stops, by a real signal: what it leaves, and what it must not replace."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from blackbox import DENSE, FAKE_FORMAT, status

if TYPE_CHECKING:
    from collections.abc import Iterator

CONFIG = "nav_config = NavConfig(framework='dense', formats=[FakeConfig()])\n"
STACKS = """
import faulthandler, os, signal
faulthandler.register(signal.SIGUSR1, all_threads=True, file=open(f"stacks-{os.getpid()}.txt", "w"))
"""
"""Has every process of the run write where it is, when it is asked."""

VERIFIED = """
import time
from pathlib import Path
import pytest

def verify_first(nav_runner):
    pass

def verify_second(nav_runner):
    way = Path("way.txt").read_text() if Path("way.txt").exists() else ""
    if way == "wait":
        Path("waiting.txt").touch()
        time.sleep(600)
    if way == "exit":
        pytest.exit("enough", returncode=0)
"""

PARALLEL = pytest.mark.parametrize("arguments", [[], ["-n2"]], ids=["plain", "n2"])
SECOND = "test_quality.py::verify_second[fake-cpu]"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with its complete, verified package."""
    folder = tmp_path_factory.mktemp("verified")
    files = {"fake_format.py": FAKE_FORMAT, "test_quality.py": VERIFIED, "conftest.py": STACKS + DENSE + CONFIG}
    for name, content in files.items():
        (folder / name).write_text(content)
    with started(folder) as run:
        assert run.wait(120) == 0
    own = status(folder / "out.nav")["pytest_navigator"]
    assert (own["complete"], own["verified"]) == (True, ["fake/FakeCPU"])
    return folder


@pytest.fixture
def verified(project: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(project, tmp_path / "verified"))


@contextmanager
def started(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a run; whatever happens, nothing of it is left."""
    command = [sys.executable, "-m", "pytest", "-p", "no:randomly", "--nav-package=out.nav", "--nav-no-profile"]
    ours = signal.signal(signal.SIGINT, signal.SIG_DFL)  # what a process that ignores it starts ignores it as well
    try:
        with (folder / "output.txt").open("wb") as output:
            run = subprocess.Popen(
                [*command, *arguments], cwd=folder, start_new_session=True, stdout=output, stderr=subprocess.STDOUT
            )
    finally:
        signal.signal(signal.SIGINT, ours)
    try:
        yield run
    finally:
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
        run.wait()


def interrupt(run: subprocess.Popen[bytes], waiting: Path) -> None:
    """Press Ctrl-C as a terminal does, once the test waits: every process of the run gets the signal."""
    for _ in range(1200):
        if waiting.exists():
            break
        time.sleep(0.1)
    assert waiting.exists(), (waiting.parent / "output.txt").read_text()
    os.killpg(run.pid, signal.SIGINT)


def ended(run: subprocess.Popen[bytes], folder: Path) -> int:
    """Wait for the end of a run; of one that does not end, say where its processes are."""
    try:
        return run.wait(120)
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGUSR1)
        time.sleep(5)
        stacks = [f"{path.name}:\n{path.read_text()}" for path in sorted(folder.glob("stacks-*.txt"))]
        pytest.fail("\n".join(["the run did not end", (folder / "output.txt").read_text(), *stacks]))


def left(folder: Path, before: bytes) -> None:
    """The complete package as it was, and a partial one beside it that verifies nothing."""
    output = (folder / "output.txt").read_text()
    assert (folder / "out.nav").read_bytes() == before, output
    own = status(folder / "out.partial.nav")["pytest_navigator"]
    assert SECOND in own["missing"]
    assert (own["complete"], own["verified"]) == (False, [])


@PARALLEL
def test_ctrl_c_in_a_verify_test_leaves_the_complete_package(verified: Path, arguments: list[str]) -> None:
    before = (verified / "out.nav").read_bytes()
    (verified / "way.txt").write_text("wait")
    with started(verified, *arguments) as run:
        interrupt(run, verified / "waiting.txt")
        assert ended(run, verified) == pytest.ExitCode.INTERRUPTED
    left(verified, before)
    assert "package: out.partial.nav (partial: " in (verified / "output.txt").read_text()


@PARALLEL
def test_pytest_exit_in_a_verify_test_leaves_the_complete_package(verified: Path, arguments: list[str]) -> None:
    before = (verified / "out.nav").read_bytes()
    (verified / "way.txt").write_text("exit")
    with started(verified, *arguments) as run:
        ended(run, verified)  # xdist does not expect this of a worker, and says so with an internal error
    left(verified, before)


def test_ctrl_c_in_a_test_of_the_users_own_leaves_the_complete_package(verified: Path) -> None:
    before = (verified / "out.nav").read_bytes()
    (verified / "test_zzz.py").write_text(VERIFIED.replace("verify_second(nav_runner)", "test_of_mine()"))
    (verified / "way.txt").write_text("wait")
    with started(verified, "conftest.py", "test_zzz.py") as run:
        interrupt(run, verified / "waiting.txt")
        assert ended(run, verified) == pytest.ExitCode.INTERRUPTED
    assert (verified / "out.nav").read_bytes() == before
    assert not status(verified / "out.partial.nav")["pytest_navigator"]["missing"]
    assert "(partial: the run was interrupted; out.nav is as it was)" in (verified / "output.txt").read_text()
