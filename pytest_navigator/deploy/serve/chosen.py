"""Which runner of a package is served, by what name, and what the package says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_navigator.comparison.facts import output_reports
from pytest_navigator.comparison.tolerances import number
from pytest_navigator.deploy.batches import largest_batch
from pytest_navigator.deploy.names import check_name, name_of
from pytest_navigator.deploy.protocol.metadata import ServedModel
from pytest_navigator.errors import PackageError, StrategyError
from pytest_navigator.package.query import verdict
from pytest_navigator.package.query.strategies import figures_of

if TYPE_CHECKING:
    from pytest_navigator.deploy.package import Served
    from pytest_navigator.package.query.results import Results
    from pytest_navigator.package.query.strategies import Figure
    from pytest_navigator.package.running.runner import PackageRunner

    Shapes = dict[str, tuple[int, ...]]


def runner_of_a_file(package: Served, format: str | None, **wanted: Any) -> PackageRunner:
    """Return the runner that is meant, not active.

    Args:
        wanted: of `Package.get_runner`.

    Raises:
        PackageError: there is none, it is the live model's, or it has not passed correctness.
        StrategyError: no strategy has an answer.
    """
    variants = package.results.suite.variants
    if format in {variant.key for variant in variants if not variant.file}:
        files = ", ".join(variant.key for variant in variants if variant.file) or "none"
        raise PackageError(f"{format} is the live model, which no package holds (formats with files: {files})")
    try:
        found = package.get_runner(format, include_source=False, **wanted)
    except StrategyError as error:
        raise StrategyError(f"nothing to serve: {error}; a format that is named is served without figures") from None
    Chosen.of(package.results, found).check()
    return found


def served_model(results: Results, runner: PackageRunner, name: str | None, option: str = "name") -> ServedModel:
    """Return a runner as clients see it.

    Args:
        name: by which they ask for it; None: that of the suite, without what an address cannot have.
        option: what the caller calls the name.

    Raises:
        ConfigError: it cannot be part of an address; or the protocol has no name for a type of the model's.
    """
    if name is not None:
        check_name(name, option)
    return ServedModel(name_of(results.suite.name) if name is None else name, runner.signature, runner.name)


@dataclass(frozen=True)
class Chosen:
    """A runner of a package.

    Attributes:
        key, runner: the format and the name of its runner.
    """

    results: Results
    key: str
    runner: str

    @classmethod
    def of(cls, results: Results, runner: PackageRunner) -> Chosen:
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
