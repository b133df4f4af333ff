"""No test skips itself unseen: CI holds the list of those that may, and what is installed must be importable.

And with `-n`, the tests of a file that share what is expensive share a worker too.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from fnmatch import fnmatch
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from tests.forking import REAL, TENSORFLOW, TORCH, Forked, preload
from tests.object_store import mortal, s3, s3_server
from tests.once import once
from tests.package.pair_project import PROJECT

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["mortal", "s3", "s3_server"]

# A machine that others use takes its time: an example that is slow is none that fails.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")

ALLOWED = "NAV_ALLOWED_SKIPS"
"""Names the file with the skips that a whole run may have: `pattern of node ids: reason` a line, # before a comment."""

SHARING = (
    "backends/test_networks.py",
    "deploy/test_formats_for_processors.py",
    "deploy/test_pytriton_server.py",
    "deploy/test_ray.py",
    "deploy/test_triton_server.py",
    "package/test_formats_of_others.py",
    "plugin/test_interrupted.py",
    "reproduce/test_scripts.py",
    "test_command_line_document.py",
    "samples/test_npz.py",
    "deploy/test_serve.py",
    "deploy/test_serve_package.py",
)
"""Files whose tests share a fixture of a wide scope."""

LONGEST = ("pipeline_diffusion", "torch_transformer", "huggingface_text", "jax_flax", "torch_cnn", "tensorrt_resnet")
"""Examples that take longest, by their test's parameter: begun last, one worker runs them while the others are idle."""

STARTING = re.compile(r"backends/test_(jax|tensorflow|stablehlo|savedmodel|tf2onnx|preserved_)")
"""Files of TensorFlow and JAX: a process takes ten seconds to start these and to compile its first model."""

OF_TENSORFLOW = re.compile(r"^test_(jax|tensorflow|stablehlo|savedmodel|tf2onnx|preserved_|workers_of_frameworks)")
"""Files whose processes need TensorFlow or JAX, and not PyTorch."""

UNIMPORTED = re.compile(r"could not import '(\w+)[^']*'")
_found: list[str] = []


def _allowed() -> list[str] | None:
    path = os.environ.get(ALLOWED)
    if path is None:
        return None
    lines = [line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def _reason(report: pytest.CollectReport | pytest.TestReport) -> str:
    where = report.longrepr
    text = str(where[2] if isinstance(where, tuple) else where)
    return text.removeprefix("Skipped: ")


def fault(line: str, allowed: list[str] | None) -> str:
    """Return what is wrong with a skip, "" if nothing is."""
    module = UNIMPORTED.search(line)
    if module and find_spec(module[1]) is not None:
        return f"{module[1]} is installed, so this is no reason to skip"
    if allowed is not None and not any(fnmatch(line, pattern) for pattern in allowed):
        return f"not among the skips that ${ALLOWED} allows"
    return ""


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[object]:
    """Fork the processes that a test starts."""
    preload(TENSORFLOW if OF_TENSORFLOW.search(item.path.name) else TORCH)
    subprocess.Popen = REAL if item.get_closest_marker("real_processes") else Forked  # type: ignore[misc]
    try:
        return (yield)
    finally:
        subprocess.Popen = REAL  # type: ignore[misc]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests that take longest: workers then end at about the same time."""
    items.sort(key=_place)


def _place(item: pytest.Item) -> int:
    name = item.name.partition("[")[2].rstrip("]")
    longest = item.path.name == "test_examples.py" and item.get_closest_marker("slow") and name in LONGEST
    return LONGEST.index(name) if longest else len(LONGEST)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Give a worker whole files where their tests share a fixture, else one test after the other.

    The groups of pytest-xdist 3.8 (`--dist=loadgroup`) are part of the node id, where pytest 9.2 does not read them.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Sharing(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            if STARTING.search(file):
                return STARTING.pattern
            return file if file.endswith(SHARING) else nodeid

    return Sharing(config, log)


def _note(report: pytest.CollectReport | pytest.TestReport) -> None:
    if report.skipped and not hasattr(report, "wasxfail"):
        line = f"{report.nodeid}: {_reason(report)}"
        if why := fault(line, _allowed()):
            _found.append(f"{line} ({why})")


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Look at a module that skips itself."""
    _note(report)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Look at a test that skips itself."""
    _note(report)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Hear of the modules that skipped themselves in a worker: pytest-xdist tells of tests alone."""
    _found.extend(line for line in getattr(node, "workeroutput", {}).get(ALLOWED, ()) if line not in _found)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A run in which something skipped itself without leave is not green."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput[ALLOWED] = _found
    if _found and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name the skips that must not be."""
    for line in _found:
        terminalreporter.write_line(f"FAILED: skipped: {line}", red=True)


RUN = "-q -p no:cacheprovider --nav-package=pair.nav --nav-runtimes=cpu --nav-profile-seconds=0.05"


@pytest.fixture(scope="session")
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of a run of the real thing: torch, TorchScript in both kinds, ONNX."""

    def make(folder: Path) -> None:
        (folder / "conftest.py").write_text(PROJECT)
        command = [sys.executable, "-m", "pytest", *RUN.split(), "--nav-formats=torchscript,onnx"]
        ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout

    return once(request.config, tmp_path_factory, "pair", make) / "pair.nav"


@pytest.fixture(scope="session", autouse=True)
def temporary_folders(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Give the runs of pytest that tests start folders of their own.

    pytest deletes what the runs before the last three have left: there, that is what whole runs of these tests have,
    and it takes minutes.
    """
    os.environ["PYTEST_DEBUG_TEMPROOT"] = str(tmp_path_factory.mktemp("temproot"))
