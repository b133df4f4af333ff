"""What an outcome depends on, as a digest: `--nav-resume` reuses a record only where nothing of it has changed."""

from __future__ import annotations

import hashlib
import json
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version
from typing import TYPE_CHECKING

from pytest_navigator.cache.code import code_of
from pytest_navigator.records import plain
from pytest_navigator.steps import gpu
from pytest_navigator.workspace import digest_of

if TYPE_CHECKING:
    from pytest_navigator.records import JSON
    from pytest_navigator.records import Outcome
    from pytest_navigator.steps.context import Context

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
IRRELEVANT = {"keep", "save_data", "require", "formats", "runtimes", "precisions", "timeout", "profile", "batch_sizes"}
"""Settings that choose what is run or packed, not how a step comes out."""


def identity_of(context: Context) -> str:
    """Return the digest over the step, its settings, the libraries and the outcomes that it starts from."""
    settings = {n: plain(s.value) for n, s in context.suite.settings.all.items() if n not in IRRELEVANT}
    needed = [context.folder.record(step.id) for step in context.suite.matrix.needs(context.step)]
    facts: JSON = {
        "step": context.step.id,
        "variant": plain(context.variant),
        "settings": settings,
        "config": plain(context.suite.settings.config),
        **gpu.built_with(context),
        "libraries": libraries(context),
        "code": code_of(classes(context)),
        "more": more(context),
        "needs": [
            (n.identity, n.digest, n.data.get("fingerprint"), n.data.get("observed")) for n in needed if n is not None
        ],
    }
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def still_true(context: Context, recorded: Outcome) -> bool:
    """Whether an earlier run's record would come out the same now: nothing that it depends on has changed.

    The source step always runs again: only the live model tells whether it is the same.
    """
    if not recorded.passed or context.step.step == "source" or recorded.identity != identity_of(context):
        return False
    if not recorded.digest:
        return True
    artifact = context.artifact()
    return artifact.exists() and digest_of(artifact) == recorded.digest


def libraries(context: Context) -> dict[str, str | None]:
    """Return name -> version of the frameworks, and of the packages of a format or runner that others have written."""
    return {name: _version(name) for name in (*LIBRARIES, *required(context))}


def classes(context: Context) -> list[type]:
    """Return the classes that a step runs: its runner, or its format and the runners that may prove the artifact."""
    if context.step.runner:
        return [context.run.registry.runner(context.runner.name)]
    form = context.run.registry.format(context.variant.format)
    return [type(form), *form.runners]


def more(context: Context) -> JSON:
    """Return what the format says that its artifact depends on beside everything else."""
    if context.step.runner:
        return None  # the artifact is there, and its digest is known
    return context.run.registry.format(context.variant.format).depends_on(context.variant)


def required(context: Context) -> tuple[str, ...]:
    """Return what a step needs of a machine, names of packages among it."""
    if context.step.runner:
        return context.runner.requires
    return context.run.registry.format(context.variant.format).requires_for(context.suite.matrix.framework)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
