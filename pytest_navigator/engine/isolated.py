"""What runs in the child: functions of plain data, each starting from files."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.comparison.divergence import NOT_APPLICABLE, Divergence
from pytest_navigator.comparison.generation import Generation
from pytest_navigator.comparison.tolerances import Rule
from pytest_navigator.configuration.batch_search import Search
from pytest_navigator.configuration.profile_config import Windows
from pytest_navigator.core.cloning import copy_file, copy_folder
from pytest_navigator.core.plain import JSON, load, plain, structured
from pytest_navigator.core.records import Case, LoaderRecord, Signature, TensorSpec
from pytest_navigator.core.variants import RunnerRecord, Variant
from pytest_navigator.devices import requirements
from pytest_navigator.engine import checks
from pytest_navigator.engine.cache import hardware
from pytest_navigator.engine.cache.libraries import versions_here
from pytest_navigator.engine.kept import KeptRunners
from pytest_navigator.errors import NotApplicable, StepFailed
from pytest_navigator.formats.base import LoaderData
from pytest_navigator.formats.diagnosis import Question
from pytest_navigator.isolation.importing import imported
from pytest_navigator.profiling.machine import peak, reset_peak
from pytest_navigator.profiling.memory import PeakMemory
from pytest_navigator.runners.spec import runner_class
from pytest_navigator.samples.cases import Batches
from pytest_navigator.samples.npz import load_npz
from pytest_navigator.samples.structure import flatten_output

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any

    import numpy as np

    from pytest_navigator.core.plain import Tree
    from pytest_navigator.frameworks.base import Source
    from pytest_navigator.runners.base import Runner

    StrPath = str | os.PathLike[str]
    Sent = Any
    """Plain data, of what the caller has given as an object: a child gets none."""


def missing(names: Sequence[str]) -> str | None:
    """Return the text of the first requirement that is not met."""
    return requirements.missing(names)


def versions(names: Sequence[str], modules: Sequence[str]) -> dict[str, Any]:
    """Return the versions of this Python and of what is installed in it."""
    return versions_here(names, modules)


def gpu() -> JSON:
    """Return the GPU, its driver, and the libraries for it that this Python has."""
    return hardware.gpu()


def built_with(format: str, parameters: Sent) -> JSON:
    """Return a BuiltWith, as plain data: what an artifact of a bound format would be built with here."""
    return plain(imported(format)().built_here(parameters))


def loads(folder: StrPath, variant: Sent, runner: Sent) -> dict[str, JSON]:
    """Load an artifact and free it again; returns the settings that its figures would depend on."""
    with _runner(folder, variant, runner) as active:
        return active.settings()


def convert(
    folder: StrPath, variant: Sent, parent: Sent, format: str, example: str, loader: Sent, rules: Sent
) -> dict[str, JSON]:
    """Make a variant from its parent's artifact; returns what is worth recording."""
    root, made, origin = Path(folder), structured(variant, Variant), structured(parent, Variant)
    signature, record = load(root / "signature.json", Signature), structured(loader, LoaderRecord)
    batches = Batches([root / batch for batch in record.batches], signature)
    data = LoaderData(load_npz(root / example, signature.inputs), batches, record, structured(rules, dict[str, Rule]))
    source = root / origin.key / origin.file
    found: dict[str, JSON] = imported(format)().convert(source, data, signature, made, root / made.key / made.file)
    return found


def correctness(folder: StrPath, variant: Sent, runner: Sent, cases: Sent, rules: Sent, keep: StrPath) -> JSON:
    """Compare a runner with the source on every case; returns CorrectnessFacts, as plain data."""
    compared = _runner(folder, variant, runner)
    compared.recording = True
    with compared as active:
        facts = checks.compare(
            active, Path(folder), structured(cases, list[Case]), structured(rules, dict[str, Rule]), Path(keep)
        )
        return plain(facts)


def decoding(folder: StrPath, variant: Sent, runner: Sent, cases: Sent, rules: Sent, generation: Sent) -> JSON:
    """Generate with a runner; returns CorrectnessFacts, as plain data, and what is wrong with a token."""
    with _runner(folder, variant, runner) as active:
        of, judged = structured(cases, list[Case]), structured(rules, dict[str, Rule])
        facts, problem = checks.decode(active, Path(folder), of, judged, Generation(*generation))
        return [plain(facts), problem]


def dump(folder: StrPath, variant: Sent, runner: Sent, cases: Sent, stem: str) -> None:
    """Write what goes into a runner and what comes out of it for Polygraphy."""
    with _runner(folder, variant, runner) as active:
        checks.dump(active, Path(folder), structured(cases, list[Case]), stem)


def diagnose(question: Sent, path: str) -> JSON:
    """Find the first value that an artifact computes otherwise; returns a Divergence, as plain data."""
    try:
        return plain(imported(path)().compare(structured(question, Question)))
    except NotApplicable as error:
        return plain(Divergence(NOT_APPLICABLE, reason=str(error)))


def profile(
    folder: StrPath, variant: Sent, runner: Sent, sample: str, batch_size: int | None, windows: Sent, seconds: float
) -> JSON:
    """Time a runner; returns a ProfileResult and the runner's settings, as plain data."""
    reset_peak()
    memory, of = PeakMemory(), structured(windows, Windows)
    with _measured(folder, variant, runner) as active:
        result = checks.profile(active, Path(folder), sample, batch_size, of, seconds, memory)
        return {"result": plain(replace(result, peak_memory=peak())), "settings": active.settings()}


def beside(
    old: Sent,
    new: Sent,
    runner: Sent,
    sample: str,
    batch_size: int | None,
    threshold: float,
    seed: int,
    seconds: float,
    old_runner: Sent = None,
) -> JSON:
    """Measure two artifacts beside each other; returns a `Paired`, as plain data."""
    from pytest_navigator.engine.beside import Artifact, measured

    before, now = (structured(each, Artifact) for each in (old, new))
    other = structured(old_runner, RunnerRecord) if old_runner else None
    feed = checks.timed_feed(Path(sample), now.signature, batch_size)
    return plain(measured(before, now, structured(runner, RunnerRecord), feed, threshold, seed, seconds, other))


def search(
    folder: StrPath,
    variant: Sent,
    runner: Sent,
    sample: str,
    plan: Sent,
    sizes: Sequence[int] | None,
    case: Sent,
    rules: Sent,
    progress: StrPath,
) -> JSON:
    """Find the batch sizes that are worth measuring; returns ThroughputFacts, as plain data."""
    of, judged = structured(plan, Search), structured(rules, dict[str, Rule])
    batch = structured(case, Case) if case else None
    with _runner(folder, variant, runner) as active:
        return plain(checks.search(active, Path(folder), sample, of, sizes, batch, judged, Path(progress)))


_OPEN: dict[str, Runner] = {}  # Runners that a `verify_` test holds open, by handle


def open_runner(folder: StrPath, variant: Sent, runner: Sent, handle: str, signature: Sent = None) -> None:
    """Load a runner and keep it until `close_runner`; without a signature, with that of the source step."""
    active = _runner(folder, variant, runner, signature)
    active.activate()
    _OPEN[handle] = active


def infer(arrays: Mapping[str, np.ndarray], handle: str) -> tuple[None, dict[str, np.ndarray]]:
    """Run one inference of an open runner."""
    if handle not in _OPEN:
        raise StepFailed("the runner is gone: the process that held it has ended during this test")
    return None, _OPEN[handle].infer(arrays)


def observe(arrays: Mapping[str, np.ndarray], handle: str) -> tuple[Tree, dict[str, np.ndarray]]:
    """Run one inference of an open runner whose outputs are not known yet; returns their structure too."""
    from pytest_navigator.backends.files.frameworks import FileFramework

    if handle not in _OPEN:
        raise StepFailed("the runner is gone: the process that held it has ended during this step")
    return flatten_output(_OPEN[handle].structured(arrays), None, FileFramework())


def watch(arrays: Mapping[str, np.ndarray], handle: str) -> tuple[Tree | None, dict[str, np.ndarray]]:
    """Tell what the outputs of an open runner are computed in, as text, in their places; nothing where it cannot."""
    from pytest_navigator.backends.files.frameworks import FileFramework

    found = _OPEN[handle].watched(arrays) if handle in _OPEN else None
    return (None, {}) if found is None else flatten_output(found, None, FileFramework())


def close_runner(handle: str) -> None:
    """Free a runner that `open_runner` holds, unless it went with its process."""
    if handle in _OPEN:
        _OPEN.pop(handle).deactivate()


def describe(path: StrPath, format: str, parameters: Sent, inputs: Sent, outputs: Sent) -> JSON:
    """Return what a model file says of itself, as plain data; inputs and outputs are what the user says of it."""
    given = [structured(specs, tuple[TensorSpec, ...]) if specs else () for specs in (inputs, outputs)]
    return plain(imported(format)().describe(Path(path), parameters, *given))


def take(path: StrPath, target: StrPath, parts: Sequence[str], files: Mapping[str, str]) -> None:
    """Copy a model file or folder, and the files beside it that it needs, without loading anything.

    Args:
        parts, files: as in `Description`.
    """
    origin, copy = Path(path), Path(target)
    copy.parent.mkdir(parents=True, exist_ok=True)
    if files:
        copy.mkdir(exist_ok=True)
        for name, own in files.items():
            copy_file((origin if origin.is_dir() else origin.parent) / own, copy / name)
        return
    if origin.is_dir():
        copy_folder(origin, copy)
        return
    copy_file(origin, copy)
    for part in parts:
        beside = copy.parent / part
        beside.parent.mkdir(parents=True, exist_ok=True)
        copy_file(origin.parent / part, beside)


_MEASURED = KeptRunners(most=1)


@contextmanager
def _measured(folder: StrPath, variant: Sent, runner: Sent) -> Iterator[Runner]:
    """Give a runner that stays loaded for the next measurement of the very same artifact, but on a GPU."""
    known = _runner(folder, variant, runner, freeing=False)
    if known.device != "cpu":
        with known as active:
            yield active
        return

    def load() -> Runner:
        known.activate()
        return known

    def fits(kept: Runner) -> bool:
        return (kept.parameters, kept.signature) == (known.parameters, known.signature)

    cell = str(known.artifact), str(_state_of(known.artifact)), known.name
    with _MEASURED.one(cell, load, fits) as active:
        yield active


def _state_of(artifact: Path | Source) -> list[tuple[str, int, int]]:
    """Return names, sizes and times of the files of an artifact."""
    assert isinstance(artifact, Path)
    files = [artifact, *(sorted(artifact.rglob("*")) if artifact.is_dir() else artifact.parent.glob("*"))]
    found = ((str(file), file.stat()) for file in files if file.is_file() and not _of_the_run(file.name))
    return [(name, stat.st_size, stat.st_mtime_ns) for name, stat in found]


def _of_the_run(name: str) -> bool:
    """Whether a file beside an artifact is the run's own: each step writes into these."""
    return name == "format.log" or name.startswith("reproduce_")


def _runner(folder: StrPath, variant: Sent, runner: Sent, signature: Sent = None, *, freeing: bool = True) -> Runner:
    """Return a runner that is not loaded yet; what a measurement has left goes first, unless it is to be used again."""
    if freeing:
        _MEASURED.clear()
    root, of = Path(folder), structured(variant, Variant)
    known = structured(signature, Signature) if signature else load(root / "signature.json", Signature)
    kind = runner_class(structured(runner, RunnerRecord))
    return kind(root / of.key / of.file, known, of.parameters)
