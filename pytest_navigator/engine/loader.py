"""What a conversion may need to know of the user's loader, from the source step's record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.configuration.settings import search_of
from pytest_navigator.core.records import LoaderRecord

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_navigator.backends.tensorrt.profiles import Profile
    from pytest_navigator.engine.context import Context


def loader_record(context: Context) -> LoaderRecord:
    """Return shapes and sizes of the samples, and the largest batch that this run asks for."""
    source = context.folder.source
    largest = source.max_batch_size
    return LoaderRecord(
        profile=_tuned(source.profile, context.host.file_config.opt_shapes),
        max_batch_size=largest,
        asked_batch=None if largest is None else max(largest, *_asked(context)),
        asked_batches=_sizes(context),
        batches=tuple(dict.fromkeys(case.input for case in source.cases if case.kind == "batch")),
    )


def _sizes(context: Context) -> tuple[int, ...]:
    """Return the batch sizes that steps of a format with a fixed batch ask for; no others depend on them."""
    source, variant, matrix = context.folder.source, context.variant, context.suite.matrix
    if source.max_batch_size is None or not context.host.registry.format(variant.format).fixed_batch:
        return ()
    asked = {batch for runner in variant.runners for batch in matrix.batches_of(variant.key, runner)}
    return tuple(sorted({int(batch.removeprefix("batch")) for batch in asked if batch[-1].isdigit()}))


def _tuned(profile: Profile, usual: Mapping[str, Sequence[int]]) -> Profile:
    """Return the profile with the usual shapes that --nav-config says."""
    return {name: {**shapes, "opt": list(usual.get(name, shapes["opt"]))} for name, shapes in profile.items()}


def _asked(context: Context) -> tuple[int, ...]:
    """Return the batch sizes that are to be profiled: an engine must take them, and the largest one of a search."""
    profile, sizes = context.suite.settings.config.optimization_profile, context.suite.settings.batch_sizes
    if search := search_of(context.suite.settings):
        return (search.largest or 1,)
    return tuple(sizes or (profile.sizes() if profile else None) or (1,))
