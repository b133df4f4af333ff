"""The export and the convert step: an artifact that a runtime loads."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from pytest_navigator.collecting.live import live_section
from pytest_navigator.errors import StepFailed
from pytest_navigator.formats.exporting import frozen
from pytest_navigator.isolation.importing import path_of
from pytest_navigator.samples.described import foreign
from pytest_navigator.samples.npz import load_npz
from pytest_navigator.steps import gpu
from pytest_navigator.steps.context import Result
from pytest_navigator.steps.loader import loader_record
from pytest_navigator.steps.scripts import write_making
from pytest_navigator.steps.source import profiling_batch
from pytest_navigator.workspace import digest_of
from pytest_navigator.workspace import files_of

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_navigator.records import JSON
    from pytest_navigator.records import Variant
    from pytest_navigator.steps.context import Context


def export(context: Context) -> Result:
    """Export the live model, from one of the user's own batches."""
    form = context.run.registry.format(context.variant.format)
    context.require(*form.requires_for(context.suite.matrix.framework))
    context.run.warm_up(module for runner in form.runners for module in runner.imports)
    source, signature = context.live.source(), context.folder.signature
    example = load_npz(context.folder.path / profiling_batch(context.folder), signature.inputs)
    clear(context)
    write_making(context)
    with live_section(context.log, context.limit), source.preserved():
        data = form.export(source, example, signature, context.variant, context.artifact())
    write_making(context, data)
    return _proven(context, data)


def convert(context: Context) -> Result:
    """Convert the parent's artifact, in the child."""
    form = context.run.registry.format(context.variant.format)
    context.require(*form.requires_for(context.suite.matrix.framework))
    clear(context)
    write_making(context)
    assert context.variant.parent is not None
    _check_sendable(context.variant)
    data = context.isolated(
        "convert",
        folder=context.folder.path,
        variant=context.variant,
        parent=context.suite.matrix.variants[context.variant.parent],
        format=path_of(type(form)),
        example=profiling_batch(context.folder),
        loader=loader_record(context),
    )
    return _proven(context, data)


def _check_sendable(variant: Variant) -> None:
    """Refuse to convert with the text of an object in place of the object.

    Raises:
        StepFailed: the configuration has what cannot go to another process.
    """
    found = list(foreign(variant.parameters))
    if found:
        raise StepFailed(
            f"{variant.key} is converted in another process, to which {', '.join(found)} of its configuration cannot "
            "go; use numbers, texts, lists and dicts there"
        )


def _proven(context: Context, data: JSON) -> Result:
    """Load the artifact in the first runner that this machine has; without any it is not proven, and says so."""
    artifact = context.artifact()
    form = context.run.registry.format(context.variant.format)
    recorded = {**data, **gpu.built_with(context), "bytes": sum(path.stat().st_size for path in files_of(artifact))}
    caveat = frozen(data.get("warnings", ()))
    elsewhere, lacking = gpu.why_elsewhere(form, context.variant), ""
    for runner in () if elsewhere else form.runners:
        missing = context.missing(runner.requires)
        lacking = lacking or missing or ""
        if missing is None:
            settings = context.isolated(
                "loads", folder=context.folder.path, variant=context.variant, runner=path_of(runner)
            )
            loaded = {"loaded": runner.name, "settings": settings}
            return Result({**recorded, **loaded}, message=caveat, digest=digest_of(artifact))
    message = "; ".join(filter(None, (f"not loaded: {elsewhere or lacking or 'it has no runner'}", caveat)))
    return Result(recorded, message=message, digest=digest_of(artifact))


def made(context: Context) -> list[Path]:
    """Return what an export or a conversion has written beside the log and the scripts."""
    inner = context.artifact().parent.glob("*")
    return [path for path in inner if path.name != "format.log" and not path.name.startswith("reproduce_")]


def clear(context: Context) -> None:
    """Remove what an earlier attempt left."""
    for path in made(context):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
