"""A pytest plugin that notes, in each process of a run, what every test takes: `-p zoo_probe`; see zoo.py."""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

MIB = 2**20
FOLDER = "ZOO_NOTES"  # The environment variable with the folder of the notes
MODEL = re.compile(r"zoo(\d+)")


def pytest_configure(config: pytest.Config) -> None:
    """Watch this process."""
    worker = getattr(config, "workerinput", {}).get("workerid", "controller")
    config.pluginmanager.register(Probe(Path(os.environ[FOLDER], f"{worker}.json")), "zoo-probe")


class Probe:
    """What one process takes.

    Attributes:
        phases: wall time and processor time (s) of the collection, the end of the session and the summary.
        models: number of a model -> wall time and processor time (s) of its tests, this process's and its children's;
            resident memory (MiB) of both after its last test.
    """

    def __init__(self, notes: Path) -> None:
        self.notes = notes
        self.process = psutil.Process()
        self.phases: dict[str, tuple[float, float]] = {}
        self.models: dict[int, dict[str, float]] = {}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection(self) -> Generator[None, object, object]:
        """Time the collection, what plugins make of it included."""
        with self._phase("collection"):
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Time a test with its setup and its teardown."""
        found = MODEL.search(item.nodeid)
        begin, cpu = time.perf_counter(), self._cpu()
        result = yield
        if found:
            figures = self.models.setdefault(int(found[1]), {"wall": 0.0, "cpu": 0.0})
            figures["wall"] += time.perf_counter() - begin
            figures["cpu"] += self._cpu() - cpu
            figures["memory"], figures["child"] = self._memory()
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self) -> Generator[None, object, object]:
        """Time the packages and the reports."""
        with self._phase("end"):
            return (yield)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self) -> Generator[None, object, object]:
        """Time what is printed."""
        with self._phase("summary"):
            return (yield)

    @pytest.hookimpl(tryfirst=True)
    def pytest_unconfigure(self) -> None:
        """Write the notes."""
        noted: dict[str, Any] = {"phases": self.phases, "models": self.models, "memory": self._memory()[0]}
        self.notes.write_text(json.dumps(noted), encoding="utf-8")

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        begin, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.phases[name] = time.perf_counter() - begin, time.process_time() - cpu

    def _cpu(self) -> float:
        # A child that ended is in the times of the process that has waited for it.
        times = self.process.cpu_times()
        ended = times.children_user + times.children_system
        return time.process_time() + float(ended) + sum(map(_cpu_of, self.process.children(recursive=True)))

    def _memory(self) -> tuple[float, float]:
        """Return the resident memory of this process, and of all that it has started."""
        children = sum(map(_resident, self.process.children(recursive=True)))
        return _resident(self.process), children


def _cpu_of(process: psutil.Process) -> float:
    with suppress(psutil.Error):
        times = process.cpu_times()
        return float(times.user + times.system)
    return 0.0


def _resident(process: psutil.Process) -> float:
    with suppress(psutil.Error):
        return float(process.memory_info().rss / MIB)
    return 0.0
