"""What a package says of the runner that is served (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_navigator.comparison.facts import output_reports
from pytest_navigator.comparison.tolerances import number
from pytest_navigator.errors import PackageError
from pytest_navigator.package.query import verdict
from pytest_navigator.package.query.strategies import figures_of

if TYPE_CHECKING:
    from pytest_navigator.package.query.results import Results
    from pytest_navigator.package.query.strategies import Figure

    Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Chosen:
    """A runner of a package.

    Attributes:
        key, runner: the format and the name of its runner.
    """

    results: Results
    key: str
    runner: str

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
        measured = [figure.batch_size for figure in self._figures if figure.batch_size]
        return max(measured, default=self.results.source_facts.max_batch_size or 1)

    @property
    def shapes(self) -> Shapes:
        """The smallest shape of each input that was checked; 1 where nothing says how large an axis was."""
        seen, signature = self.results.source_facts.profile, self.results.signature
        specs = signature.inputs if signature else ()
        smallest = {spec.name: seen.get(spec.name, {}).get("min", spec.shape) for spec in specs}
        return {name: tuple(1 if size == -1 else size for size in shape) for name, shape in smallest.items()}

    def line(self) -> str:
        """Return what is served in a few words: format, runner, tolerance, p50 latency in ms."""
        checked = self.results.correctness(self.key, self.runner)
        tolerance = max((report.atol for report in output_reports(checked)), default=None) if checked else None
        said = [f"{self.key} on {self.runner}"]
        if tolerance is not None:
            said.append(f"correct within {number(tolerance)}")
        if self._figures:
            first = min(self._figures, key=lambda figure: figure.batch_size or 0)
            batch = f" at batch size {first.batch_size}" if first.batch_size else ""
            said.append(f"p50 {first.p50_latency:.3g} ms{batch} when it was measured")
        return ", ".join(said)

    @property
    def _figures(self) -> list[Figure]:
        return figures_of(self.results, [(self.key, self.runner)])
