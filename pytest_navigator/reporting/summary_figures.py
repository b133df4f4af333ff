"""The figures of a summary, as text (pure)."""

from __future__ import annotations

import math
from math import hypot
from typing import TYPE_CHECKING

from pytest_navigator.core.facts import ThroughputFacts, facts_of, profile_result
from pytest_navigator.core.records import earlier_text
from pytest_navigator.gates.ranking import ratio_range
from pytest_navigator.package.query.strategies import best, figures_of
from pytest_navigator.profiling.figures import rounded
from pytest_navigator.profiling.quiet import alike
from pytest_navigator.profiling.search import NEARLY
from pytest_navigator.text import columns

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.records import Outcome
    from pytest_navigator.package.query.results import Results
    from pytest_navigator.package.query.strategies import Figure

# Marks a figure that was unstable, disturbed, cut short or of an earlier run, and all that follow from one.
CAVEAT = "*"

# The lines of Model Navigator's block for a strategy, as columns, and the batch size that the figures are of.
STRATEGIES = ("Strategy", "p50 latency [ms]", "Throughput at p50 [infer/sec]", "Runner", "Model", "Batch")


ABOUT = 0.02  # Spread of a figure of a search, which times a size for a moment
APART = 0.9  # Of the median: what the quietest calls take at most where they are shown beside it
COARSEST = 0.05  # Spread of the ends of a range
COARSE = 0.005  # Spread of a speed-up, at least: nobody reads four digits of it


class Measured:
    """The figures of the rows of a summary; each record is read once, however many rows there are."""

    def __init__(self, results: Results) -> None:
        self._results = results
        self._cells: dict[tuple[str, str], list[Figure]] = {}
        self._sources: dict[tuple[JSON, ...], Figure] = {}
        # Those of what is slower than its float format, too: they are why it is not chosen.
        for figure in figures_of(results, results.cells()):
            self._cells.setdefault((figure.key, figure.runner), []).append(figure)
            runner = results.suite.runners[figure.runner]
            if figure.key == results.suite.framework and runner.runtime == runner.device:
                self._sources.setdefault(self._alike(figure), figure)

    def best(self, key: str, runner: str) -> Figure | None:
        """Return the figure at the smallest batch that was measured: the latency that people compare."""
        return min(self._cells.get((key, runner), ()), key=lambda f: f.batch_size or 0, default=None)

    def speed_up(self, figure: Figure | None) -> str:
        """Compare with the source on the same device of the same machine at the same batch size."""
        if figure is None:
            return "-"
        source = self._sources.get(self._alike(figure))
        return _ratio(source, figure) if source and figure.p50_latency else "-"

    def _alike(self, figure: Figure) -> tuple[int | str | None, ...]:
        # A machine has a name in a merged package: no speed-up is one of two machines.
        machine = self._results.profiles(figure.key, figure.runner)[0].notes.machine
        return figure.batch_size, self._results.suite.runners[figure.runner].device, machine


def p50(figure: Figure) -> str:
    """Return a latency in ms, marked if there is something to know about it, and that of the quietest calls if lower.

    A disturbed one has "322* (0.39)": half of its calls took 322 ms, and the quietest ones 0.39.
    """
    shown, span = rounded(figure.p50_latency, figure.spread) + _mark(figure), figure.span
    apart = span.disturbed and span.value < APART * figure.p50_latency
    return f"{shown} ({rounded(span.value, ABOUT)})" if apart else shown


def throughput(figure: Figure) -> str:
    """Return the throughput at that latency in infer/s, marked alike."""
    return rounded(figure.throughput, figure.spread) + _mark(figure)


def _mark(*figures: Figure) -> str:
    return CAVEAT if any(figure.caveat for figure in figures) else ""


def _ratio(source: Figure, figure: Figure) -> str:
    """Return a speed-up, which is as uncertain as its two figures together, and has the caveat of either.

    One of disturbed figures is that of the quietest calls, with the range that it may be in: "2.1x* (0.9-4.2x)".
    """
    spread = 0.0 if source == figure else hypot(source.spread, figure.spread)
    before, after = alike([source.span, figure.span])
    ratio = f"{rounded(before.value / after.value, max(spread, COARSE))}x{_mark(source, figure)}"
    limits = None if source == figure else ratio_range(source.span, figure.span)
    between = _range(*limits) if limits else ""
    return f"{ratio} ({between})" if between else ratio


def _range(least: float, most: float) -> str:
    if math.isinf(most):
        return f"{rounded(least, COARSEST)}x or more" if least else "any"
    ends = [rounded(end, COARSEST) for end in (least, most)]
    return f"{'-'.join(ends)}x" if len({*ends}) > 1 else ""


def strategies(results: Results) -> list[str]:
    """Return Model Navigator's block of strategies, a row each; nothing if there are no figures."""
    rows = strategy_rows(results)
    return columns([STRATEGIES, *rows], indent="") if rows else []


def strategy_rows(results: Results) -> list[tuple[str, ...]]:
    """Return what each strategy chooses, below `STRATEGIES`."""
    return [
        (
            name,
            p50(figure),
            throughput(figure),
            figure.runner,
            results.variant(figure.key).place,
            str(figure.batch_size or "-"),
        )
        for name, figure in best(results).winners
    ]


def searches(results: Results) -> list[str]:
    """Return a line for each search of batch sizes: what it found, and why it tried no larger ones."""
    return [
        f"batch sizes: {outcome.key} {outcome.runner}: {_search(facts)}"
        for outcome in results.outcomes
        if (facts := facts_of(outcome, ThroughputFacts)).sizes
    ]


def _search(facts: ThroughputFacts) -> str:
    best = next(each for each in facts.sizes if each.batch_size == facts.best)
    knee = f", {NEARLY:.0%} of it from {facts.knee} on".replace("%", " %") if facts.knee != facts.best else ""
    tried = f"{facts.sizes[0].batch_size} to {facts.sizes[-1].batch_size} were tried"
    return f"most infer/s at {facts.best} ({rounded(best.throughput, ABOUT)}){knee}; {tried}: {facts.reason}"


TOLD_APART = ("profile", "budget", "quantization", "regression")  # Steps whose notes have lines of their own


def caveats(results: Results) -> list[str]:
    """Return a line for each step that passed with a note, those of figures folded."""
    noted = [o for o in results.outcomes if o.passed and o.message not in ("", earlier_text(*o.earlier))]
    return _notes([o for o in noted if o.step not in TOLD_APART]) + _figures_with_caveats(noted)


def _notes(noted: Sequence[Outcome]) -> list[str]:
    steps: dict[str, list[str]] = {}
    for outcome in noted:
        steps.setdefault(outcome.message, []).append(outcome.id)
    return [f"note: {', '.join(ids)}: {message}" for message, ids in steps.items()]


def _figures_with_caveats(noted: Sequence[Outcome]) -> list[str]:
    """Fold the caveats of figures: how many, and the worst one as an example."""
    profiles = [o for o in noted if o.step == "profile"]
    if not profiles:
        return []
    worst = max(profiles, key=lambda o: profile_result(o).contention or 0.0)
    counted = "1 profile figure has" if len(profiles) == 1 else f"{len(profiles)} profile figures have"
    return [f"note: {counted} a caveat ({CAVEAT} above), for example {worst.id}: {worst.message}"]
