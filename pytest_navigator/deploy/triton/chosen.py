"""Which format and runner of a package is deployed: only what passed correctness, and is in the package."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_navigator.deploy.recorded import RecordedRunner
from pytest_navigator.errors import DeploymentError, PackageError, StrategyError
from pytest_navigator.package.query import verdict
from pytest_navigator.package.query.choice import Wanted
from pytest_navigator.package.query.strategies import DEFAULT, choose, figures_of
from pytest_navigator.package.running import artifacts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_navigator.core.variants import RunnerRecord, Variant
    from pytest_navigator.package.container.reader import PackageFile
    from pytest_navigator.package.query.choice import Cell
    from pytest_navigator.package.query.results import Results
    from pytest_navigator.package.query.strategies import Figure, Strategy

# Formats whose backend Triton has no more.
LEFT = ("tf-savedmodel", "tf-trt")

IN_PLACE = "Triton has no backend for TensorFlow since its release 25.08: {served} is served in place of {chosen}"


@dataclass(frozen=True)
class Wish:
    """What is asked for; None: any.

    Attributes:
        format: a format or a folder name. runner: the name of a runner, or a runtime.
        device: "cpu" or "cuda".
        strategies: one, or several, of which the first that has an answer counts; None: the default ones.
        verified_only: leave out what neither a `verify_` test nor `set_verified` vouches for.
    """

    format: str | None = None
    runner: str | None = None
    device: str | None = None
    strategies: Strategy | Sequence[Strategy] | None = None
    verified_only: bool = False

    @property
    def cells(self) -> Wanted:
        """The same, as the query side of packages takes it."""
        return Wanted(format=self.format, runtime=self.runner, device=self.device)


@dataclass(frozen=True)
class Choice:
    """What is deployed.

    Attributes:
        figure: the measurement that it was chosen by, None if it was not measured.
        notices: what whoever deploys it has to know.
    """

    variant: Variant
    runner: RunnerRecord
    figure: Figure | None = None
    notices: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """For people: "onnx on OnnxCPU"."""
        return f"{self.variant.key} on {self.runner.name}"


def chosen(package: PackageFile, results: Results, wish: Wish) -> Choice:
    """Return what is deployed of a package.

    Args:
        results: of the package, with what was noted since it was opened.

    Raises:
        PackageError: there is no such format or runner, it did not pass, is not verified, or is not in the package.
        StrategyError: no strategy has an answer.
        DeploymentError: the package has nothing to deploy.
    """
    cells = _held(package, results, wish)
    if (wish.format or wish.runner) and wish.strategies is None:
        ready = verdict.runnable(results, cells, verified_only=wish.verified_only)
        passed = [cell for cell in ready if verdict.passed(results, *cell)]
        if not passed:
            reasons = "; ".join(_why_not(results, *cell) for cell in cells)
            raise PackageError(f"{reasons}; only what passed is deployed")
        return _chosen(results, passed[0], RecordedRunner(results, *passed[0]).figure)
    figures = figures_of(results, _allowed(results, cells, wish))
    if not figures:
        raise StrategyError(_nothing(package, results, cells, wish))
    figure = choose(figures, DEFAULT if wish.strategies is None else wish.strategies)
    found = _chosen(results, (figure.key, figure.runner), figure)
    if found.variant.format in LEFT and wish.format is None:
        return _in_place(package, results, wish, found)
    return found


def _held(package: PackageFile, results: Results, wish: Wish) -> list[Cell]:
    """Return the cells that are meant and whose files are in the package.

    Raises:
        PackageError: there are none.
        DeploymentError: only the live model is meant, or the package has no model at all.
    """
    variants = wish.cells.variants(results)
    files = [variant for variant in variants if variant.file]
    if not files:
        raise DeploymentError(
            f"{variants[0].key} is the live model, which no package holds: deploy a format that was made of it"
        )
    held = [variant for variant in files if artifacts.held(package, variant)]
    if not held and wish.format:
        artifacts.names(package, results, files[0])  # which says why it is not there
    if not held:
        raise DeploymentError(f"{package.path} holds no model: nothing was exported, or --nav-keep left it out")
    return wish.cells.cells(results, held)


def _allowed(results: Results, cells: Sequence[Cell], wish: Wish) -> list[Cell]:
    return [cell for cell in cells if results.worth(*cell) and (not wish.verified_only or results.verified(*cell))]


def _nothing(package: PackageFile, results: Results, cells: Sequence[Cell], wish: Wish) -> str:
    """Return why there are no figures to choose by."""
    passed = [cell for cell in cells if verdict.passed(results, *cell)]
    if not passed:
        return f"nothing in {package.path} passed correctness, and only what passed is deployed{_failures(results)}"
    if wish.verified_only and not _allowed(results, passed, wish):
        return f"nothing in {package.path} is verified, {' on '.join(passed[0])} for example: {verdict.UNVERIFIED}"
    objections = [results.objection(*cell) for cell in passed]
    if all(objections):
        return f"nothing in {package.path} may be chosen by its figures, only by its name: {'; '.join(objections)}"
    names = ", ".join(dict.fromkeys(key for key, _ in _allowed(results, passed, wish)))
    return f"nothing in {package.path} that passed has figures to choose by: name the format ({names})"


def _failures(results: Results) -> str:
    failed = [o for o in results.outcomes if o.failed and o.key]
    return f" ({failed[0].id}: {failed[0].message})" if failed else ""


def _why_not(results: Results, key: str, runner: str) -> str:
    check = results.correctness(key, runner)
    became = "failed correctness" if check and check.failed else "was not checked"
    return f"{key} on {runner} {became}{f': {check.message}' if check else ''}"


def _chosen(results: Results, cell: Cell, figure: Figure | None) -> Choice:
    key, runner = cell
    doubt = results.unjudged(key, runner)
    return Choice(results.variant(key), results.suite.runners[runner], figure, (doubt,) if doubt else ())


def _in_place(package: PackageFile, results: Results, wish: Wish, found: Choice) -> Choice:
    """Return the ONNX that was made of a TensorFlow model, if it passed on the same device, else what was found."""
    try:
        onnx = chosen(package, results, replace(wish, format="onnx", device=found.runner.device))
    except (PackageError, DeploymentError):
        return found
    return replace(onnx, notices=(IN_PLACE.format(served=onnx.place, chosen=found.place),))
