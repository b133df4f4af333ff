"""How to profile: Model Navigator's two configuration classes, and the plain data that both become."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from pytest_navigator.configuration.known_fields import KnownFields
from pytest_navigator.configuration.rules import COUNT, FROM_ZERO, NOT_NEGATIVE, POSITIVE, Rule
from pytest_navigator.errors import ConfigError, unknown

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


@dataclass(frozen=True)
class Windows:
    """What `measure` needs to know, as plain data.

    Attributes:
        size: inferences of a window.
        interval: ms of a window, instead of a number of inferences.
        stability_percentage: how far a window's mean latency may be from the mean of the last windows.
        stabilization_windows: how many windows must agree; their latencies are the result.
        min_trials, max_trials: how many windows are run at least and at most.
    """

    size: int = 25
    interval: float | None = None
    stability_percentage: float = 10.0
    stabilization_windows: int = 3
    min_trials: int = 3
    max_trials: int = 10


class MeasurementMode(StrEnum):
    """What ends a window of `ProfilerConfig`."""

    COUNT_WINDOWS = "count_windows"
    TIME_WINDOWS = "time_windows"


@dataclass(frozen=True)
class ProfilerConfig(KnownFields):
    """How to profile, in the words of Model Navigator 0.3.

    Attributes:
        batch_sizes: None: 1 and the loader's largest.
        measurement_mode: whether a window is a number of inferences or a time.
        measurement_interval: ms of a window in the mode TIME_WINDOWS.
        measurement_request_count: inferences of a window in the mode COUNT_WINDOWS.
        stability_percentage: how far the last 3 windows' mean latencies may be from their mean.
        max_trials: how many windows may be run to get 3 stable ones.

    Raises:
        ConfigError: a value is not possible.
    """

    batch_sizes: Sequence[int] | None = None
    measurement_mode: MeasurementMode = MeasurementMode.COUNT_WINDOWS
    measurement_interval: float | None = 5000
    measurement_request_count: int | None = 50
    stability_percentage: float = 10.0
    max_trials: int = 10

    def __post_init__(self) -> None:
        modes = [mode.value for mode in MeasurementMode]
        if self.measurement_mode not in modes:
            raise unknown("ProfilerConfig.measurement_mode", str(self.measurement_mode), modes)
        _check_batch_sizes(self, self.batch_sizes)
        _check(self, POSITIVE, "stability_percentage")
        _check(self, COUNT, "max_trials")
        if self.measurement_mode == MeasurementMode.COUNT_WINDOWS:
            _check(self, COUNT, "measurement_request_count")
        else:
            _check(self, POSITIVE, "measurement_interval")

    def sizes(self) -> tuple[int, ...] | None:
        """Return the batch sizes that were asked for, sorted; None: 1 and the loader's largest."""
        return _sorted(self.batch_sizes)

    def windows(self) -> Windows:
        """Return what `measure` needs."""
        counts = self.measurement_mode == MeasurementMode.COUNT_WINDOWS
        enough = min(3, self.max_trials)
        return Windows(
            size=self.measurement_request_count or 0,
            interval=None if counts else self.measurement_interval,
            stability_percentage=self.stability_percentage,
            stabilization_windows=enough,
            min_trials=enough,
            max_trials=self.max_trials,
        )


@dataclass(frozen=True)
class OptimizationProfile(KnownFields):
    """How to profile, in the words of Model Navigator 0.14.

    Attributes:
        max_batch_size: search the batch sizes up to this one, as `NavConfig(batch_sizes="auto:64")` does.
        batch_sizes: profile these, all of them. None (both): 1 and the loader's largest.
        window_size: inferences of a window.
        stability_percentage: how far the last windows' mean latencies may be from their mean.
        stabilization_windows: how many windows must agree.
        min_trials, max_trials: how many windows are run at least and at most.
        throughput_cutoff_threshold: of a search: gain of throughput below which a batch size counts as saturated; None:
            never.
        throughput_backoff_limit: of a search: how many saturated sizes in a row are tried before it ends.
        dataloader: what can be iterated, or a function that returns such: its first sample is timed, instead of the
            largest one of `nav_dataloader`; other batch sizes take its rows again.

    Raises:
        ConfigError: a value is not possible.
    """

    max_batch_size: int | None = None
    batch_sizes: Sequence[int] | None = None
    window_size: int = 25
    stability_percentage: float = 10.0
    stabilization_windows: int = 3
    min_trials: int = 3
    max_trials: int = 10
    throughput_cutoff_threshold: float | None = 0.05
    throughput_backoff_limit: int = 2
    dataloader: Any = None

    def __post_init__(self) -> None:
        _check_batch_sizes(self, self.batch_sizes)
        _check(self, POSITIVE, "stability_percentage")
        _check(self, COUNT, "window_size", "stabilization_windows", "min_trials", "max_trials")
        _check(self, FROM_ZERO, "throughput_backoff_limit")
        if self.max_batch_size is not None:
            _check(self, COUNT, "max_batch_size")
        if self.throughput_cutoff_threshold is not None:
            _check(self, NOT_NEGATIVE, "throughput_cutoff_threshold")
        _check_order(self, "stabilization_windows", "min_trials", "max_trials")
        if not (self.dataloader is None or callable(self.dataloader) or _iterable(self.dataloader)):
            raise ConfigError(f"OptimizationProfile.dataloader is {self.dataloader!r}: it must be a list of samples")

    def sizes(self) -> tuple[int, ...] | None:
        """Return the batch sizes that were asked for, sorted; None: searched, or 1 and the loader's largest."""
        return _sorted(self.batch_sizes)

    def windows(self) -> Windows:
        """Return what `measure` needs."""
        return Windows(
            size=self.window_size,
            stability_percentage=self.stability_percentage,
            stabilization_windows=self.stabilization_windows,
            min_trials=self.min_trials,
            max_trials=self.max_trials,
        )


def check_profile(value: object) -> None:
    """Refuse what says nothing about how to profile.

    Raises:
        ConfigError: it is neither None nor an OptimizationProfile nor a ProfilerConfig.
    """
    if not isinstance(value, OptimizationProfile | ProfilerConfig | None):
        raise ConfigError(f"profiler_config={value!r}: OptimizationProfile(...) or ProfilerConfig(...) is needed")


def _check(config: object, rule: Rule, *names: str) -> None:
    for name in names:
        if not rule.fits(value := getattr(config, name)):
            raise ConfigError(f"{type(config).__name__}.{name} is {value!r}: it must be {rule.text}")


def _check_order(config: object, *names: str) -> None:
    for smaller, larger in pairwise(names):
        if getattr(config, smaller) > getattr(config, larger):
            raise ConfigError(
                f"{type(config).__name__}.{smaller} is {getattr(config, smaller)}: "
                f"it must be at most {larger}, which is {getattr(config, larger)}"
            )


def _check_batch_sizes(config: object, sizes: object) -> None:
    if sizes is None:
        return
    if not isinstance(sizes, list | tuple) or not sizes or not all(COUNT.fits(size) for size in sizes):
        raise ConfigError(
            f"{type(config).__name__}.batch_sizes is {sizes!r}: it must be a list of whole numbers, each at least 1, "
            "or None for 1 and the loader's largest"
        )


def _iterable(value: object) -> bool:
    return hasattr(value, "__iter__") or hasattr(value, "__getitem__")


def _sorted(sizes: Iterable[int] | None) -> tuple[int, ...] | None:
    return None if sizes is None else tuple(sorted(set(sizes)))
