"""Whether there is a driver of NVIDIA's at all: all that a run needs to know on most machines."""

from __future__ import annotations

import os
from pathlib import Path

LIBRARY = "libcuda.so.1"
FOLDERS = ("/usr/lib/wsl/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib")
CACHE = Path("/etc/ld.so.cache")


def has_driver() -> bool:
    """Whether a library of the driver can be found, without loading anything or starting a process."""
    folders = [*filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep)), *FOLDERS]
    return any(Path(folder, LIBRARY).exists() for folder in folders) or LIBRARY.encode() in _cached()


def _cached() -> bytes:
    # A binary file, in which the names of libraries stand as they are.
    try:
        return CACHE.read_bytes()
    except OSError:
        return b""
