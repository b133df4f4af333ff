"""Functions that the tests have a child call."""

from __future__ import annotations

import atexit
import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from pytest_navigator.errors import ConfigError, SourceError, StepFailed, Unavailable


class Unspeakable(Exception):
    def __str__(self) -> str:
        return str(1 // 0)


ERRORS = {
    "StepFailed": StepFailed("too far off", "a table", "Mismatch", {"atol": 0.5}),
    "Unavailable": Unavailable("no CUDA device"),
    "ConfigError": ConfigError("opset 3 is too old"),
    "SourceError": SourceError("sample 1 is empty"),
    "KeyError": KeyError("first line"),
    "two lines": RuntimeError("first line\nsecond line"),
    "no text": MemoryError(),
    "no plain data": StepFailed("odd", data={"x": object()}),
    "no str": Unspeakable(),
    "SystemExit": SystemExit(3),
    "KeyboardInterrupt": KeyboardInterrupt(),
}


class Nested:
    @staticmethod
    def twice(value: int) -> int:
        return 2 * value


def echo(**kwargs: Any) -> Any:
    return kwargs


def pid() -> int:
    return os.getpid()


def state() -> dict[str, Any]:
    main = sys.modules["__main__"].__spec__
    return {
        "pid": os.getpid(),
        "path": sys.path,
        "cwd": os.getcwd(),
        "PYTHONPATH": os.environ.get("PYTHONPATH"),
        "main": main.name if main else None,
        "session": os.getsid(0),
        "sigint": signal.getsignal(signal.SIGINT) is signal.SIG_IGN,
        "oom_score_adj": Path("/proc/self/oom_score_adj").read_text(encoding="utf-8").strip(),
        "modules": list(sys.modules),
        "standard descriptors": [os.readlink(f"/proc/self/fd/{fd}") for fd in range(3)],
    }


def same(arrays: dict[str, np.ndarray]) -> tuple[Any, dict[str, np.ndarray]]:
    return [str(array.dtype) for array in arrays.values()], arrays


def write_into(arrays: dict[str, np.ndarray]) -> tuple[None, dict[str, np.ndarray]]:
    arrays["x"][...] = 7
    return None, arrays


def not_plain() -> Any:
    return {"value": np.float32(1)}


def objects() -> Any:
    return None, {"x": np.array(["a", None], dtype=object)}


def fail(how: str) -> None:
    raise ERRORS[how]


def segfault() -> None:
    print("before the crash", end="")
    ctypes.CDLL(None).printf(b"from C before the crash")
    ctypes.string_at(0)


def abort() -> None:
    os.abort()


def leave() -> None:
    os._exit(3)


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def touch_at_exit(path: str) -> None:
    atexit.register(Path(path).touch)


def nap(seconds: float) -> None:
    time.sleep(seconds)


def native_nap(started: str) -> None:
    """Sleep in C with the GIL held, so that no Python thread can run, beside a process of its own."""
    other = subprocess.Popen(["sleep", "60"])
    partial = Path(f"{started}.partial")
    partial.write_text(f"{os.getpid()} {other.pid}", encoding="utf-8")
    partial.rename(started)
    ctypes.PyDLL(None).sleep(60)


def fork_and_leave(started: str) -> None:
    if forked := os.fork():
        partial = Path(f"{started}.partial")
        partial.write_text(str(forked), encoding="utf-8")
        partial.rename(started)
        os._exit(3)
    time.sleep(60)


def close_all_descriptors() -> None:
    os.closerange(3, 65536)
    time.sleep(60)


def use_too_much() -> None:
    limit = 4 << 30
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    bytearray(limit)


def use(mebibytes: int) -> None:
    bytearray(b"x") * (mebibytes << 20)


def speak() -> None:
    print("from Python")
    sys.stderr.write("to stderr\n")
    os.write(1, b"to the descriptor\n")
    ctypes.CDLL(None).printf(b"from C, %d\n", 42)
    os.system("echo from a process")
    warnings.warn("a warning", stacklevel=1)


def torch_settings() -> dict[str, Any]:
    import torch

    return {
        "num_threads": torch.get_num_threads(),
        "float32_matmul_precision": torch.get_float32_matmul_precision(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "deterministic_warn_only": torch.is_deterministic_algorithms_warn_only_enabled(),
    }
