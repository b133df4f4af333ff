"""The machine and the interpreter that a package was made with."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.core.privacy import public_url
from pytest_navigator.devices.assignment import own_gpu
from pytest_navigator.devices.libraries import tensorrt_version
from pytest_navigator.devices.present import devices

if TYPE_CHECKING:
    from pytest_navigator.core.plain import JSON

TIMEOUT = 10.0  # How long git may take, s

# Model Navigator's name of a library -> how the name of its distribution starts.
#
# Model Navigator takes these from environment variables of NVIDIA's containers, which need not be what is loaded.
LIBRARIES = {
    "CUDA_VERSION": "nvidia-cuda-runtime",
    "CUDNN_VERSION": "nvidia-cudnn",
    "CUBLAS_VERSION": "nvidia-cublas",
    "CUFFT_VERSION": "nvidia-cufft",
    "CURAND_VERSION": "nvidia-curand",
    "CUSOLVER_VERSION": "nvidia-cusolver",
    "CUSPARSE_VERSION": "nvidia-cusparse",
    "NCCL_VERSION": "nvidia-nccl",
}

# What identifies a distribution, in the head of its metadata.
NAMED = re.compile(r"^(Name|Version):[ \t]*(\S+)", re.MULTILINE)

# The same for TensorRT -> its flavour; the second name is ours.
TENSORRT = {"TRT_VERSION": "tensorrt", "TRT_RTX_VERSION": "tensorrt_rtx"}


def environment() -> dict[str, JSON]:
    """Return Model Navigator's `environment` block, of the running interpreter.

    No framework is imported, no environment variable is recorded. Takes some 100 ms.
    """
    import psutil  # which a machine that only serves does without

    packages = python_packages()
    return {
        "cpu": _cpu(),
        "memory": f"{psutil.virtual_memory().total / 2**30:.1f}G",
        "gpu": gpu(),
        "os": {"name": os.name, "platform": platform.system(), "release": platform.release()},
        "python_version": platform.python_version(),
        "python_packages": packages,
        "libraries": _libraries(packages),
    }


def python_packages() -> dict[str, str]:
    """Return name -> version of every distribution that the running interpreter can import."""
    found: dict[str, str] = {}
    for distribution in distributions():
        # Its own parser reads the whole description of hundreds of packages for these two lines: 0.3 s a package.
        head = (distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or "").partition("\n\n")[0]
        fields = dict(NAMED.findall(head))
        # The first one on sys.path is the one that is imported.
        if "Name" in fields:
            found.setdefault(fields["Name"], fields.get("Version", ""))
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def git_state(root: Path) -> dict[str, JSON] | None:
    """Return commit, branch (None: detached), dirty and url (without user-info) of a checkout; None outside of one.

    `dirty` says whether tracked files differ from the commit (None: git did not tell); the workspace and the package
    themselves do not count.
    """
    commit = _git(root, "rev-parse", "HEAD")
    if not commit:
        return None
    url = _git(root, "remote", "get-url", "origin")
    changes = _git(root, "status", "--porcelain", "--untracked-files=no")
    return {
        "commit": commit,
        "branch": _git(root, "symbolic-ref", "--short", "-q", "HEAD") or None,
        "dirty": None if changes is None else bool(changes),
        "url": public_url(url) if url else None,
    }


def _cpu() -> dict[str, JSON]:
    import psutil

    frequency = psutil.cpu_freq() if hasattr(psutil, "cpu_freq") else None
    return {
        "name": cpu_name(),
        "physical_cores": psutil.cpu_count(logical=False),
        "logical_cores": psutil.cpu_count(logical=True),
        # Virtual machines do not tell: psutil says 0.
        "min_frequency": (frequency.min if frequency else None) or None,
        "max_frequency": (frequency.max if frequency else None) or None,
    }


@cache
def cpu_name() -> str:
    """Return the model of the processor; its architecture, where nobody tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, "") or platform.processor() or platform.machine()


def gpu() -> dict[str, JSON] | None:
    """Return what is recorded of the GPU that this process uses; None without one."""
    found, own = devices(), own_gpu()
    if own is None:
        return None
    return {
        "name": own.name,
        "driver_version": found.driver or None,
        "memory": f"{own.memory} MiB",
        "tdp": f"{own.power_limit:.2f} W" if own.power_limit is not None else None,
        "cuda_version": found.cuda,
        "compute_capability": own.compute_capability,
    }


def _libraries(packages: dict[str, str]) -> dict[str, JSON]:
    found = {
        library: next((version for name, version in packages.items() if name.lower().startswith(prefix)), None)
        for library, prefix in LIBRARIES.items()
    }
    found |= {library: tensorrt_version(flavour) for library, flavour in TENSORRT.items()}
    return {library: version for library, version in found.items() if version}


def _git(root: Path, *arguments: str) -> str | None:
    """Return what git prints; None if it is missing, fails or takes too long."""
    # Without its locks: the user may be in the middle of a commit.
    quiet = {**os.environ, "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0"}
    command = ["git", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, timeout=TIMEOUT, env=quiet, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace").strip()
