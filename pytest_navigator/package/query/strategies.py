"""Which runner is the best one: Model Navigator's strategies (pure).

They rank by the latencies that were measured; where one of them is disturbed all count by their quietest calls, which
they have shown that they can have. Where that leaves open which one is faster, the smallest figure that was seen is the
smaller risk, and `gates.ranking` says what it leaves open; of equal ones the first of the suite is chosen.

The summary of a run, `--nav-keep=best`, status.yaml and `Package.get_runner` choose by this code.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_navigator.core.facts import profile_result
from pytest_navigator.core.records import earlier_text
from pytest_navigator.core.steps import Status
from pytest_navigator.errors import ConfigError, StrategyError
from pytest_navigator.package.query.results import combined
from pytest_navigator.profiling.figures import caveat, rate, spread
from pytest_navigator.profiling.quiet import Span, alike, span

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from pytest_navigator.core.records import Outcome, ProfileResult
    from pytest_navigator.package.query.results import Results


@dataclass(frozen=True)
class Figure:
    """One runner at one batch size: p50 latency in ms, and the throughput at that latency in infer/s.

    Attributes:
        caveat: what a reader of both must know ("unstable: ..."); "" for nothing.
        spread: by what share they may be others.
        undisturbed: what the latency is without what disturbed the measurement; None: nobody knows, the p50.
    """

    key: str
    runner: str
    batch_size: int | None
    p50_latency: float
    throughput: float
    caveat: str = ""
    spread: float = 0.0
    undisturbed: Span | None = None

    @property
    def place(self) -> str:
        """What is measured, for people."""
        return f"{self.key} on {self.runner}"

    @property
    def span(self) -> Span:
        """What runners are ranked by: the p50 latency, where it is disturbed that of the quietest calls; in ms."""
        return self.undisturbed or Span(self.p50_latency, self.p50_latency, self.p50_latency)

    @property
    def rank(self) -> float:
        """The throughput at that latency, in infer/s."""
        return self.throughput * self.p50_latency / self.span.value if self.span.value else self.throughput


class Strategy(ABC):
    """A rule that chooses one of the figures that were measured."""

    @property
    def name(self) -> str:
        """The name of the class, as Model Navigator prints it."""
        return type(self).__name__

    @abstractmethod
    def choose(self, figures: Sequence[Figure]) -> Figure:
        """Return the best one; a tie goes to the one that the suite names first.

        Args:
            figures: at least one.

        Raises:
            StrategyError: none of them is what the strategy is for.
        """


@dataclass(frozen=True)
class MaxThroughputStrategy(Strategy):
    """The largest throughput at any batch size."""

    def choose(self, figures: Sequence[Figure]) -> Figure:
        """Return the figure with the largest throughput."""
        return max(figures, key=lambda figure: figure.rank)


@dataclass(frozen=True)
class MinLatencyStrategy(Strategy):
    """The smallest p50 latency at any batch size."""

    def choose(self, figures: Sequence[Figure]) -> Figure:
        """Return the figure with the smallest p50 latency."""
        return min(figures, key=lambda figure: figure.span.value)


@dataclass(frozen=True)
class MaxThroughputWithLatencyBudgetStrategy(Strategy):
    """The largest throughput whose p50 latency is within a budget.

    Args:
        latency_budget: ms.

    Raises:
        ConfigError: the budget is no number above 0.
    """

    latency_budget: float

    def __post_init__(self) -> None:
        if isinstance(self.latency_budget, bool) or not isinstance(self.latency_budget, (int, float)):
            raise ConfigError(f"{self.name}(latency_budget={self.latency_budget!r}): it must be a number of ms")
        if not self.latency_budget > 0:
            raise ConfigError(f"{self.name}(latency_budget={self.latency_budget!r}): it must be above 0 ms")

    def choose(self, figures: Sequence[Figure]) -> Figure:
        """Return the figure with the largest throughput within the budget.

        Raises:
            StrategyError: every runner is slower.
        """
        fitting = [figure for figure in figures if figure.span.value <= self.latency_budget]
        if not fitting:
            best = MinLatencyStrategy().choose(figures)
            what = "latency of quiet calls" if best.span.value < best.p50_latency else "p50 latency"
            raise StrategyError(
                f"{self.name}: no runner is within {self.latency_budget:g} ms; the smallest {what} is "
                f"{best.span.value:.4g} ms ({best.place})"
            )
        return MaxThroughputStrategy().choose(fitting)


@dataclass(frozen=True)
class MaxThroughputAndMinLatencyStrategy(Strategy):
    """The runner that has both the largest throughput and the smallest p50 latency."""

    def choose(self, figures: Sequence[Figure]) -> Figure:
        """Return the figure with that runner's smallest latency.

        Raises:
            StrategyError: these are two runners.
        """
        latency, throughput = MinLatencyStrategy().choose(figures), MaxThroughputStrategy().choose(figures)
        most = {figure.place for figure in figures if figure.rank == throughput.rank}
        fastest = [figure for figure in figures if figure.span.value == latency.span.value]
        both = [figure for figure in fastest if figure.place in most]
        if not both:
            raise StrategyError(
                f"{self.name}: {throughput.place} has the largest throughput, {latency.place} the smallest latency"
            )
        return both[0]


@dataclass(frozen=True)
class SelectedRuntimeStrategy(Strategy):
    """One runner by its names, at the largest batch size that was measured.

    Args:
        model_key: folder name of the format ("trt-fp16").
        runner_name: name of the runner ("TensorRT").
    """

    model_key: str
    runner_name: str

    def choose(self, figures: Sequence[Figure]) -> Figure:
        """Return the last figure of that runner.

        Raises:
            StrategyError: it has none.
        """
        own = [figure for figure in figures if (figure.key, figure.runner) == (self.model_key, self.runner_name)]
        if not own:
            known = ", ".join(dict.fromkeys(figure.place for figure in figures))
            raise StrategyError(
                f"{self.name}: {self.model_key} on {self.runner_name} has no figures (there are: {known})"
            )
        return own[-1]


@dataclass(frozen=True)
class Best:
    """The winners of the summary; None where no runner has passed both correctness and profiling."""

    latency: Figure | None = None
    throughput: Figure | None = None

    @property
    def winners(self) -> list[tuple[str, Figure]]:
        """Name of each strategy and what it chooses, in the order of the summary; nothing if there are no figures."""
        return [(strategy.name, figure) for name, strategy in SUMMARY.items() if (figure := getattr(self, name))]

    @property
    def keys(self) -> set[str]:
        """Keys of the winning variants."""
        return {figure.key for _, figure in self.winners}


# Model Navigator's: the second one where the first one has no answer.
DEFAULT: tuple[Strategy, ...] = (MaxThroughputAndMinLatencyStrategy(), MinLatencyStrategy())

# What the summary of a run and status.yaml say, and `--nav-keep=best` keeps.
SUMMARY: dict[str, Strategy] = {"throughput": MaxThroughputStrategy(), "latency": MinLatencyStrategy()}


def choose(figures: Sequence[Figure], strategies: Strategy | Sequence[Strategy] = DEFAULT) -> Figure:
    """Return what the first strategy that has an answer chooses.

    Raises:
        StrategyError: none has, with the reason of each; or there is nothing to choose from.
    """
    if not figures:
        raise StrategyError("there are no figures to choose by: no runner has passed both correctness and profiling")
    reasons = []
    for strategy in _listed(strategies):
        try:
            return strategy.choose(figures)
        except StrategyError as error:
            reasons.append(str(error))
    raise StrategyError("; ".join(reasons) or "no strategy was given")


def either(
    strategy: Strategy | None, strategies: Strategy | Sequence[Strategy] | None
) -> Strategy | Sequence[Strategy] | None:
    """Return what is asked for by one of two keywords that mean the same, None for nothing.

    Raises:
        ConfigError: both are given.
    """
    if strategy is not None and strategies is not None:
        raise ConfigError("strategy and strategies are the same keyword: give one of them")
    return strategies if strategy is None else strategy


def choose_possible(figures: Sequence[Figure], possible: Callable[[Figure], bool]) -> Figure:
    """Return what the default strategies choose of the runners that are possible; where none is, what they do of all.

    Asks only of what they choose, since the answer can take an import.

    Raises:
        StrategyError: there is nothing to choose from.
    """
    left, answer = figures, choose(figures)
    while left:
        found = choose(left)
        if possible(found):
            return found
        left = [figure for figure in left if figure.place != found.place]
    return answer


def check(strategies: object) -> None:
    """Find out before anything is looked up whether these are strategies; None is.

    Raises:
        ConfigError: they are something else, or there is none.
    """
    if strategies is not None and not _listed(strategies):
        raise ConfigError(f"strategies={strategies!r}: no strategy is in it; leave it out for what was chosen")


def _listed(strategies: object) -> Sequence[Strategy]:
    found: Sequence[Any] = strategies if isinstance(strategies, (list, tuple)) else [strategies]
    for each in found:
        if not isinstance(each, Strategy):
            valid = ", ".join(f"{kind.__name__}(...)" for kind in Strategy.__subclasses__())
            raise ConfigError(f"strategies={each!r}: not a strategy (there are: {valid})")
    return found


def best(results: Results, *, files_only: bool = False) -> Best:
    """Return what the strategies of the summary choose.

    Args:
        files_only: leave out the live model, which is in no package.
    """
    return best_of(candidates(results, include_source=not files_only))


def best_of(figures: Sequence[Figure]) -> Best:
    """Return what they choose of some figures, which may be none."""
    return Best(**{name: strategy.choose(figures) for name, strategy in SUMMARY.items()}) if figures else Best()


def candidates(results: Results, *, include_source: bool = True, verified_only: bool = False) -> list[Figure]:
    """Return the figures of every runner whose correctness and profile steps passed, and that is worth its place.

    Args:
        include_source: whether the live model counts, which is in no package.
        verified_only: leave out what no `verify_` test and nobody by `set_verified` vouches for.
    """
    worth = figures_of(results, [cell for cell in results.cells() if results.worth(*cell)])
    spans = alike([figure.span for figure in worth])
    return [
        replace(figure, undisturbed=span)
        for figure, span in zip(worth, spans, strict=True)
        if include_source or results.variant(figure.key).file
        if not verified_only or results.verified(figure.key, figure.runner)
    ]


def figures_of(results: Results, cells: Collection[tuple[str, str]]) -> list[Figure]:
    """Return the figures of some runners that passed."""
    return [figure for key, runner in cells for figure in _figures(results, key, runner)]


def _figures(results: Results, key: str, runner: str) -> list[Figure]:
    correctness, profiles = results.correctness(key, runner), results.profiles(key, runner)
    if not (correctness and correctness.passed) or combined(profiles) is not Status.PASSED:
        return []
    measured = [(outcome, profile_result(outcome)) for outcome in profiles if outcome.passed]
    return [
        _figure(outcome, runner, result)
        for outcome, result in measured
        if math.isfinite(result.p50_latency) and math.isfinite(result.throughput)
    ]


def _figure(outcome: Outcome, runner: str, result: ProfileResult) -> Figure:
    """Return what a measurement says; one that others made tells its throughput by another statistic.

    One of an earlier run was measured at another time than what stands beside it.
    """
    latency, batch_size = result.p50_latency, result.batch_size
    throughput = rate(latency, batch_size) if latency > 0 else result.throughput
    noted = "; ".join(filter(None, (earlier_text(*outcome.earlier), caveat(result))))
    return Figure(outcome.key, runner, batch_size, latency, throughput, noted, spread(result), span(result))
