"""What of a machine, and of how it is set up, decides which bits come out."""

from __future__ import annotations

import hashlib
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.core.plain import plain
from pytest_navigator.devices import environment as fingerprint
from pytest_navigator.devices.assignment import own_gpu
from pytest_navigator.devices.present import devices

if TYPE_CHECKING:
    from pytest_navigator.core.plain import JSON

# Of the environment: threads, instruction sets, flags of compilers.
VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_CBWR",
    "MKL_ENABLE_INSTRUCTIONS",
    "OPENBLAS_CORETYPE",
    "ONEDNN_MAX_CPU_ISA",
    "TF_ENABLE_ONEDNN_OPTS",
    "TF_XLA_FLAGS",
    "XLA_FLAGS",
)
GPU_VARIABLES = ("NVIDIA_TF32_OVERRIDE", "CUBLAS_WORKSPACE_CONFIG")


@cache
def environment() -> dict[str, JSON]:
    """Return what a package records of the machine; asks it once a process."""
    return fingerprint.environment()


def processor() -> dict[str, JSON]:
    """Return the model, its instruction sets, how many of them this process may use, and what the user has set."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "name": fingerprint.cpu_name(),
        "usable": usable,
        "instructions": _instructions(),
        "variables": _variables(VARIABLES),
    }


def gpu() -> dict[str, JSON]:
    """Return this process's own GPU (None: there is none), the driver and the libraries for it."""
    found, libraries = devices(), environment()["libraries"]
    own = {"gpu": plain(own_gpu()), "driver": found.driver, "cuda": found.cuda}
    return {**own, "libraries": libraries, "variables": _variables(GPU_VARIABLES)}


def _variables(names: tuple[str, ...]) -> dict[str, str | None]:
    return {name: os.environ.get(name) for name in names}


@cache
def _instructions() -> str:
    """Return a digest of the processor's flags; "" where the platform does not tell."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    # The kernel calls them "flags" on x86, "Features" on ARM.
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return hashlib.sha256(flags.encode()).hexdigest()
