from __future__ import annotations

import gc
import sys
import threading
from dataclasses import dataclass, field, replace
from itertools import chain, repeat
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_navigator.configuration.profile_config import (
    MeasurementMode,
    OptimizationProfile,
    ProfilerConfig,
    Windows,
)
from pytest_navigator.core.plain import plain, structured
from pytest_navigator.core.records import ProfileResult
from pytest_navigator.core.steps import batch_ids, batch_of
from pytest_navigator.errors import ConfigError
from pytest_navigator.profiling.figures import caveat
from pytest_navigator.profiling.measuring import measure, summary

if TYPE_CHECKING:
    from collections.abc import Callable

MS = 1_000_000
DEFAULT = OptimizationProfile().windows()


@dataclass
class Model:
    """A call that takes scripted latencies (ms), and the clock that sees them."""

    latencies: chain[float]
    now: int = 0
    calls: int = 0
    seen: list[object] = field(default_factory=list)
    probe: Callable[[], object] = lambda: None

    def clock(self) -> int:
        return self.now

    def __call__(self) -> None:
        self.now += round(next(self.latencies) * MS)
        self.calls += 1
        self.seen.append(self.probe())


def model(*latencies: float, then: float = 1.0) -> Model:
    return Model(chain(latencies, repeat(then)))


def profiled(
    model: Model, windows: Windows = DEFAULT, batch_size: int | None = 1, seconds: float = 10
) -> ProfileResult:
    return measure(model, windows, batch_size=batch_size, seconds=seconds, clock=model.clock, waiting=lambda: None)


def waves(*means: float, size: int = 25) -> list[float]:
    return [mean for mean in means for _ in range(size)]


def test_a_steady_model_is_stable_after_three_windows() -> None:
    result = profiled(model(then=20), batch_size=4)

    assert (result.stability, result.windows, result.request_count) == ("stable", 3, 75)
    assert result.latencies == (20.0,) * 75
    assert (result.avg_latency, result.std_latency, result.p99_latency) == (20.0, 0.0, 20.0)
    assert result.throughput == 200.0
    assert result.window_means == (20.0, 20.0, 20.0)


def test_throughput_without_a_batch_axis_counts_inferences() -> None:
    result = profiled(model(then=20), batch_size=None)

    assert result.batch_size is None
    assert result.throughput == 50.0


def test_a_slow_first_call_is_not_in_the_figures() -> None:
    result = profiled(model(900.0, then=20))

    assert max(result.latencies) == 20.0


def test_the_warm_up_lasts_until_the_latency_stops_falling() -> None:
    falling = [30.0] * 6 + [25.0] * 5 + [20.0] * 5 + [15.0] * 5

    result = profiled(model(*falling, then=14.9))

    assert set(result.latencies) == {14.9}
    assert result.stability == "stable"


def test_the_warm_up_takes_a_tenth_of_the_time_limit_at_most() -> None:
    ever_falling = [100 * 0.98**index for index in range(100)]
    slow = model(*ever_falling, then=1)

    profiled(slow, replace(DEFAULT, size=1), seconds=1)

    assert slow.calls == 1 + 3


def test_windows_that_settle_late_count_alone() -> None:
    warm_up = [10.0] * 6
    result = profiled(model(*warm_up, *waves(30, 20), then=10))

    assert result.stability == "stable"
    assert result.request_count == 75
    assert set(result.latencies) == {10.0}


def test_a_model_that_never_settles_is_recorded_as_unstable() -> None:
    warm_up = [10.0] * 6
    restless = model(*warm_up, *waves(*[10, 20] * 5))

    result = profiled(restless)

    assert result.stability == "unstable"
    assert result.window_means == (20.0, 10.0, 20.0)
    assert restless.calls == 6 + 10 * 25
    assert caveat(result) == "unstable: the means of the last windows are 20, 10, 20 ms"


@pytest.mark.parametrize(("last", "stability"), [(11.0, "unstable"), (10.999, "stable")])
def test_a_deviation_of_exactly_the_stability_percentage_is_not_stable(last: float, stability: str) -> None:
    warm_up = [10.0] * 6
    two = replace(DEFAULT, stabilization_windows=2, min_trials=2, max_trials=2)
    ten = 100 / 21  # 10 and 11 are 4.76 % from their mean

    result = profiled(model(*warm_up, *waves(10, last)), replace(two, stability_percentage=ten))

    assert result.stability == stability


def test_a_slow_model_gets_smaller_windows_and_says_short() -> None:
    result = profiled(model(then=250), seconds=10)

    assert result.stability == "short"
    assert (result.windows, result.request_count) == (3, 3 * 12)
    assert caveat(result) == "short: the time limit left room for 36 inferences"


def test_a_window_does_not_shrink_below_five_inferences() -> None:
    slow = model(then=1000)

    result = profiled(slow, seconds=10)

    assert (result.stability, result.windows, result.request_count) == ("short", 1, 5)
    assert slow.now <= 10_000 * MS


@pytest.mark.parametrize("latency", [3_000, 60_000])
def test_a_model_that_is_too_slow_for_the_limit_has_one_window_of_five_inferences(latency: float) -> None:
    result = profiled(model(then=latency), seconds=10)

    assert (result.stability, result.windows, result.request_count) == ("short", 1, 5)
    assert result.p99_latency == latency
    assert caveat(result) == "short: the time limit left room for 5 inferences"


def test_a_smaller_window_that_was_asked_for_stays() -> None:
    result = profiled(model(then=60_000), replace(DEFAULT, size=2), seconds=10)

    assert (result.stability, result.request_count) == ("short", 2)


def test_a_first_call_that_compiles_leaves_half_of_the_time_to_the_windows() -> None:
    result = profiled(model(60_000, then=10), seconds=10)

    assert (result.stability, result.request_count) == ("stable", 75)


def test_a_model_that_becomes_slow_stops_at_the_limit() -> None:
    tired = model(*[1.0] * 45, then=500)

    result = profiled(tired, seconds=10)

    assert result.stability == "short"
    assert tired.now <= 10_000 * MS


def test_time_windows_last_their_interval() -> None:
    config = ProfilerConfig(measurement_mode=MeasurementMode.TIME_WINDOWS, measurement_interval=1000)

    result = profiled(model(then=10), config.windows())

    assert (result.stability, result.request_count) == ("stable", 300)


def test_time_windows_shrink_to_the_limit() -> None:
    config = ProfilerConfig(measurement_mode=MeasurementMode.TIME_WINDOWS)
    restful = model(then=10)

    result = profiled(restful, config.windows(), seconds=1)

    assert result.stability == "short"
    assert restful.now <= 1000 * MS


def test_nothing_traces_or_collects_while_a_window_is_timed() -> None:
    def tracer(*_: object) -> None:
        return None

    watched = model()
    watched.probe = lambda: (
        sys.gettrace(),
        sys.getprofile(),
        threading.gettrace(),
        threading.getprofile(),
        gc.isenabled(),
    )
    before = watched.probe()
    sys.setprofile(tracer)
    sys.settrace(tracer)
    threading.setprofile(tracer)
    threading.settrace(tracer)
    try:
        profiled(watched)
        after = (sys.gettrace(), sys.getprofile(), threading.gettrace(), threading.getprofile(), gc.isenabled())
    finally:
        sys.settrace(before[0])
        sys.setprofile(before[1])
        threading.settrace(before[2])
        threading.setprofile(before[3])

    assert set(watched.seen) == {(None, None, None, None, False)}
    assert after == (tracer, tracer, tracer, tracer, True)


def test_tracing_and_collecting_are_restored_when_the_model_raises() -> None:
    class Broken(Exception):
        pass

    def tracer(*_: object) -> None:
        return None

    def call() -> None:
        raise Broken

    before = sys.getprofile()
    sys.setprofile(tracer)
    try:
        with pytest.raises(Broken):
            measure(call, DEFAULT, batch_size=1)
        after = (sys.getprofile(), gc.isenabled())
    finally:
        sys.setprofile(before)

    assert after == (tracer, True)


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        profiled(model())
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_the_gpu_clock_is_the_mean_over_the_windows() -> None:
    frequencies = iter([1000.0, None, 2000.0])
    steady = model()

    result = measure(steady, DEFAULT, batch_size=1, clock=steady.clock, gpu_clock=lambda: next(frequencies))

    assert result.avg_gpu_clock == 1500.0


def test_a_real_call_is_measured_with_the_real_clock() -> None:
    result = measure(lambda: sum(range(1000)), replace(DEFAULT, stability_percentage=1e9), batch_size=2, seconds=5)

    assert result.stability == "stable"
    assert 0 < result.p50_latency <= result.p90_latency <= result.p99_latency <= max(result.latencies)
    assert result.contention is None or 0 <= result.contention <= 1


def test_a_contended_figure_says_so() -> None:
    quiet = summary([[MS]], 1, contention=0.1)
    busy = summary([[MS]], 1, contention=0.604, stability="short")

    assert caveat(quiet) == ""
    assert caveat(busy) == (
        "short: the time limit left room for 1 inference; measured while others used 60 % of the processors"
    )


def test_a_figure_says_that_it_was_too_short_to_tell_whether_others_were_there() -> None:
    assert caveat(summary([[MS]], 1)) == "too short to tell whether others used the processors"
    assert caveat(summary([[MS]], 1, stability="short")) == "short: the time limit left room for 1 inference"


def test_a_result_survives_the_way_through_plain_data() -> None:
    result = profiled(model(1.5, 2.5))

    assert structured(plain(result), ProfileResult) == result
    assert structured(plain(DEFAULT), Windows) == DEFAULT


latency = st.integers(100_000, 10**10)


@given(st.lists(st.lists(latency, min_size=1), min_size=1), st.none() | st.integers(1, 4096))
def test_the_figures_are_those_of_all_latencies_together(trials: list[list[int]], batch: int | None) -> None:
    result = summary(trials, batch)

    latencies = np.concatenate(trials) / MS
    expected = [latencies.mean(), latencies.std(), *np.percentile(latencies, [50, 90, 95, 99])]
    found = [result.avg_latency, result.std_latency]
    found += [result.p50_latency, result.p90_latency, result.p95_latency, result.p99_latency]
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_allclose(result.throughput, 1000 * (batch or 1) / np.median(latencies), rtol=1e-12)
    np.testing.assert_array_equal(result.latencies, latencies)
    assert (result.request_count, result.windows) == (latencies.size, len(trials))


@settings(deadline=None)
@given(
    latencies=st.lists(st.floats(0.5, 3000), max_size=400),
    then=st.floats(0.5, 3000),
    size=st.integers(1, 40),
    needed=st.integers(1, 4),
    more=st.integers(0, 4),
    seconds=st.floats(0.1, 20),
)
def test_every_model_is_measured_within_the_limits(
    latencies: list[float], then: float, size: int, needed: int, more: int, seconds: float
) -> None:
    windows = Windows(size=size, stabilization_windows=needed, min_trials=needed, max_trials=needed + more)
    timed = Model(chain(latencies, repeat(then)))

    result = profiled(timed, windows, seconds=seconds)

    longest = max([*latencies, then])
    assert 1 <= result.windows <= needed
    assert min(5, size) <= result.request_count <= needed * size
    assert timed.now <= (seconds * 1500 + (1 + 5) * longest + 1) * MS
    if result.stability == "stable":
        mean = np.mean(result.window_means)
        assert result.request_count == needed * size
        assert all(abs(each - mean) < mean * 0.1 * (1 + 1e-9) for each in result.window_means)


def test_the_defaults_are_model_navigators() -> None:
    assert OptimizationProfile().windows() == Windows(25, None, 10.0, 3, 3, 10)
    assert ProfilerConfig().windows() == Windows(50, None, 10.0, 3, 3, 10)
    assert ProfilerConfig(measurement_mode=MeasurementMode.TIME_WINDOWS).windows().interval == 5000
    assert ProfilerConfig(max_trials=2).windows() == Windows(50, None, 10.0, 2, 2, 2)


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (OptimizationProfile, {"window_size": 0}, "OptimizationProfile.window_size is 0: .* whole number, at least 1"),
        (OptimizationProfile, {"window_size": True}, "OptimizationProfile.window_size is True"),
        (OptimizationProfile, {"window_size": "25"}, "OptimizationProfile.window_size is '25'"),
        (OptimizationProfile, {"stability_percentage": 0}, "stability_percentage is 0: .* above 0"),
        (OptimizationProfile, {"stability_percentage": float("nan")}, "stability_percentage is nan"),
        (OptimizationProfile, {"throughput_backoff_limit": -1}, "throughput_backoff_limit is -1: .* at least 0"),
        (OptimizationProfile, {"throughput_cutoff_threshold": -0.1}, "throughput_cutoff_threshold is -0.1"),
        (OptimizationProfile, {"max_batch_size": 0}, "max_batch_size is 0"),
        (OptimizationProfile, {"batch_sizes": []}, r"batch_sizes is \[\]: .* each at least 1"),
        (OptimizationProfile, {"batch_sizes": [1, 0]}, r"batch_sizes is \[1, 0\]"),
        (OptimizationProfile, {"batch_sizes": 8}, "batch_sizes is 8"),
        (
            OptimizationProfile,
            {"min_trials": 2},
            "stabilization_windows is 3: it must be at most min_trials, which is 2",
        ),
        (OptimizationProfile, {"max_trials": 2}, "min_trials is 3: it must be at most max_trials, which is 2"),
        (OptimizationProfile, {"windowsize": 5}, "'windowsize'; did you mean 'window_size'"),
        (ProfilerConfig, {"measurement_request_count": None}, "ProfilerConfig.measurement_request_count is None"),
        (ProfilerConfig, {"measurement_mode": "count_window"}, "'count_window'; did you mean 'count_windows'"),
        (ProfilerConfig, {"measurement_mode": "time_windows", "measurement_interval": 0}, "measurement_interval is 0"),
        (ProfilerConfig, {"max_trials": 0}, "ProfilerConfig.max_trials is 0"),
    ],
)
def test_a_wrong_value_names_its_field(
    kind: type[OptimizationProfile | ProfilerConfig], fields: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        kind(**fields)  # type: ignore[arg-type]


def test_a_field_of_the_other_mode_does_not_matter() -> None:
    time_windows = ProfilerConfig(measurement_mode="time_windows", measurement_request_count=None)
    count_windows = ProfilerConfig(measurement_interval=None)

    assert time_windows.windows().interval == 5000
    assert count_windows.windows().size == 50


def test_ids_tell_the_batch_sizes() -> None:
    assert batch_ids(None, 0) == ("batch1", "batchmax")
    assert batch_ids(None, 0, loader_max=1) == ("batch1",)
    assert batch_ids(None, None) == ("nobatch",)
    assert batch_ids((8, 1), 0) == ("batch1", "batch8")
    assert [batch_of(name, 32) for name in ("batch1", "batchmax", "batch8", "nobatch")] == [1, 32, 8, None]


@given(st.lists(st.integers(1, 2**30), min_size=1), st.none() | st.integers(1, 512))
def test_sizes_that_were_asked_for_are_never_dropped(sizes: list[int], loader_max: int | None) -> None:
    profile = OptimizationProfile(batch_sizes=sizes)
    ids = batch_ids(profile.sizes(), 0, loader_max)

    assert {batch_of(name, loader_max) for name in ids} == set(sizes)
