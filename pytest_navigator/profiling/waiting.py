"""How much the threads of this process wait for processors, and who else uses them: what disturbs a measurement.

On an idle machine the threads of a call wait for 1 % of the time in which they run, beside two busy loops for half of
it and more: nothing else tells as clearly whether figures mean anything. Threads of one's own that spin count too,
which the share of the processors that *others* use does not see.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import psutil

    Counted = dict[str, tuple[int, int]]

_THREADS = Path("/proc/self/task")

ACTIVE = 0.2  # Of what the busiest thread ran or waited for, from which on another one works for the calls too
MOST = 3  # Other processes that are named
LEAST = 0.05  # Share of the processors from which on one is

# Modules that spin -> what stops that. OpenMP's threads spin between calls unless they are told not to.
SPINNING = {
    "torch": "OMP_WAIT_POLICY=passive",
    "tensorflow": "KMP_BLOCKTIME=0",
    "openvino": "KMP_BLOCKTIME=0",
    "onnxruntime": "session.intra_op.allow_spinning=0",
}


class Waiting:
    """What the threads of this process wait for processors, from the making of this object on."""

    def __init__(self) -> None:
        self._begin = _counted()

    def found(self) -> tuple[float, int] | None:
        """Return the share of waiting in the time that threads ran or waited, 0.0 to 1.0, and how many were at
        work: no more than there are processors.

        None where the platform does not tell (Linux does).
        """
        threads = [(run - was[0], wait - was[1]) for run, wait, was in self._threads()]
        ran, waited = (sum(each) for each in zip(*threads, strict=True)) if threads else (0, 0)
        if not ran + waited:
            return None
        busiest = max(run + wait for run, wait in threads)
        working = sum(run + wait >= ACTIVE * busiest for run, wait in threads)
        return waited / (ran + waited), min(working, processors())

    def _threads(self) -> Iterator[tuple[int, int, tuple[int, int]]]:
        for name, (run, wait) in _counted().items():
            yield run, wait, self._begin.get(name, (0, 0))


def processors() -> int:
    """Return how many processors this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _counted() -> Counted:
    """Return for each thread the ns that it ran and that it waited; {} where nobody tells."""
    try:
        names = os.listdir(_THREADS)
    except OSError:  # no Linux
        return {}
    return {name: counted for name in names if (counted := _of_thread(_THREADS / name))}


def _of_thread(folder: Path) -> tuple[int, int] | None:
    try:
        run, wait, _ = (folder / "schedstat").read_text(encoding="ascii").split()
        return int(run), int(wait)
    except (OSError, ValueError):  # it has just ended, or a sandbox plays Linux
        return None


class Others:
    """What other processes use of the processors, from the making of this object on."""

    def __init__(self) -> None:
        self._time, self._begin = time.monotonic(), _used()

    def shares(self) -> dict[str, float]:
        """Return the names of those that use most, with their shares of the processors (0.0 to 1.0)."""
        import psutil

        # Looking at all processes takes its time, too, in which they go on.
        used = _used()
        wall = (time.monotonic() - self._time) * (psutil.cpu_count() or 1)
        found: dict[str, float] = {}
        for key, (name, spent) in used.items():
            share = (spent - self._begin.get(key, (name, spent))[1]) / wall
            found[name] = found.get(name, 0.0) + share
        largest = sorted(found.items(), key=lambda each: -each[1])[:MOST]
        return {name: round(min(share, 1.0), 3) for name, share in largest if share >= LEAST}


def _used() -> dict[int, tuple[str, float]]:
    """Return name and processor time in s of each process but this one."""
    import psutil

    try:
        processes = list(psutil.process_iter(["pid", "name", "cpu_times"]))
    except (OSError, RuntimeError, psutil.Error):
        return {}
    return {p.pid: (p.info["name"] or "?", _seconds(p)) for p in processes if p.pid != os.getpid()}


def _seconds(process: psutil.Process) -> float:
    times = process.info["cpu_times"]
    return times.user + times.system if times else 0.0


def spinning() -> tuple[str, ...]:
    """Return what would stop the threads of this process's libraries from spinning, without the variables that are set.

    What the options of a session are nobody tells here.
    """
    found = dict.fromkeys(text for name, text in SPINNING.items() if name in sys.modules)
    return tuple(text for text in found if text.partition("=")[0] not in os.environ)


def tracing() -> tuple[str, ...]:
    """Return the tools that watch each line or call of Python and cannot be paused (Python 3.12 on)."""
    monitoring = getattr(sys, "monitoring", None)
    found = (monitoring.get_tool(number) for number in range(6)) if monitoring else ()
    return tuple(name for name in found if name)
