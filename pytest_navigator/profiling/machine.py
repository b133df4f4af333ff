"""What a figure was measured on: who else used the processors, peak memory, clock of the GPU."""

from __future__ import annotations

import ctypes
import math
import os
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    import psutil
    from psutil._ntuples import scputimes as ProcessorTimes

SHORTEST_SAMPLE = 0.05  # s; the kernel counts processor time in steps of 10 ms, so a shorter sample tells nothing
OLDEST_SAMPLE = 1.0  # s before a short measurement began: what others did before tells nothing of it

MIB = 2**20

_CGROUP = Path("/sys/fs/cgroup")
_CLEAR_REFS = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


class Contention:
    """The share of the processors that others use, from the making of this object on.

    "The processors" are those that this process may run on (all of the machine, or what a cpuset leaves); "others" are
    all processes but those of this run (this one, its parent if that has said `belongs_to`, and all below), and a
    hypervisor that took the time away. In a container with a processor quota the same is asked of the quota, and the
    larger share counts. Of a measurement that is too short to tell, the one just before it is counted along: nobody
    waits for the kernel's clock.
    """

    before: ClassVar[_Sample | None] = None
    """When the measurement before this one began."""

    def __init__(self) -> None:
        self._begin = _sample()

    def share(self) -> float | None:
        """Return the share, 0.0 to 1.0; None where the platform does not tell or there is too little to tell from."""
        end, own, before = _sample(), self._begin, Contention.before
        Contention.before = own
        if own is None or end is None:
            return None
        short = end.wall - own.wall < SHORTEST_SAMPLE
        begin = before if short and before and own.wall - before.wall < OLDEST_SAMPLE else own
        return None if end.wall - begin.wall < SHORTEST_SAMPLE else _share(begin, end)


_run = [0]  # The process at the root of the run; 0: this one


def belongs_to(pid: int) -> None:
    """Count what a process and all that it has started do as this run's own work."""
    _run[0] = pid


class _Sample:
    """Processor times so far, in s."""

    def __init__(self, process: psutil.Process) -> None:
        import psutil

        times = _own_processors(psutil.Process(), psutil.cpu_times(percpu=True))
        self.wall = time.monotonic()
        self.total = sum(_total(each) for each in times)
        self.busy = self.total - sum(each.idle + getattr(each, "iowait", 0.0) for each in times)
        self.own = sum(_used(each) for each in (process, *process.children(recursive=True)))
        self.quota = _quota()
        self.group = _group_usage()


def _sample() -> _Sample | None:
    import psutil

    try:
        return _Sample(psutil.Process(_run[0] or None))
    except (OSError, RuntimeError, psutil.Error):
        return None


def _own_processors(process: psutil.Process, times: list[ProcessorTimes]) -> list[ProcessorTimes]:
    # lxcfs lists only those that the process may run on, under other numbers.
    if not hasattr(process, "cpu_affinity"):
        return times
    return [times[index] for index in process.cpu_affinity() if index < len(times)] or times


def _total(times: ProcessorTimes) -> float:
    # Linux counts guest time in user time already.
    return float(sum(times) - getattr(times, "guest", 0.0) - getattr(times, "guest_nice", 0.0))


def _used(process: psutil.Process) -> float:
    import psutil

    try:
        times = process.cpu_times()
    except psutil.Error:
        return 0.0  # it ended; its parent has its time now
    return float(times.user + times.system + times.children_user + times.children_system)


def _quota() -> float | None:
    try:
        limit, period = (_CGROUP / "cpu.max").read_text(encoding="utf-8").split()
        return int(limit) / int(period)
    except (OSError, ValueError):
        return None


def _group_usage() -> float:
    # Of all processes of the container, in s.
    try:
        lines = (_CGROUP / "cpu.stat").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) / 1e6 for line in lines if line.startswith("usage_usec"))
    except (OSError, StopIteration):
        return 0.0


def _share(begin: _Sample, end: _Sample) -> float:
    own = end.own - begin.own
    shares = [_part(end.busy - begin.busy - own, end.total - begin.total)]
    if end.quota is not None:
        shares.append(_part(end.group - begin.group - own, end.quota * (end.wall - begin.wall)))
    return max(shares)


def _part(used: float, available: float) -> float:
    return min(1.0, max(0.0, used / available)) if available > 0 else 0.0


class Growth:
    """By how much this process grows, from the making of this object on, and how much memory is left to it, in MiB."""

    def __init__(self) -> None:
        reset_peak()
        self._begin = _resident()

    def used(self) -> float:
        """Return by how much it had grown when it was largest; where the kernel does not tell that, now."""
        return max(0.0, (peak() or _resident()) - self._begin)

    def left(self) -> float | None:
        """Return what the machine has left, or the container; None where nobody tells."""
        import psutil

        try:
            return min(psutil.virtual_memory().available / MIB, _group_left())
        except (OSError, RuntimeError, psutil.Error):
            return None


def _resident() -> float:
    import psutil

    return float(psutil.Process().memory_info().rss / MIB)


def _group_left() -> float:
    # What the kernel can drop of files that were read counts as left.
    try:
        limit, used = ((_CGROUP / f"memory.{name}").read_text(encoding="utf-8") for name in ("max", "current"))
        lines = (_CGROUP / "memory.stat").read_text(encoding="utf-8").splitlines()
        cached = next((int(line.split()[1]) for line in lines if line.startswith("inactive_file ")), 0)
        return (int(limit) - int(used) + cached) / MIB
    except (OSError, ValueError):  # there is no limit: "max"
        return math.inf


def reset_peak() -> None:
    """Let the high-water mark of this process's memory start again from what it uses now (Linux)."""
    if _resettable():
        _CLEAR_REFS.write_text("5", encoding="utf-8")


def peak() -> float | None:
    """Return the high-water mark since `reset_peak`, in MiB; None where the kernel cannot reset it."""
    if not _resettable():
        return None
    lines = _STATUS.read_text(encoding="utf-8").splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), None)


def _resettable() -> bool:
    return os.access(_CLEAR_REFS, os.W_OK)


def gpu_clock() -> float | None:
    """Return the clock of this process's first CUDA device (SM clock, MHz); None without a driver that tells it."""
    library, device = nvml()
    clock = ctypes.c_uint()
    if library is None or library.nvmlDeviceGetClockInfo(device, 1, ctypes.byref(clock)):
        return None
    return float(clock.value)


@cache
def nvml() -> tuple[ctypes.CDLL | None, ctypes.c_void_p]:
    """Return NVML and its handle of this process's first CUDA device; no NVML without a driver.

    It finds the device by its PCI address: NVML counts devices that CUDA_VISIBLE_DEVICES hides, CUDA does not."""
    device = ctypes.c_void_p()
    address = ctypes.create_string_buffer(32)
    try:
        cuda, nvml = ctypes.CDLL("libcuda.so.1"), ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return None, device
    failed = (
        cuda.cuInit(0)
        or cuda.cuDeviceGetPCIBusId(address, len(address), 0)
        or nvml.nvmlInit_v2()
        or nvml.nvmlDeviceGetHandleByPciBusId_v2(address, ctypes.byref(device))
    )
    return (None if failed else nvml), device
