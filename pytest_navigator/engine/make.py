"""The export and the convert step: an artifact that a runtime loads."""

from __future__ import annotations

import shutil
import time
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_navigator.core.described import foreign
from pytest_navigator.core.digests import digest_of, size_of
from pytest_navigator.core.facts import MakingFacts, as_data
from pytest_navigator.core.plain import plain, structured
from pytest_navigator.engine import gpu, isolated
from pytest_navigator.engine.content import content_of
from pytest_navigator.engine.context import Result
from pytest_navigator.engine.identity import numerics
from pytest_navigator.engine.loader import loader_record
from pytest_navigator.engine.scripts import write_making
from pytest_navigator.engine.searched import check_search, rules_of_search
from pytest_navigator.engine.step_code import StepCode
from pytest_navigator.engine.versions import gpu_of, required
from pytest_navigator.errors import StepFailed
from pytest_navigator.formats.exporting import frozen
from pytest_navigator.formats.ways import first_that_makes
from pytest_navigator.isolation.importing import path_of
from pytest_navigator.isolation.live_section import live_section
from pytest_navigator.samples.npz import load_npz

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.variants import Variant
    from pytest_navigator.engine.context import Context
    from pytest_navigator.formats.ways import Way, Ways


def export(context: Context) -> Result:
    """Export the live model, from one of the user's own batches."""
    form = context.host.registry.format(context.variant.format)
    context.require(*form.requires_for(context.suite.matrix.framework), here=True)
    # The child imports what is to load the artifact while this process exports it.
    if not context.command:
        context.host.warm_up(module for runner in form.runner_specs for module in runner.imports)
    source, signature = context.live.source(), context.folder.signature
    example = load_npz(context.folder.path / context.folder.source.profiling_batch, signature.inputs)

    def make(way: Context) -> dict[str, JSON]:
        with live_section(way.log, way.limit), source.preserved():
            return form.export(source, example, signature, way.variant, way.artifact())

    return _made(context, make)


def convert(context: Context) -> Result:
    """Convert the parent's artifact, in the child."""
    form = context.host.registry.format(context.variant.format)
    form.check_fit(context.variant, loader_record(context), context.folder.signature)
    context.require(*form.requires_for(context.suite.matrix.framework))
    assert context.variant.parent is not None
    _check_sendable(context.variant)
    check_search(context)
    rules = rules_of_search(context)

    def make(way: Context) -> dict[str, JSON]:
        return way.isolated(
            isolated.convert,
            folder=way.folder.path,
            variant=way.variant,
            parent=way.suite.matrix.variants[way.variant.parent or ""],
            format=path_of(type(form)),
            example=way.folder.source.profiling_batch,
            loader=loader_record(way),
            rules=rules,
        )

    return _made(context, make)


def _made(context: Context, make: Callable[[Context], dict[str, JSON]]) -> Result:
    """Make the artifact by the first way that can, and see that it loads; the limit of the step is one for all."""
    form = context.host.registry.format(context.variant.format)
    ways, begin = form.ways(context.variant, context.suite.matrix.framework), time.monotonic()

    def attempt(way: Way) -> Result:
        own = replace(context, way=way, spent=time.monotonic() - begin)
        clear(own)
        # Before it is made: an export that ends this process has a script too.
        write_making(own)
        with _logged(own, ways):
            data = make(own)
            # And with what the library has chosen itself, so that the script asks for the same.
            write_making(own, data)
            return _proven(own, data)

    try:
        made = first_that_makes(ways, attempt)
    except StepFailed:
        write_making(replace(context, way=ways.tried[0]))
        raise
    if not made.declined:
        return made.value
    data = {**made.value.data, **as_data(MakingFacts(engine=made.engine, declined=made.declined))}
    return replace(made.value, data=data, message="; ".join(filter(None, (made.note, made.value.message))))


@contextmanager
def _logged(context: Context, ways: Ways) -> Iterator[None]:
    """Write into the log why a way did not make the artifact, before the next one begins."""
    try:
        yield
    except StepFailed as error:
        if context.way != ways.tried[-1]:
            with context.log.open("a") as log:
                log.write(f"{context.step.id} by {context.way.engine}: {error.message}\n{error.detail}\n")
        raise


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


def _proven(context: Context, data: dict[str, JSON]) -> Result:
    """Load the artifact in the first runner that this machine has; without any it is not proven, and says so."""
    artifact = context.artifact()
    form = context.host.registry.format(context.variant.format)
    facts = MakingFacts(bytes=size_of(artifact))
    told = structured(data, MakingFacts)
    found = told.quantized.search if told.quantized else None
    caveat = "; ".join(filter(None, (told.note, found.text if found else "", frozen(told.warnings or ()))))
    recorded = {**data, **gpu.built_with(context)}
    elsewhere, lacking = gpu.why_elsewhere(form, context), ""
    of_variant = [runner for runner in form.runner_specs if runner.name in context.variant.runners]
    for runner in () if elsewhere else of_variant or form.runner_specs:
        missing = context.missing(runner.requires)
        lacking = lacking or missing or ""
        if missing is None:
            settings = context.isolated(
                isolated.loads, folder=context.folder.path, variant=context.variant, runner=runner.record()
            )
            facts = replace(facts, loaded=runner.name, settings=settings)
            return Result({**recorded, **as_data(facts)}, message=caveat, digest=digest_of(artifact))
    message = "; ".join(filter(None, (f"not loaded: {elsewhere or lacking or 'it has no runner'}", caveat)))
    return Result({**recorded, **as_data(facts)}, message=message, digest=digest_of(artifact))


def made(context: Context) -> list[Path]:
    """Return what an export or a conversion has written beside the log and the scripts."""
    inner = context.artifact().parent.glob("*")
    return [path for path in inner if path.name != "format.log" and not path.name.startswith("reproduce_")]


def clear(context: Context) -> None:
    """Remove what an earlier attempt left."""
    for path in made(context):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def _converting(context: Context) -> dict[str, JSON]:
    """Return what a conversion reads; the device too, if its artifact runs on no other."""
    form, loader = context.host.registry.format(context.variant.format), loader_record(context)
    parent = context.suite.matrix.variants[context.variant.parent or ""]
    devices = {runner.device for runner in form.runner_specs}
    bound = devices == {"cuda"} or any("cuda" in name for name in required(context))
    return {
        "parent": [plain(parent), content_of(context, parent)],
        "example": digest_of(context.folder.path / context.folder.source.profiling_batch),
        "samples": [plain(loader), [digest_of(context.folder.path / batch) for batch in loader.batches]],
        "numerics": {name: _without_threads(values) for name, values in numerics(context).items()},
        "device": gpu_of(context) if bound else None,
        **({"rules": plain(rules)} if (rules := rules_of_search(context)) else {}),
    }


def _without_threads(values: dict[str, JSON]) -> dict[str, JSON]:
    return {name: value for name, value in values.items() if "threads" not in name}


def _made_files(context: Context) -> dict[str, Path]:
    """Return what a conversion has written, by its path below the variant's folder."""
    root = context.artifact().parent
    inner = (file for path in made(context) for file in (path.rglob("*") if path.is_dir() else [path]))
    return {file.relative_to(root).as_posix(): file for file in inner if file.is_file()}


def _restore_made(context: Context, folder: Path, data: dict[str, JSON]) -> None:
    clear(context)
    own = context.artifact().parent
    own.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.rename(own / path.name)
    write_making(context, data)


EXPORT = StepCode(export)
CONVERT = StepCode(convert, _converting, _made_files, _restore_made)
