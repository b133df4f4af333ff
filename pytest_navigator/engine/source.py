"""The source step: the model and its loader keep their contract; everything later starts from what it writes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_navigator.backends.files.description import configured, facts, named
from pytest_navigator.comparison.computed import read
from pytest_navigator.comparison.tolerances import default
from pytest_navigator.core.digests import changed, digest_of, digest_of_arrays, fingerprint
from pytest_navigator.core.facts import Selection
from pytest_navigator.core.plain import JSON, Tree, plain, save
from pytest_navigator.engine.context import Context, Result
from pytest_navigator.engine.correctness import functions_of, rules_of
from pytest_navigator.engine.data_settings import data_settings, said_of
from pytest_navigator.engine.inference import Repetition, SourceModel
from pytest_navigator.engine.observation import FOLDERS, Observation
from pytest_navigator.engine.package import provide
from pytest_navigator.engine.refused_samples import explained
from pytest_navigator.engine.step_code import StepCode
from pytest_navigator.engine.timing_sample import write_timing_sample
from pytest_navigator.errors import ConfigError, SourceError
from pytest_navigator.frameworks.seeding import seeded
from pytest_navigator.isolation.live_section import live_section
from pytest_navigator.samples.npz import load_npz
from pytest_navigator.samples.reading import NO_LOADER, Limits, read_loader
from pytest_navigator.samples.signatures import trt_profile
from pytest_navigator.samples.structure import flatten_call

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_navigator.comparison.tolerances import Rule
    from pytest_navigator.configuration.config import NavConfig
    from pytest_navigator.core.records import Description, TensorSpec
    from pytest_navigator.engine.inference import Arrays
    from pytest_navigator.engine.workspace import SuiteFolder
    from pytest_navigator.frameworks.base import Source
    from pytest_navigator.samples.reading import Flatten, Samples


ROOM = 10  # How much further apart than two calls of one process may be, those of two may


def run(context: Context) -> Result:
    """Read the loader once, run the model on what is kept, and write samples, outputs and signature.

    Raises:
        SourceError: the model or the loader does not keep its contract.
    """
    if context.suite.package:
        return provide(context, context.suite.package)
    source = context.live.source()
    loader = context.live.loader()
    with live_section(context.log, context.limit), source.preserved():
        source.check()
        before = source.digests()
        own = _described(context, source)
        config = configured(context.suite.settings.config, own)
        chosen, notes = _random(context, own) if loader is NO_LOADER else (loader, ())
        flatten = _flatten(source, config)
        samples = _samples(context, source, chosen, config, flatten)
        observation = Observation(context, source, samples, config, own)
        with explained(context, source, own, drawn=loader is NO_LOADER):
            cases = observation.run()
        signature = observation.signature
        _check_outputs(context, signature.outputs)
        timed, remarks = write_timing_sample(context.folder.path, source, config, flatten, samples, signature)
        save(context.folder.path / "signature.json", signature)
        after = source.digests()  # before the model is put back
    changing = changed(before, after)
    digest = fingerprint(after, changing) or digest_of_arrays(_profiled(context.folder, observation))
    data = {"fingerprint": digest, "changing": changing, "cases": plain(cases), **_facts(observation, source), **timed}
    data |= data_settings(context, own, drawn=loader is NO_LOADER)
    data |= facts(context.suite.settings.config, named(own, config)) if own else {}
    artifact = context.artifact()
    context.live.remember()
    message = "; ".join((*notes, *observation.misdeclared, *_caveats(observation, changing), *remarks))
    return Result(data, message, digest_of(artifact) if context.variant.file else "")


def other_outputs(context: Context, source: Source) -> str:
    """Return how a live model differs from what the source step has seen on one sample; "" if it does not.

    Processes may differ in the last bits (threads, alignment), so that the default tolerances judge. Outputs that
    differed between two calls of one process are judged by the suite's own rules, with room for a third call.
    """
    folder, signature = context.folder, context.folder.signature
    known = folder.source
    batch = known.profiling_batch
    feed = load_npz(folder.path / batch, signature.inputs)
    expected = load_npz(folder.path / FOLDERS[1] / batch.partition("/")[2], signature.outputs)
    names, comparisons = [o.name for o in signature.outputs], context.suite.settings.config.comparisons
    with source.preserved():
        actual = SourceModel(source, signature.input_tree, names, comparisons)(feed, "the profiling sample")
    told = {name: read(text) for name, text in known.computed_in.items()}
    own = rules_of(context, context.variant, signature, told)
    functions = {} if known.bitwise else functions_of(context, context.variant, signature)
    tight = {spec.name: default(spec.dtype, computed=told.get(spec.name)) for spec in signature.outputs}
    rules = {n: _roomy(r) if not known.bitwise or r.kind == "unchecked" else tight[n] for n, r in own.items()}
    return Repetition(rules, functions).problem(known.selection.profiling, expected, actual)


def _roomy(rule: Rule) -> Rule:
    return replace(rule, atol=ROOM * rule.atol, rtol=ROOM * rule.rtol)


def _profiled(folder: SuiteFolder, observation: Observation) -> Arrays:
    """Return the same from what has just been written."""
    specs = [spec for spec in observation.signature.outputs if spec.name not in observation.repetition.unchecked]
    return load_npz(folder.path / "model_output" / observation.file(observation.samples.profiling), specs)


def _described(context: Context, source: Source) -> Description | None:
    own, said = source.describe(), context.host.file_config
    # In pytest there can be several models, and what is said of another one.
    if own is not None and said.flags is not None:
        from pytest_navigator.engine import said_signature

        try:
            said_signature.check(said, own)
        except ConfigError as error:
            raise SourceError(str(error)) from None
    return own


def _check_outputs(context: Context, seen: Sequence[TensorSpec]) -> None:
    from pytest_navigator.engine import said_signature

    if context.host.file_config.flags is None:  # in pytest it is a note: what is said may be of another model
        return
    try:
        said_signature.check_outputs(context.host.file_config, seen)
    except ConfigError as error:
        raise SourceError(str(error)) from None


def _random(context: Context, own: Description | None) -> tuple[list[Arrays], tuple[str, ...]]:
    """Return random data that fits a model which says what it takes, and what a user should know of it.

    Raises:
        SourceError: it does not, or a size is not known.
    """
    if own is None:
        raise SourceError("there is no nav_dataloader beside nav_model; write a fixture that returns a list of samples")
    if not own.inputs:
        raise SourceError("the model has no inputs: there is nothing to check it on")
    from pytest_navigator.engine.random_samples import samples, untried
    from pytest_navigator.engine.random_shapes import plan

    said = said_of(context, own)
    try:
        notes = (*plan(own.inputs, said).notes, *untried(own.inputs, said))
        return samples(own.inputs, said, context.suite.settings.seed), notes
    except ConfigError as error:
        raise SourceError(str(error)) from None


def _flatten(source: Source, config: NavConfig) -> Flatten:
    """Return what turns a sample into the structure of the call and arrays by name."""
    names = source.parameter_names()

    def flatten(sample: object) -> tuple[Tree, Arrays]:
        call = source.call_of(sample)
        return flatten_call(call, names, config.input_names or source.input_names(call), source.framework)

    return flatten


def _samples(context: Context, source: Source, loader: object, config: NavConfig, flatten: Flatten) -> Samples:
    settings, framework = context.suite.settings, source.framework
    limits = Limits(settings.sample_count, settings.max_sample_bytes)
    with seeded(settings.seed, [framework]):
        return read_loader(loader, flatten, limits, settings.seed, config.batch_dim, config.unbatched)


def _facts(observation: Observation, source: Source) -> dict[str, JSON]:
    samples, signature = observation.samples, observation.signature
    return {
        "model": source.title(),
        "device": source.device(),
        "computed_in": {name: computed.text for name, computed in observation.computed.items()},
        "observed": observation.digest,
        "bitwise": observation.repetition.bitwise,
        "unchecked": observation.repetition.unchecked,
        "samples": {
            "read": samples.read,
            "kept": len(samples.kept),
            "left_out": samples.left_out,
            "complete": samples.complete,
            "bytes": sum(observation.bytes.values()),
        },
        "selection": plain(Selection(tuple(samples.correctness), tuple(samples.conversion), samples.profiling)),
        "profiling_batch": f"model_input/{observation.file(samples.profiling)}",
        "max_batch_size": max((size for size in observation.sizes.values() if size is not None), default=None),
        "rows_repeat": observation.rows_repeat,
        "profile": trt_profile(samples, signature.inputs, signature.batch_dim),
    }


def _caveats(observation: Observation, changing: list[str]) -> list[str]:
    samples = observation.samples
    notes = [] if observation.repetition.bitwise else ["two runs differ in their last bits"]
    if changing:
        names = ", ".join(changing[:3]) + (f" and {len(changing) - 3} more" if len(changing) > 3 else "")
        notes.append(f"{names} changed when the model was called: not part of its fingerprint")
    if observation.only_batch_1:
        notes.append(f"{observation.only_batch_1}; so the batch axis is 1 in every export")
    if len(samples.kept) < samples.read:
        notes.append(f"{len(samples.kept)} of {samples.read} samples are checked")
    if samples.left_out:
        notes.append(f"{samples.left_out} more would not fit into --nav-max-sample-bytes")
    if not samples.complete:
        notes.append(f"the loader goes on after sample {samples.read - 1}, where reading stopped")
    return notes


STEP = StepCode(run)
