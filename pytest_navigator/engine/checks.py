"""Comparing and timing a runner: the same code for a runner in the child and for one of the live model."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import replace
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from pytest_navigator.backends.jax.empty_axes import empty_axis_hint
from pytest_navigator.comparison.correctness import Comparison
from pytest_navigator.comparison.facts import CorrectnessFacts
from pytest_navigator.comparison.generation import chosen as chosen_tokens
from pytest_navigator.comparison.verdicts import where
from pytest_navigator.core.facts import ThroughputFacts
from pytest_navigator.core.plain import plain
from pytest_navigator.core.tracebacks import users_traceback
from pytest_navigator.errors import NavigatorError, StepFailed
from pytest_navigator.isolation.causes import error_line
from pytest_navigator.profiling import machine
from pytest_navigator.profiling.measuring import measure
from pytest_navigator.profiling.memory import free
from pytest_navigator.profiling.search import chosen, search_sizes
from pytest_navigator.samples import polygraphy_json
from pytest_navigator.samples.cases import read_input, read_output
from pytest_navigator.samples.npz import load_npz, save_npz
from pytest_navigator.samples.signatures import resized

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from pytest_navigator.comparison.generation import Generation
    from pytest_navigator.comparison.tolerances import Rule
    from pytest_navigator.configuration.batch_search import Search
    from pytest_navigator.configuration.profile_config import Windows
    from pytest_navigator.core.records import Case, OutputReport, ProfileResult, Signature, SizeFigure
    from pytest_navigator.profiling.memory import PeakMemory
    from pytest_navigator.runners.base import Runner

COPIES = 9  # How often copies to a GPU and back are timed


def compare(
    runner: Runner, folder: Path, cases: Sequence[Case], rules: Mapping[str, Rule], keep: Path
) -> CorrectnessFacts:
    """Run every case on an activated runner and compare.

    Args:
        keep: where the outputs go that a function of the user's judges later, in a file per case.
    """
    comparison = Comparison(rules)
    kept = [name for name, rule in rules.items() if rule.kind == "function"]
    for i, case in enumerate(cases):
        actual = _infer(runner, case, read_input(folder, case, runner.signature))
        comparison.add(case.sample, case.kind, read_output(folder, case, runner.signature), actual)
        # The user's own functions are asked where they live, in pytest's process: what they compare goes there in
        # files.
        if kept:
            save_npz(keep / f"{i}.npz", {name: actual[name] for name in kept if name in actual})
    reports = tuple(comparison.reports())
    return CorrectnessFacts(
        reports,
        len(cases),
        dict(rules),
        nodes=runner.nodes(),
        graph_breaks=runner.graph_breaks(),
        compilation=runner.compilation(),
    )


def decode(
    runner: Runner, folder: Path, cases: Sequence[Case], rules: Mapping[str, Rule], generation: Generation
) -> tuple[CorrectnessFacts, str]:
    """Generate on an activated runner: every step gets its own inputs, and what the one before gave.

    The tokens that it gets are the source's, which are its own as long as it chooses the same.

    Returns:
        How the outputs compare, and what is wrong with the first token that is; "" if none is.
    """
    given: Mapping[str, np.ndarray] = {}
    comparison, problem = Comparison(rules), ""
    tokens = ties = 0
    for case in cases:
        actual = _infer(runner, case, {**read_input(folder, case, runner.signature), **given})
        expected = read_output(folder, case, runner.signature)
        comparison.add(case.sample, case.kind, expected, actual)
        if not set(generation.carried.values()) | {generation.scores} <= actual.keys():
            break
        choice = chosen_tokens(expected[generation.scores], actual[generation.scores], rules[generation.scores])
        problem = problem or (choice.problem and f"{case.kind}: {choice.problem}")
        tokens, ties = tokens + choice.number, ties + choice.tied
        given = {name: actual[output] for name, output in generation.carried.items()}
    reports = tuple(comparison.reports())
    return CorrectnessFacts(reports, len(cases), dict(rules), tokens=tokens, ties=ties), problem


def dump(runner: Runner, folder: Path, cases: Sequence[Case], stem: str) -> None:
    """Run cases once more on an activated runner, and write what goes in and comes out for Polygraphy.

    Args:
        folder: of the suite.
        stem: what the names of the two files in it start with.
    """
    feeds = [read_input(folder, case, runner.signature) for case in cases]
    expected = [read_output(folder, case, runner.signature) for case in cases]
    actual = [_infer(runner, case, feed) for case, feed in zip(cases, feeds, strict=True)]
    polygraphy_json.save_inputs(folder / f"{stem}{polygraphy_json.INPUTS}", feeds)
    results = {polygraphy_json.SOURCE: expected, type(runner).name: actual}
    polygraphy_json.save_outputs(folder / f"{stem}{polygraphy_json.OUTPUTS}", results)


def profile(
    runner: Runner,
    folder: Path,
    sample: str,
    batch_size: int | None,
    windows: Windows,
    seconds: float,
    memory: PeakMemory,
) -> ProfileResult:
    """Time the bare call of an activated runner on the profiling sample, resized from its real rows.

    Args:
        memory: of the GPU, from before the runner was loaded; it is looked at after each window.
    """
    feed = timed_feed(folder / sample, runner.signature, batch_size)
    with _calling():
        return _timed(runner, feed, batch_size, windows, seconds, memory)


def timed_feed(sample: Path, signature: Signature, batch_size: int | None) -> dict[str, np.ndarray]:
    """Return the sample of a file in a batch size, made from its real rows; None: as it is."""
    feed = load_npz(sample, signature.inputs)
    return feed if batch_size is None else resized(feed, signature.inputs, signature.batch_dim, batch_size)


def search(
    runner: Runner,
    folder: Path,
    sample: str,
    plan: Search,
    sizes: Sequence[int] | None,
    case: Case | None,
    rules: Mapping[str, Rule],
    progress: Path,
) -> ThroughputFacts:
    """Find the batch sizes that are worth measuring, and compare the outputs at them.

    Args:
        sample: what is timed, resized from its real rows.
        sizes: those that can be tried; None: all of the plan.
        case: of the user's own batches, whose rows are repeated; None: nothing is compared.
        rules: of the outputs that are compared, all of which have a row for each row of the inputs.
        progress: file that gets a line for each size as soon as it is timed.
    """
    signature = runner.signature
    feed = load_npz(folder / sample, signature.inputs)

    def bind(size: int) -> Callable[[], object]:
        return runner.bind(resized(feed, signature.inputs, signature.batch_dim, size))

    def note(figure: SizeFigure) -> None:
        with progress.open("a", encoding="utf-8") as file:
            file.write(json.dumps(plain(figure)) + "\n")

    with _calling():
        found = search_sizes(bind, plan, plan.sizes() if sizes is None else sizes, note=note, told=error_line)
    free()
    knee, best = chosen(found.sizes, plan.latency_budget)
    compared = [size for size in dict.fromkeys((knee, best)) if size and case and size not in (1, case.batch_size)]
    reports = _compared_at(runner, folder, case, rules, compared) if case else []
    return ThroughputFacts(
        found.sizes, knee, best, found.ended, found.reason, tuple(compared), tuple(reports), runner.settings()
    )


def _compared_at(
    runner: Runner, folder: Path, case: Case, rules: Mapping[str, Rule], sizes: Sequence[int]
) -> list[OutputReport]:
    """Compare at some batch sizes, whose rows are those of a case again and again."""
    signature, comparison = runner.signature, Comparison(rules)
    feed, expected = read_input(folder, case, signature), read_output(folder, case, signature)
    for size in sizes:
        kind = f"batch {size}"
        own = resized(feed, signature.inputs, signature.batch_dim, size)
        rows = resized(expected, signature.outputs, signature.batch_dim, size)
        actual = _infer(runner, replace(case, kind=kind), own)
        kept = ({name: each[name] for name in rules if name in each} for each in (rows, actual))
        comparison.add(case.sample, kind, *kept)
    return comparison.reports() if sizes else []


def _timed(
    runner: Runner,
    feed: Mapping[str, np.ndarray],
    batch_size: int | None,
    windows: Windows,
    seconds: float,
    memory: PeakMemory,
) -> ProfileResult:
    if runner.device != "cuda":
        return measure(runner.bind(feed), windows, batch_size=batch_size, seconds=seconds)

    def clock() -> float | None:
        memory.sample()
        return machine.gpu_clock()

    call = runner.bind(feed)
    result = measure(call, windows, batch_size=batch_size, seconds=seconds, gpu_clock=clock)
    # On what the timed call returns: to bind it anew would run the model once more, and have a compiler look again.
    copied = copy_latency(runner.copies(feed, call()))
    return replace(result, peak_gpu_memory=memory.peak, copy_latency=copied)


def copy_latency(copies: Callable[[], object] | None) -> float | None:
    """Return the median of a few calls in ms; the first one, which takes memory, does not count."""
    if copies is None:
        return None
    copies()
    begins = [time.perf_counter()]
    for _ in range(COPIES):
        copies()
        begins.append(time.perf_counter())
    return median(end - begin for begin, end in pairwise(begins)) * 1000


def _infer(runner: Runner, case: Case, feed: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Run a case; what the runtime raises says on which sample."""
    with _calling(where((case.sample, case.kind, ()))):
        return runner.infer(feed)


@contextmanager
def _calling(place: str = "") -> Iterator[None]:
    """Say of what a runtime raises where it was, and what to do about a size of 0."""
    try:
        yield
    except NavigatorError:
        raise
    except Exception as error:
        text = f"{error_line(error)}{place}{empty_axis_hint(str(error))}"
        raise StepFailed(text, users_traceback(error), type(error).__name__) from error
