"""What a command costs: time, processor time and memory of the process and of all that it starts."""

from __future__ import annotations

import compileall
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import psutil

import pytest_navigator

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

INTERVAL = 0.05
"""s between two looks at the memory."""
MIB = 2**20


@dataclass(frozen=True)
class Cost:
    """What one run took.

    Attributes:
        wall, cpu: s; cpu is user and system time, of the processes that were waited for.
        tree: largest resident memory of all processes at one time, MiB; pages that they share count in each.
        single: largest resident memory of one process, MiB.
    """

    wall: float
    cpu: float
    tree: float = 0.0
    single: float = 0.0


def run(command: Sequence[str], folder: Path, *, sampled: bool = True, **environment: str) -> Cost:
    """Run a command and measure it.

    Args:
        sampled: whether to look at the memory meanwhile, which itself takes some processor time.
        environment: variables that it gets beside this process's.

    Raises:
        RuntimeError: it failed; with its output.
    """
    # A folder of its own: what torch.compile keeps on the disk would make the next run another.
    with tempfile.TemporaryDirectory() as cache, tempfile.TemporaryFile() as output:
        variables = {**os.environ, "TORCHINDUCTOR_CACHE_DIR": cache, **environment}
        begin = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=variables, stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        status, usage, tree = _wait(process, sampled=sampled)
        wall = time.perf_counter() - begin
        if status:
            output.seek(0)
            raise RuntimeError(f"{' '.join(command)} exited with {status}:\n{output.read().decode()[-4000:]}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, tree / MIB, usage.ru_maxrss / 1024)


def _wait(process: subprocess.Popen[bytes], *, sampled: bool) -> tuple[int, os.struct_rusage, float]:
    """Return exit status, usage, and the largest memory of the tree in bytes."""
    tree = 0
    observed = psutil.Process(process.pid)
    options = os.WNOHANG if sampled else 0
    while True:
        pid, status, usage = os.wait4(process.pid, options)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode, usage, tree
        tree = max(tree, sum(map(_resident, (observed, *observed.children(recursive=True)))))
        time.sleep(INTERVAL)


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def compile_plugin() -> None:
    """Compile the plugin as its installation does: a checkout's first run would do it, where it may write at all."""
    compileall.compile_dir(str(Path(pytest_navigator.__file__).parent), quiet=1)


def interleaved(sides: dict[str, Callable[[], Cost]], repetitions: int) -> dict[str, list[Cost]]:
    """Run each side once, then each again, so that what else the machine does meets all alike."""
    compile_plugin()
    found: dict[str, list[Cost]] = {name: [] for name in sides}
    for _ in range(repetitions):
        for name, side in sides.items():
            found[name].append(side())
    return found


def medians(costs: Sequence[Cost]) -> Cost:
    """Return the median of every figure."""
    return Cost(*(median(getattr(cost, name) for cost in costs) for name in ("wall", "cpu", "tree", "single")))


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return Markdown."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
