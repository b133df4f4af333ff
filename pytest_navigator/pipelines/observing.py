"""A pipeline is run on its samples: what it returns, and the graphs of the modules that it calls."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

from pytest_navigator.errors import ConfigError, SourceError
from pytest_navigator.isolation.causes import error_line
from pytest_navigator.pipelines.batches import doubled
from pytest_navigator.pipelines.end_to_end import own_copy, run_pipeline, same_state
from pytest_navigator.pipelines.graphs import varied_places
from pytest_navigator.pipelines.recording import recording
from pytest_navigator.pipelines.refusals import NO_MODULE
from pytest_navigator.pipelines.samples import pipeline_samples
from pytest_navigator.pipelines.structures import form_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_navigator.pipelines.calls import RecordedCall
    from pytest_navigator.pipelines.end_to_end import PipelineRun
    from pytest_navigator.pipelines.recording import Limits, Recorder
    from pytest_navigator.pipelines.registry import Wrapped
    from pytest_navigator.pipelines.samples import PipelineSample
    from pytest_navigator.pipelines.structures import Form

    Func = Callable[..., Any]

MOST_SAMPLES = 100
"""Of a loader: the pipeline runs several times on each."""


@dataclass(frozen=True)
class Observed:
    """What was seen of a pipeline.

    Attributes:
        samples: those that it ran on.
        recorded: what it returned while its modules were recorded.
        eager: what it returned with nothing recorded and nothing swapped in.
        calls: name of a module -> its recorded calls, none for one that was never called.
        counted: name of a module -> how many calls it had on the samples.
        notes: what a reader must know: a sample that raised, a batch size that the pipeline does not take.
    """

    samples: tuple[PipelineSample, ...]
    recorded: PipelineRun
    eager: PipelineRun
    calls: dict[str, list[RecordedCall]]
    counted: dict[str, int]
    notes: tuple[str, ...] = ()


def observe(
    func: Func, dataloader: object, modules: Sequence[Wrapped], limits: Limits | None = None, *, values: bool = True
) -> Observed:
    """Run a pipeline on each sample twice, once recorded; and on a batch of another size if the loader has one only.

    A sample that raises ends the recording: what was seen before it stays.

    Args:
        values: see `run_pipeline`.

    Raises:
        ConfigError: no module is wrapped, or none is called.
        SourceError: the loader is empty or gives no pairs; the pipeline raises on the first sample, or gives something
            else when it is run again.
    """
    if not modules:
        raise ConfigError(NO_MODULE)
    given = list(islice(pipeline_samples(dataloader), MOST_SAMPLES))
    if not given:
        raise SourceError("the dataloader is empty: there is no sample to run the pipeline on")
    notes = [f"only the first {MOST_SAMPLES} samples are used"] if len(given) == MOST_SAMPLES else []
    with recording(modules, limits) as recorder:
        recorded = run_pipeline(func, given, before=lambda sample: _of(recorder, sample), values=values)
    samples = _without_raising(given, recorded, notes)
    notes += _left_out(recorder)
    calls = {name: [call for call in own if call.sample < len(samples)] for name, own in recorder.calls.items()}
    if not any(calls.values()):
        raise ConfigError(
            f"the pipeline calls none of the modules that are wrapped ({', '.join(each.name for each in modules)}): is "
            "it built of other objects?"
        )
    several = len({sample.batch_size for sample in given}) > 1
    advice = "no other batch size is left" if several else "give the dataloader samples of two batch sizes"
    more = _at_another_batch_size(func, samples, modules, limits, notes, advice)
    every = {name: [*own, *_alike(own, more.get(name, []))] for name, own in calls.items()}
    return Observed(
        samples, recorded, run_pipeline(func, samples, values=values), every, dict(recorder.counted), tuple(notes)
    )


def _alike(own: Sequence[RecordedCall], more: Sequence[RecordedCall]) -> list[RecordedCall]:
    """Return the calls at another batch size that show that, and nothing which the user's own samples do not.

    A batch of another size may be another structure (a list for a text), or have numbers of its own (its size).
    """
    known: dict[Form, list[RecordedCall]] = {}
    found: dict[Form, list[RecordedCall]] = {}
    for calls, kinds in ((own, known), (more, found)):
        for call in calls:
            kinds.setdefault(form_of(call.call, values=False), []).append(call)
    same = {kind: varied_places(calls) for kind, calls in known.items() if kind in found}
    kept = [found[kind] for kind, places in same.items() if varied_places([*known[kind], *found[kind]]) == places]
    return [call for calls in kept for call in calls]


def _left_out(recorder: Recorder) -> list[str]:
    """Return what is not known of modules for want of memory, or since they are called in too many ways."""
    told = [(name, reason, n) for name, own in recorder.left_out.items() for reason, n in own.items()]
    return [
        f"{name}: {n} calls were not recorded ({reason})"
        for name, reason, n in told
        if reason.endswith(("MiB", "structures"))
    ]


def _of(recorder: Recorder, sample: PipelineSample) -> None:
    recorder.sample, recorder.batch_size = sample.index, sample.batch_size or 0


def _without_raising(
    given: Sequence[PipelineSample], recorded: PipelineRun, notes: list[str]
) -> tuple[PipelineSample, ...]:
    """Return the samples before the first one that raised."""
    ran = len(recorded.returned)
    if not ran:
        raise SourceError(f"the pipeline, as it is, raises: {recorded.raised}") from recorded.error
    if recorded.raised:
        notes.append(f"{recorded.raised}; the {ran} before it are used")
    return tuple(given[:ran])


def _at_another_batch_size(
    func: Func,
    samples: Sequence[PipelineSample],
    modules: Sequence[Wrapped],
    limits: Limits | None,
    notes: list[str],
    advice: str,
) -> dict[str, list[RecordedCall]]:
    """Return the calls on a sample with twice its rows; none if it is not taken, or the loader has two batch sizes."""
    sizes = {sample.batch_size for sample in samples}
    other = doubled(samples[0]) if len(sizes) == 1 else None
    if other is None:
        return {}
    with recording(modules, limits) as recorder, same_state():
        recorder.sample, recorder.batch_size = len(samples), other.batch_size or 0
        try:
            own_copy(other).run(func)
        except Exception as error:
            notes.append(
                f"no batch axis is known: the pipeline does not take a batch of {other.batch_size} ("
                f"{error_line(error)}); {advice}"
            )
            return {}
    return recorder.calls
