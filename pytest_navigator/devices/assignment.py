"""Which GPU a process uses: xdist worker i has device i mod n, and one step at a time runs on a device."""

from __future__ import annotations

import os
import re
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.devices.present import devices
from pytest_navigator.devices.records import FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.devices.records import Gpu

WORKER = "PYTEST_XDIST_WORKER"
VISIBLE = "CUDA_VISIBLE_DEVICES"
# Environment variable with the position, among all GPUs of the run, of the one that this process uses.
OWN = "NAV_DEVICE"
# Environment variable with what the user's CUDA_VISIBLE_DEVICES was; absent if there was none.
BEFORE = "NAV_CUDA_VISIBLE_DEVICES"


def assign() -> None:
    """Give this xdist worker, and all that it starts, one GPU of the run. CUDA must not have been used yet."""
    worker = re.fullmatch(r"gw(\d+)", os.environ.get(WORKER, ""))
    # Outside of a run of ours, what xdist's workers use is none of our business.
    count = len(devices().gpus) if worker and FOLDER in os.environ else 0
    if not worker or not count:
        return
    own, before = int(worker[1]) % count, os.environ.get(VISIBLE)
    if before is not None:
        os.environ[BEFORE] = before
    os.environ[VISIBLE] = visible(own, before)
    os.environ[OWN] = str(own)


def visible(own: int, before: str | None) -> str:
    """Return CUDA_VISIBLE_DEVICES with the device at one position alone (pure).

    Args:
        own: position among the devices that are visible.
        before: what the user has set: numbers or UUIDs; None: nothing, so that all are visible.
    """
    return str(own) if before is None else before.split(",")[own].strip()


def release(parameters: Iterable[JSON]) -> None:
    """Give this process all GPUs back if a configuration chooses one of them itself (`device="cuda:1"`).

    Args:
        parameters: of every variant of the run.
    """
    chosen = any(isinstance(each, dict) and ":" in str(each.get("device")) for each in parameters)
    if not chosen or OWN not in os.environ:
        return
    del os.environ[OWN]
    before = os.environ.pop(BEFORE, None)
    if before is None:
        del os.environ[VISIBLE]
    else:
        os.environ[VISIBLE] = before


def own_gpu() -> Gpu | None:
    """Return the GPU that this process uses where nobody says which: CUDA's device 0 of it; None without one."""
    gpus = devices().gpus
    return gpus[int(os.environ.get(OWN, "0")) % len(gpus)] if gpus else None


@contextmanager
def held() -> Iterator[None]:
    """Hold this process's GPU, all GPUs if none is its own; outside of a run, and without a GPU, nothing."""
    from filelock import FileLock

    folder, count = os.environ.get(FOLDER), len(devices().gpus)
    own = os.environ.get(OWN)
    with ExitStack() as stack:
        # Always in this order, so that no two processes wait for each other.
        for index in range(count) if own is None else (int(own),):
            if folder:
                stack.enter_context(FileLock(Path(folder, f"device{index}.lock")))
        yield
