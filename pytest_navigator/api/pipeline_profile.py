"""`nav.profile` of a function: the pipeline as it is, with each format of its modules, and with the chosen mix."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_navigator.api.arguments import runtimes, words
from pytest_navigator.api.pipeline_ways import candidates
from pytest_navigator.configuration.profile_config import OptimizationProfile
from pytest_navigator.configuration.rules import POSITIVE
from pytest_navigator.core.kinds import kind_of
from pytest_navigator.errors import ConfigError, SourceError
from pytest_navigator.isolation.causes import error_line
from pytest_navigator.package.query.asked import Asked
from pytest_navigator.pipelines.profiled import BEST, EAGER, HEADER, PipelineProfile, Way
from pytest_navigator.pipelines.registry import registered
from pytest_navigator.pipelines.samples import pipeline_samples
from pytest_navigator.pipelines.timing import finishing, timed, timed_whole
from pytest_navigator.profiling.measuring import measure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_navigator.api.pipeline_ways import Candidate, Candidates
    from pytest_navigator.configuration.profile_config import Windows
    from pytest_navigator.core.records import ProfileResult
    from pytest_navigator.pipelines.samples import PipelineSample

REPORT = "profile.yaml"


def profile_pipeline(
    func: Callable[..., Any],
    dataloader: object,
    target_formats: Sequence[str] | str | None = None,
    runners: Sequence[str] | str | None = None,
    *,
    window_size: int = 25,
    stability_percentage: float = 10.0,
    stabilization_windows: int = 3,
    min_trials: int = 3,
    max_trials: int = 10,
    seconds: float = 10.0,
    device: object = None,
    report: str | Path | None = REPORT,
) -> PipelineProfile:
    """Measure a function, print the figures and write them to a file.

    Args:
        func: any function; modules that it calls and that `nav.optimize` has made formats of are measured with each of
            them, and with the chosen mix. They are as they were before when this returns.
        dataloader: pairs of a batch size and a sample, see `pipeline_samples`; each sample is measured.
        target_formats, runners: names; only these formats and runners, and the eager pipeline; None: all.
        window_size, stability_percentage, stabilization_windows, min_trials, max_trials: see `OptimizationProfile`.
        seconds: the most that one sample of one format takes.
        device: "cpu", "cuda" or a `nav.DeviceKind`: only runners of this device; None: of any.
        report: where the YAML file is written; None: nowhere.

    Raises:
        ConfigError: an argument is wrong; a file is at `report` that is no report.
        SourceError: the loader gives no pairs, or the function raises with nothing swapped in.
    """
    if not callable(func):
        raise ConfigError(f"nav.profile({func!r}, ...): a function is needed, or a package")
    path = None if report is None else _writable(Path(report))
    asked = Asked(words(target_formats), runtimes(runners), kind_of(device))
    if not POSITIVE.fits(seconds):
        raise ConfigError(f"nav.profile(seconds={seconds!r}): it must be {POSITIVE.text}")
    windows = OptimizationProfile(
        window_size=window_size,
        stability_percentage=stability_percentage,
        stabilization_windows=stabilization_windows,
        min_trials=min_trials,
        max_trials=max_trials,
    ).windows()
    samples = list(pipeline_samples(dataloader))
    if not samples:
        raise SourceError("the dataloader is empty: there is nothing to measure the function on")
    measured = Measured(func, samples, windows, seconds)
    with candidates(asked) as ways:
        found = PipelineProfile(tuple(measured.ways(ways)))
    print(found)
    if path is not None:
        found.to_file(path)
        print(f"written to {path}")
    return found


def _writable(path: Path) -> Path:
    if path.exists() and not (path.is_file() and path.read_bytes().startswith(HEADER)):
        raise ConfigError(f"{path} is no report of nav.profile: say report= with another name, or None")
    return path


@dataclass(frozen=True)
class Measured:
    """How each way is measured."""

    func: Callable[..., Any]
    samples: Sequence[PipelineSample]
    windows: Windows
    seconds: float

    def ways(self, candidates: Candidates) -> Iterator[Way]:
        """Yield the figures of each way; a mix that is one of the others has its figures.

        Raises:
            SourceError: the function raised with nothing swapped in.
        """
        known: dict[tuple[tuple[str, str], ...], Way] = {}
        for each in candidates(self._called()):
            runs = tuple(each.modules.items())
            same = known.get(runs) if each.name == BEST else None
            known[runs] = way = replace(same, name=BEST, runner="") if same else self.way(each)
            yield way

    def way(self, candidate: Candidate) -> Way:
        """Return the figures of one way.

        Raises:
            SourceError: the function raised with nothing swapped in.
        """
        known = candidate.name, candidate.runner, candidate.modules
        try:
            with candidate.swapped():
                figures = {sample.index: self._figures(sample) for sample in self.samples}
                return Way(*known, figures, *self._shares())
        except Exception as error:
            if candidate.name == EAGER:
                raise SourceError(f"the function raised {error_line(error)}") from error
            return Way(*known, problem=error_line(error))

    def _called(self) -> list[str]:
        """Return the names of the modules that the function calls on any of the samples, as it is."""
        try:
            with timed(registered()) as times:
                for sample in self.samples:
                    sample.run(self.func)
        except Exception as error:
            raise SourceError(f"the function raised {error_line(error)}") from error
        return [name for name, took in times.items() if took]

    def _figures(self, sample: PipelineSample) -> ProfileResult:
        finish = finishing(*(each.module for each in registered()))

        def call() -> None:
            sample.run(self.func)
            finish()

        return measure(call, self.windows, batch_size=sample.batch_size, seconds=self.seconds)

    def _shares(self) -> tuple[dict[str, float], float]:
        # Apart from the figures, which it would make slower.
        with timed(registered()) as times, timed_whole() as whole:
            self.samples[0].run(self.func)
        return {name: sum(took) for name, took in times.items() if took}, whole[0]
