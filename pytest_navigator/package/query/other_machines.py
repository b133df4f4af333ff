"""What matters to a runner of the machine that it was checked on, and is other here."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.variants import RunnerRecord
    from pytest_navigator.package.query.results import Results

# A module may come from a distribution of its own name, or of one of its builds (`tensorflow-cpu`).
BUILDS = ("cpu", "gpu")

# Fields of the GPU's record that matter, with what people call them.
GPU = {"name": "GPU", "driver_version": "driver", "cuda_version": "CUDA"}


def differences(results: Results, status: Mapping[str, Any], key: str, runner: RunnerRecord) -> list[str]:
    """Return what differs between the machine that checked a runner and this one, "onnxruntime 1.31.1, here 1.30.0".

    Nothing differs from a record that says nothing.
    """
    then = _environment(results, status, key, runner)
    on_gpu = runner.device == "cuda"
    return different(then, _here(on_gpu), runner.requires, on_gpu=on_gpu)


def different(then: Mapping[str, Any], here: Mapping[str, Any], requires: Sequence[str], *, on_gpu: bool) -> list[str]:
    """Compare two `environment` blocks in what a runner needs (pure)."""
    pairs = [(name, _version(then, name), _version(here, name)) for name in requires]
    if on_gpu:
        old, new = then.get("gpu") or {}, here.get("gpu") or {}
        pairs += [(title, old.get(field), new.get(field)) for field, title in GPU.items()]
    return [f"{what} {old}, here {new or 'none'}" for what, old, new in pairs if old and old != new]


def _environment(results: Results, status: Mapping[str, Any], key: str, runner: RunnerRecord) -> Mapping[str, Any]:
    # A merged package has one of each machine: that of the one that checked this runner counts.
    checked = results.correctness(key, runner.name)
    machine: Any = results.machines.get(checked.notes.machine) if checked else None
    found: Mapping[str, Any] = (machine or status).get("environment") or {}
    return found


@cache
def _here(on_gpu: bool) -> dict[str, JSON]:
    from pytest_navigator.devices.environment import gpu, python_packages

    return {"gpu": gpu() if on_gpu else None, "python_packages": dict(python_packages())}


def _version(environment: Mapping[str, Any], module: str) -> str | None:
    """Return the version of the distribution that a module comes from, without its build ("2.13.0+cpu")."""
    names = {module, *(f"{module}-{build}" for build in BUILDS)}
    packages = environment.get("python_packages") or {}
    found = (str(v) for n, v in packages.items() if re.sub(r"[-_.]+", "-", n).lower() in names)
    return next((version.partition("+")[0] for version in found), None)
