"""What a step's entry in `--nav-cache` is called: a digest over all that its outcome depends on.

By content, where `identity.py` goes by the records of one workspace: the bytes of an artifact count, not their origin.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from pytest_navigator.core.digests import digest_of, files_of
from pytest_navigator.core.records import plain
from pytest_navigator.devices.requirements import CHECKS
from pytest_navigator.engine import correctness, profile
from pytest_navigator.engine.cache import hardware
from pytest_navigator.engine.cache.libraries import versions
from pytest_navigator.engine.identity import classes, facts, numerics, required
from pytest_navigator.engine.loader import loader_record
from pytest_navigator.engine.timing_sample import timed_batch
from pytest_navigator.errors import NavigatorError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_navigator.core.records import JSON, Variant
    from pytest_navigator.engine.context import Context

RANDOM = "fingerprint.pb"
"""TensorFlow writes a new random number into it with every SavedModel; nothing reads it."""


def name_of(context: Context) -> str:
    """Return the name of the step's entry, a digest of all that it depends on; "" if the step is not cached.

    The live model's own steps are not: nothing but running it tells what it does.
    """
    step = context.step
    if context.host.cache is None or step.step not in context.host.options.cache_steps:
        return ""
    if step.runner and context.runner.live:
        return ""
    try:
        content = CONTENT[step.step](context)
    except NavigatorError:
        return ""  # the step itself says what is wrong
    if content is None:
        return ""
    text = json.dumps({**_common(context), **content}, sort_keys=True)
    return f"{step.step}-{hashlib.sha256(text.encode()).hexdigest()}"


def _common(context: Context) -> dict[str, JSON]:
    used = classes(context)
    requires = [*required(context), *(name for kind in used for name in getattr(kind, "requires", ()))]
    modules = [*(name for name in requires if name not in CHECKS), *(kind.__module__ for kind in used)]
    return {**facts(context), "signature": plain(context.folder.signature), "versions": versions(modules)}


def _converting(context: Context) -> dict[str, JSON]:
    """Return what a conversion reads; the device too, if its artifact runs on no other."""
    form, loader = context.host.registry.format(context.variant.format), loader_record(context)
    parent = context.suite.matrix.variants[context.variant.parent or ""]
    devices = {runner.device for runner in form.runner_specs}
    bound = devices == {"cuda"} or any("cuda" in name for name in required(context))
    return {
        "parent": [plain(parent), _content(context, parent)],
        "example": digest_of(context.folder.path / context.folder.source.profiling_batch),
        "samples": [plain(loader), [digest_of(context.folder.path / batch) for batch in loader.batches]],
        "numerics": {name: _without_threads(values) for name, values in numerics(context).items()},
        "device": hardware.gpu() if bound else None,
    }


def _comparing(context: Context) -> dict[str, JSON] | None:
    """Return what a comparison reads; None for one that a function of the user's judges, or that leaves its arrays."""
    cases = context.folder.source.cases
    rules = correctness.rules_of_step(context)
    if context.host.file_config.verbose or any(rule.kind == "function" for rule in rules.values()):
        return None
    files = [(case.input, case.output) for case in cases]
    digests = [[digest_of(context.folder.path / name) for name in names] for names in files]
    artifact = _content(context, context.variant)
    return {"artifact": artifact, "cases": [plain(cases), digests], "rules": plain(rules)}


def _timing(context: Context) -> dict[str, JSON]:
    """Return what a measurement depends on."""
    source = context.folder.source
    return {
        "artifact": _content(context, context.variant),
        "sample": digest_of(context.folder.path / timed_batch(context.folder)),
        "batches": [context.step.batch, source.max_batch_size, source.fixed_batch, source.device],
        "windows": [plain(profile.windows(context)), context.suite.settings.profile_seconds],
    }


def _content(context: Context, variant: Variant) -> str:
    """Return the digest of an artifact, without what is random in it."""
    artifact = context.artifact(variant)
    files = [path for path in files_of(artifact) if path.name != RANDOM]
    if len(files) == len(files_of(artifact)):
        made = context.folder.record(context.suite.matrix.making(variant.key).id)
        return made.digest_of(variant.key) if made else ""
    return json.dumps([(path.relative_to(artifact).as_posix(), digest_of(path)) for path in files])


def _without_threads(values: dict[str, JSON]) -> dict[str, JSON]:
    return {name: value for name, value in values.items() if "threads" not in name}


CONTENT: dict[str, Callable[[Context], dict[str, JSON] | None]] = {
    "convert": _converting,
    "correctness": _comparing,
    "profile": _timing,
}
