"""Which GPUs there are: asked in a disposable process, and only where there is a driver to ask."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_navigator.core.plain import plain, structured
from pytest_navigator.devices.driver_library import has_driver
from pytest_navigator.devices.records import FOLDER, Devices, unusable

if TYPE_CHECKING:
    from collections.abc import Mapping

LIMIT = 60.0  # s; without persistence mode a driver takes seconds for each GPU, one in trouble takes for ever


def devices() -> Devices:
    """Return what this run may use; of an xdist worker, what all of them share.

    Costs less than 1 ms without a driver, and is asked once a run where there is one.
    """
    return _devices(*(os.environ.get(name, "") for name in ("LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES", FOLDER)))


@cache
def _devices(*environment: str) -> Devices:
    # The arguments are all that the answer depends on: the cache is of them.
    if not has_driver():
        return Devices()
    from pytest_navigator.devices.shared import once

    return structured(once("devices", lambda: plain(_asked())), Devices)


def _asked() -> Devices:
    from pytest_navigator.devices import driver
    from pytest_navigator.devices.disposable import ProbeFailed, ask

    try:
        answer = json.loads(ask(Path(driver.__file__), (), LIMIT))
    except ProbeFailed as failed:
        how = "gave" if failed.kind == "timeout" else "ended the process that asked it:"
        return Devices(problem=unusable(f"the driver {how} {failed}"))
    return understood(answer)


def understood(answer: Mapping[str, Any]) -> Devices:
    """Return what `driver.found` printed as a record."""
    if answer["error"] is None:
        return Devices()
    problem = unusable(f"driver error {answer['error']}") if answer["error"] else ""
    return structured({"problem": problem, **{k: v for k, v in answer.items() if k != "error"}}, Devices)
