"""Figures that were measured elsewhere (in the child), shown by pytest-benchmark as its own to who asks for that."""

from __future__ import annotations

import os
import shlex
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_navigator.core.records import Outcome, ProfileResult


class ReplayClock:
    """A timer that stands still but for what a replay sets it to.

    It is reset before every round, so that end - start is the latency itself and not a difference of sums.
    """

    __name__ = "replay"

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time, in s."""
        return self.now

    def reset(self) -> None:
        """Go back to 0."""
        self.now = 0.0


CLOCK = pytest.StashKey[ReplayClock]()  # The clock of an item that replays


OPTION = "--benchmark-"
# Options of pytest-benchmark that say how the user's own functions are measured, and ask to see nothing.
SILENT = (
    *("min-time", "max-time", "min-rounds", "precision", "confidence", "timer", "calibration-precision"),
    *("warmup", "warmup-iterations", "disable-gc", "disable", "skip", "quiet", "storage", "netrc", "project-name"),
)


def check_installed(parser: pytest.Parser, args: list[str]) -> None:
    """Tell who asks for a view of pytest-benchmark's, and of nobody else's, where it comes from.

    Raises:
        pytest.UsageError: it is not installed.
    """
    if find_spec("pytest_benchmark"):
        return
    unknown = (word.partition("=")[0] for word in parser.parse_known_and_unknown_args(args)[1])
    if asked := next((word for word in unknown if word.startswith(OPTION)), None):
        raise pytest.UsageError(f"{asked}: pytest-benchmark is not installed (pip install pytest-navigator[benchmark])")


def wanted(config: pytest.Config) -> bool:
    """Whether somebody has asked for a view of pytest-benchmark's: our own summary has these figures already."""
    given = [*config.invocation_params.args, *shlex.split(os.environ.get("PYTEST_ADDOPTS", ""))]
    words = [str(word).partition("=")[0] for word in (*given, *config.getini("addopts"))]
    return any(word.startswith(OPTION) and word.removeprefix(OPTION) not in SILENT for word in words)


def prepare(item: pytest.Function) -> None:
    """Give an item the clock that its replay needs; call it before the item's fixtures are set up."""
    if not wanted(item.config):
        item.funcargs["benchmark"] = None  # so that pytest does not set it up
        return
    if CLOCK in item.stash:
        return  # it is run again
    clock = item.stash[CLOCK] = ReplayClock()
    # In front of the user's own marks: pytest-benchmark reads the closest one only.
    item.add_marker(pytest.mark.benchmark(timer=clock), append=False)


def replay_item(
    item: pytest.Item, benchmark: Any, result: ProfileResult, outcome: Outcome, *, group: str, runtime: str
) -> None:
    """Replay the result of an item that `prepare` has seen, if somebody wants to see it; see `replay`."""
    if CLOCK in item.stash:
        replay(benchmark, item.stash[CLOCK], result, extra_info(result, outcome.key, runtime), group)


def extra_info(result: ProfileResult, format: str, runtime: str) -> dict[str, str | int | float]:
    """Return what pytest-benchmark's JSON tells beside the figures (throughput in infer/s)."""
    info: dict[str, str | int | float | None] = {
        "format": format,
        "runtime": runtime,
        "batch_size": "nobatch" if result.batch_size is None else result.batch_size,
        "throughput": result.throughput,
        "stability": result.stability,
        "contention": result.contention,
    }
    return {name: value for name, value in info.items() if value is not None}


def replay(benchmark: Any, clock: ReplayClock, result: ProfileResult, info: Mapping[str, Any], group: str) -> None:
    """Let pytest-benchmark take each latency of a result for a round of its own.

    Does nothing for a `benchmark` that is not pytest-benchmark's: None, or one that would time the replay itself.
    When pytest-benchmark is disabled (`--benchmark-disable`, xdist) it shows nothing, and nothing fails.
    """
    if not _is_pytest_benchmarks(benchmark):
        return
    remaining = iter(result.latencies)

    def inference() -> None:
        clock.now = next(remaining, 0.0) / 1000  # --benchmark-cprofile calls once more than there are rounds

    benchmark.group = group
    benchmark.extra_info.update(info)
    benchmark.pedantic(inference, setup=clock.reset, rounds=len(result.latencies), iterations=1)


class _NotMeasured(Exception):
    """Ends a benchmark without a figure."""


@contextmanager
def measured(benchmark: Any) -> Iterator[None]:
    """Wrap what leads to a replay: if it raises, pytest-benchmark must not warn that it was not used.

    With `-W error` that warning would be a second failure of the item.
    """
    try:
        yield
    except BaseException:
        if _is_pytest_benchmarks(benchmark):
            with suppress(_NotMeasured):
                benchmark.pedantic(_fail)
        raise


def _fail() -> None:
    raise _NotMeasured


def _is_pytest_benchmarks(benchmark: object) -> bool:
    return type(benchmark).__module__.partition(".")[0] == "pytest_benchmark"


class NullBenchmark:
    """The plugin that stands in for pytest-benchmark where that is absent."""

    @pytest.fixture
    def benchmark(self) -> None:
        """Nothing: the generated items do without, and tests of others need pytest-benchmark."""
        pytest.fail(
            "the fixture 'benchmark' comes with pytest-benchmark, which is not part of this run "
            "(not installed: pip install pytest-navigator[benchmark]; or -p no:benchmark)",
            pytrace=False,
        )
