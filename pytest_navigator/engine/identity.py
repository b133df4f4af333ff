"""What an outcome depends on, as a digest: `--nav-resume` reuses a record only where nothing of it has changed."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from pytest_navigator.configuration.settings import search_of
from pytest_navigator.core.described import code_in
from pytest_navigator.core.facts import SourceFacts, ThroughputFacts, facts_of
from pytest_navigator.core.plain import plain
from pytest_navigator.core.steps import KINDS
from pytest_navigator.devices.requirements import CHECKS
from pytest_navigator.engine import gpu, vouching
from pytest_navigator.engine.cache import hardware
from pytest_navigator.engine.cache.code import code_of
from pytest_navigator.engine.cache.libraries import PROGRAMS, versions_here
from pytest_navigator.engine.loader import loader_record
from pytest_navigator.engine.versions import gpu_of, required, versioned, versions_of
from pytest_navigator.isolation.numerics import current_settings
from pytest_navigator.runners.spec import runner_class

if TYPE_CHECKING:
    from pytest_navigator.core.plain import JSON
    from pytest_navigator.engine.context import Context

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
# Settings that choose what is run or packed, not how a step comes out.
IRRELEVANT = {
    *("keep", "save_data", "require", "formats", "runtimes", "precisions", "device", "timeout", "profile"),
    *("batch_sizes", "latency_budget", "budgets", "max_growth", "max_slowdown", "interpreters"),
}
TIMING = {"profile_seconds"}  # Settings that concern measurements only


def identity_of(context: Context) -> str:
    """Return the digest over a step's facts, its settings and the outcomes that it starts from."""
    left_out = IRRELEVANT if KINDS[context.step.step].measures else IRRELEVANT | TIMING
    settings = context.suite.settings
    left_out = left_out | ({"atol"} if settings.expected else set())
    own = settings.config.replace(budgets=None, interpreters=None)
    needed = [context.folder.record(step.id) for step in context.suite.matrix.needs(context.step)]
    known: JSON = {
        **facts(context),
        "settings": {name: plain(each.value) for name, each in settings.all.items() if name not in left_out},
        **_tolerances(context),
        "config": [plain(own), code_of(list(code_in(settings.config)))],
        "search": plain(search_of(settings)) if context.step.step == "throughput" else None,
        "judges": list(vouching.judges(context)) if context.step.step == "correctness" else None,
        "loader": plain(loader_record(context)) if context.step.step == "convert" else None,
        "needs": [
            (each.identity, each.digest, source.fingerprint, source.observed, found.knee, found.best)
            for each in needed
            if each is not None
            for source, found in [(facts_of(each, SourceFacts), facts_of(each, ThroughputFacts))]
        ],
    }
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()


def _tolerances(context: Context) -> dict[str, JSON]:
    """Return those of the step's own cell, where a file has one for each: a change of one leaves the others alone."""
    settings = context.suite.settings
    if settings.expected is None or not context.step.runner:
        return {}
    cell = context.suite.matrix.cell_id(context.step.key, context.step.runner)
    return {"atol": plain([(settings.atol or {}).get(name) for name in (cell, context.step.key)])}


def facts(context: Context) -> dict[str, JSON]:
    """Return what an outcome depends on whatever the step starts from: the step, its code, its libraries, the machine.

    Whoever remembers outcomes adds what the step starts from: `--nav-resume` the records of one workspace (that of a
    live model has its fingerprint), `--nav-cache` the content of files.
    """
    used = classes(context)
    return {
        "step": context.step.id,
        "variant": plain(context.variant),
        **versions_of(context, libraries(context)),
        "exported": versions_here(libraries(context)) if context.step.step == "export" else None,
        "code": code_of(used),
        "classes": [kind.__qualname__ for kind in used],
        "more": more(context),
        **gpu.built_with(context),
        **(_running(context) if context.step.runner else {}),
    }


def _running(context: Context) -> dict[str, JSON]:
    """Return what a runner's numbers depend on beside its artifact."""
    return {
        "runner": [context.runner.name, context.runner.runtime, context.runner.device],
        "processor": hardware.processor(),
        "device": gpu_of(context) if context.runner.device == "cuda" else None,
        "numerics": numerics(context),
    }


def numerics(context: Context) -> dict[str, dict[str, JSON]]:
    """Return the thread and numeric settings that the child takes over, of the frameworks that the step needs."""
    return {name: values for name, values in current_settings().items() if name in required(context)}


def classes(context: Context) -> list[type]:
    """Return the classes that a step runs: its runner, or its format and the runners that may prove the artifact."""
    if context.step.runner:
        return [runner_class(context.runner)]
    form = context.host.registry.format(context.variant.format)
    return [type(form), *(runner.load() for runner in form.runner_specs)]


def more(context: Context) -> JSON:
    """Return what the format says that its artifact depends on beside everything else."""
    if context.step.runner:
        return None  # the artifact is there, and its digest is known
    return context.host.registry.format(context.variant.format).depends_on(context.variant)


def libraries(context: Context) -> tuple[str, ...]:
    """Return the names of what a step's outcome may depend on, where it is installed."""
    return (*LIBRARIES, *versioned(context))


def common(context: Context) -> dict[str, JSON]:
    """Return what every entry of the cache depends on: the facts, the signature, the versions of all that is used."""
    used = classes(context)
    requires = [*versioned(context), *(name for kind in used for name in getattr(kind, "requires", ()))]
    modules = [
        *(name for name in requires if name not in CHECKS or name in PROGRAMS),
        *(kind.__module__ for kind in used),
    ]
    return {**facts(context), "signature": plain(context.folder.signature), "versions": _versions(context, modules)}


def _versions(context: Context, modules: list[str]) -> JSON:
    """Return those of what the modules come from and depend on; of another Python, what is known of it at all."""
    found = versions_of(context, (), modules)
    known: JSON = found.get("versions", found)
    return known
