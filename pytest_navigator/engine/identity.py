"""What an outcome depends on, as a digest: `--nav-resume` reuses a record only where nothing of it has changed."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version
from typing import TYPE_CHECKING

from pytest_navigator.engine import gpu
from pytest_navigator.engine.cache import hardware
from pytest_navigator.engine.cache.code import code_of
from pytest_navigator.engine.loader import loader_record
from pytest_navigator.isolation.numerics import current_settings
from pytest_navigator.records import plain
from pytest_navigator.samples.described import code_in

if TYPE_CHECKING:
    from pytest_navigator.engine.context import Context
    from pytest_navigator.records import JSON

LIBRARIES = (
    "pytest-navigator",
    "numpy",
    "torch",
    "onnx",
    "onnxscript",
    "onnxruntime",
    "tensorflow",
    "tensorflow-cpu",
    "keras",
    "tf2onnx",
    "jax",
    "jaxlib",
    "jax2onnx",
    "flax",
)
IRRELEVANT = {
    *("keep", "save_data", "require", "formats", "runtimes", "precisions", "device", "timeout", "profile"),
    "batch_sizes",
}
"""Settings that choose what is run or packed, not how a step comes out."""
TIMING = {"profile_seconds"}
"""Settings that concern measurements only."""


def identity_of(context: Context) -> str:
    """Return the digest over the step, its settings, the libraries and the outcomes that it starts from."""
    left_out = IRRELEVANT if context.step.step == "profile" else IRRELEVANT | TIMING
    settings = {n: plain(s.value) for n, s in context.suite.settings.all.items() if n not in left_out}
    needed = [context.folder.record(step.id) for step in context.suite.matrix.needs(context.step)]
    facts: JSON = {
        "step": context.step.id,
        "variant": plain(context.variant),
        "settings": settings,
        "config": plain(context.suite.settings.config),
        **gpu.built_with(context),
        **_conditions(context),
        "libraries": libraries(context),
        "code": code_of([*classes(context), *code_in(context.suite.settings.config)]),
        "more": more(context),
        "needs": [
            (n.identity, n.digest, n.data.get("fingerprint"), n.data.get("observed")) for n in needed if n is not None
        ],
    }
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _conditions(context: Context) -> dict[str, JSON]:
    """Return what a runner's numbers depend on beside its artifact; what a conversion knows of the samples."""
    if not context.step.runner:
        return {"loader": plain(loader_record(context))} if context.step.step == "convert" else {}
    numerics = {name: found for name, found in current_settings().items() if name in required(context)}
    card = hardware.gpu() if context.runner.device == "cuda" else None
    return {"processor": hardware.processor(), "card": card, "numerics": numerics}


def libraries(context: Context) -> dict[str, str | None]:
    """Return name -> version of the frameworks, and of the packages of a format or runner that others have written."""
    return {name: _version(name) for name in (*LIBRARIES, *required(context))}


def classes(context: Context) -> list[type]:
    """Return the classes that a step runs: its runner, or its format and the runners that may prove the artifact."""
    if context.step.runner:
        return [context.host.registry.runner(context.runner.name)]
    form = context.host.registry.format(context.variant.format)
    return [type(form), *form.runners]


def more(context: Context) -> JSON:
    """Return what the format says that its artifact depends on beside everything else."""
    if context.step.runner:
        return None  # the artifact is there, and its digest is known
    return context.host.registry.format(context.variant.format).depends_on(context.variant)


def required(context: Context) -> tuple[str, ...]:
    """Return what a step needs of a machine, names of packages among it."""
    if context.step.runner:
        return context.runner.requires
    return context.host.registry.format(context.variant.format).requires_for(context.suite.matrix.framework)


@cache
def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
