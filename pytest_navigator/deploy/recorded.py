"""What a package has recorded of a runner that is deployed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_navigator.comparison.facts import output_reports
from pytest_navigator.comparison.tolerances import number
from pytest_navigator.deploy.batches import check_largest, largest_batch
from pytest_navigator.errors import PackageError
from pytest_navigator.package.query import verdict
from pytest_navigator.package.query.strategies import figures_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_navigator.package.query.results import Results
    from pytest_navigator.package.query.strategies import Figure
    from pytest_navigator.package.running.runner import PackageRunner

    Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class RecordedRunner:
    """A runner of a package, as its records have it.

    Attributes:
        key, runner: the format and the name of its runner.
    """

    results: Results
    key: str
    runner: str

    @classmethod
    def of(cls, results: Results, runner: PackageRunner) -> RecordedRunner:
        """Return what a package says of a runner."""
        return cls(results, runner.format, runner.runner_name)

    def check(self) -> None:
        """Raise PackageError if it has not passed correctness."""
        if not verdict.passed(self.results, self.key, self.runner):
            raise PackageError(
                f"{self.key} on {self.runner} has not passed correctness, and only what has is served: check it on "
                "this machine with pytest --nav-model=PACKAGE"
            )

    @property
    def largest_batch(self) -> int:
        """The largest batch that was measured, else that of the samples."""
        return largest_batch(self.results, self.key, self.runner)

    def check_largest(self, asked: int | None, option: str) -> None:
        """Raise ConfigError for batches that it does not take; None: nobody asked."""
        check_largest(self.results, self.key, asked, option)

    @property
    def shapes(self) -> Shapes:
        """The smallest shape of each input that was checked; 1 where nothing says how large an axis was."""
        seen, signature = self.results.source_facts.profile, self.results.signature
        specs = signature.inputs if signature else ()
        smallest = {spec.name: seen.get(spec.name, {}).get("min", spec.shape) for spec in specs}
        return {name: tuple(1 if size == -1 else size for size in shape) for name, shape in smallest.items()}

    @property
    def tolerance(self) -> dict[str, dict[str, Any]]:
        """Output -> the largest difference from the source that was measured, and what was allowed."""
        checked = self.results.correctness(self.key, self.runner)
        return {
            report.name: {"max_abs": report.atol, "max_rel": report.rtol, "allowed": report.used}
            for report in (output_reports(checked) if checked else ())
        }

    @property
    def figure(self) -> Figure | None:
        """The measurement of the smallest batch, which has the latency that people compare."""
        found = figures_of(self.results, [(self.key, self.runner)])
        return min(found, key=lambda figure: figure.batch_size or 0, default=None)

    def line(self) -> str:
        """Return what is served in a few words."""
        figure = self.figure
        latency, size = (figure.p50_latency, figure.batch_size) if figure else (None, None)
        return in_words(f"{self.key} on {self.runner}", self.tolerance, latency, size)


def in_words(
    place: str, tolerance: Mapping[str, Mapping[str, Any]], latency: float | None, batch_size: int | None
) -> str:
    """Return what is deployed in a few words: "onnx on OnnxCPU, p50 0.1 ms at batch 1, max abs 1e-7 from the source".

    Args:
        tolerance: as `RecordedRunner` has it.
        latency: p50 in ms of one inference at `batch_size`, None if it was not measured.
    """
    size = f" at batch {batch_size}" if batch_size else ""
    measured = f"p50 {latency:.3g} ms{size}" if latency is not None else "not measured"
    worst = max((each["max_abs"] for each in tolerance.values()), default=None)
    return ", ".join([place, measured, *([] if worst is None else [f"max abs {number(worst)} from the source"])])
