"""A run that CI cancels (SIGTERM) or whose terminal closes (SIGHUP): what it leaves, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil
import pytest
from blackbox import DENSE, FAKE_FORMAT, prepared, status

if TYPE_CHECKING:
    from pathlib import Path

CONFIG = "nav_config = NavConfig(framework='dense', formats=[FakeConfig()])\n"
WAIT = "\ndef wait():\n    import os, time\n    open('waiting.txt', 'w').close()\n    time.sleep(600)\n"

WAYS = {
    "live step": ("fake_format.py", 'call("export", variant.parameters)', "wait()"),
    "child step": ("fake_format.py", 'call("infer", self.parameters)', "wait()"),
    "verify test": ("test_verify.py", "pass", "wait()"),
}
"""Where the run waits: in a file, instead of what."""


def begin(folder: Path, way: str, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a run that waits somewhere, and return it once it does."""
    files = {"conftest.py": DENSE + CONFIG, "fake_format.py": FAKE_FORMAT + WAIT}
    files["test_verify.py"] = f"def verify_it(nav_runner):\n    pass\n{WAIT}"
    name, before, after = WAYS.get(way, ("conftest.py", CONFIG, CONFIG))
    files[name] = files[name].replace(before, after)
    if way == "collection":
        files["test_verify.py"] += "wait()\n"
    if way == "packing":
        files["conftest.py"] += "from pytest_navigator.package.container import writer\nfrom fake_format import wait\n"
        files["conftest.py"] += "def slow(f=writer.write_archive):\n    import os, signal\n"
        files["conftest.py"] += "    return lambda *a, **k: (os.kill(os.getpid(), signal.SIGTERM), f(*a, **k))\n"
        files["conftest.py"] += "writer.write_archive = slow()\n"
    for file, content in files.items():
        (folder / file).write_text(content)
    heard = "import signal; signal.signal(signal.SIGHUP, signal.SIG_DFL)"  # which nohup ignores, and so do we
    options = ("-p", "no:randomly", "--nav-package=out.nav", "--nav-no-profile")
    command = prepared(heard, "-m", "pytest", *options)
    with (folder / "output.txt").open("wb") as output:
        run = subprocess.Popen(
            [*command, *arguments],
            cwd=folder,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    while way != "packing" and run.poll() is None and not (folder / "waiting.txt").exists():
        time.sleep(0.1)
    return run


def end(folder: Path, run: subprocess.Popen[bytes], *signals: int) -> str:
    """Send signals to the process that CI knows; nothing that it started outlives it. Returns what it printed."""
    children = psutil.Process(run.pid).children(recursive=True)
    try:
        for number in signals:
            run.send_signal(number)
            time.sleep(0.05)
        run.wait(300)
        _, alive = psutil.wait_procs(children, 30)
        assert not alive
    finally:
        with suppress(ProcessLookupError):
            os.killpg(run.pid, signal.SIGKILL)
    return (folder / "output.txt").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("way", "arguments"),
    [("live step", []), ("child step", []), ("verify test", []), ("live step", ["-n2"]), ("child step", ["-n2"])],
)
def test_a_cancelled_run_leaves_a_partial_package(tmp_path: Path, way: str, arguments: list[str]) -> None:
    run = begin(tmp_path, way, *arguments)
    output = end(tmp_path, run, signal.SIGTERM, signal.SIGTERM)
    assert run.returncode == 128 + signal.SIGTERM, output
    assert "package: out.partial.nav (partial: " in output
    assert "Traceback" not in output
    found = status(tmp_path / "out.partial.nav")["pytest_navigator"]
    assert not found["complete"]
    assert found["steps"]


def test_a_terminal_that_closes_does_the_same(tmp_path: Path) -> None:
    run = begin(tmp_path, "child step")
    output = end(tmp_path, run, signal.SIGHUP)
    assert run.returncode == 128 + signal.SIGHUP, output
    assert (tmp_path / "out.partial.nav").exists()


def test_a_run_that_is_cancelled_while_it_collects_has_nothing_to_pack(tmp_path: Path) -> None:
    run = begin(tmp_path, "collection")
    output = end(tmp_path, run, signal.SIGTERM)
    assert run.returncode == 128 + signal.SIGTERM, output
    assert "INTERNALERROR" not in output
    assert not list(tmp_path.glob("*.nav"))


def test_a_package_that_is_being_written_is_written(tmp_path: Path) -> None:
    run = begin(tmp_path, "packing")
    run.wait(300)
    assert run.returncode == 128 + signal.SIGTERM
    assert status(tmp_path / "out.nav")["pytest_navigator"]["complete"]
