"""Memory of the GPU: how much this process uses, and how it is given back."""

from __future__ import annotations

import ctypes
import gc
import os
import sys

from pytest_navigator.profiling.machine import nvml

MIB = 2**20
MOST = 1024  # Processes on one GPU that are listed


class _ProcessInfo(ctypes.Structure):
    """nvmlProcessInfo_t."""

    _fields_ = (
        ("pid", ctypes.c_uint),
        ("used", ctypes.c_ulonglong),
        ("gpu_instance", ctypes.c_uint),
        ("compute_instance", ctypes.c_uint),
    )


class _MemoryInfo(ctypes.Structure):
    """nvmlMemory_t."""

    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


class PeakMemory:
    """The most device memory that this process was seen to use, from the making of this object on.

    The driver tells it by process. Where it does not (in most containers), it is by how much the use of the whole
    device has grown: one step at a time runs on it, but others may use it too.

    Attributes:
        peak: MiB; None: not measured, there is no GPU or its driver does not tell.
    """

    def __init__(self) -> None:
        self.peak: float | None = None
        self._before = _used_by_all()

    def sample(self) -> None:
        """Look again."""
        used = _used_by_this()
        if used is None and self._before is not None and (now := _used_by_all()) is not None:
            used = max(0, now - self._before)
        if used is not None:
            self.peak = max(self.peak or 0.0, used / MIB)


def free() -> None:
    """Give the driver back what PyTorch keeps for later, so that other libraries and processes can have it.

    TensorFlow gives nothing back before its process ends; it takes only what it needs (TF_FORCE_GPU_ALLOW_GROWTH).
    """
    cuda = getattr(sys.modules.get("torch"), "cuda", None)
    if cuda is None or not cuda.is_initialized():
        return
    gc.collect()
    cuda.empty_cache()
    cuda.ipc_collect()


def _used_by_this() -> int | None:
    # In most containers the driver does not know this process, or not what it uses.
    library, device = nvml()
    infos, count = (_ProcessInfo * MOST)(), ctypes.c_uint(MOST)
    if library is None or library.nvmlDeviceGetComputeRunningProcesses_v3(device, ctypes.byref(count), infos):
        return None
    used = (info.used for info in infos[: count.value] if info.pid == os.getpid())
    return next((each for each in used if each != ctypes.c_ulonglong(-1).value), None)


def _used_by_all() -> int | None:
    library, device = nvml()
    info = _MemoryInfo()
    if library is None or library.nvmlDeviceGetMemoryInfo(device, ctypes.byref(info)):
        return None
    return int(info.used)
