"""Which runner of a package is served, and by what name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_navigator.deploy.names import check_name, name_of
from pytest_navigator.deploy.protocol.metadata import ServedModel
from pytest_navigator.deploy.recorded import RecordedRunner
from pytest_navigator.devices.requirements import not_installed
from pytest_navigator.errors import PackageError, StrategyError
from pytest_navigator.package.query.strategies import candidates, choose

if TYPE_CHECKING:
    from pytest_navigator.deploy.package import Served
    from pytest_navigator.package.query.results import Results
    from pytest_navigator.package.running.runner import PackageRunner


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
    return checked_runner(package, format, include_source=False, **wanted)


def checked_runner(package: Served, format: str | None, **wanted: Any) -> PackageRunner:
    """Return the runner that is meant, which may be the live model's, not active.

    Args:
        wanted: of `Package.get_runner`.

    Raises:
        PackageError: there is none, or it has not passed correctness.
        StrategyError: no strategy has an answer.
    """
    try:
        found = package.get_runner(format, **wanted)
    except StrategyError as error:
        way_out = "format=... names what is served without figures (--format)"
        raise StrategyError(f"nothing to serve: {error}; {way_out}") from None
    RecordedRunner.of(package.results, found).check()
    return found


def passed_over(results: Results, served: RecordedRunner, *, verified_only: bool) -> list[str]:
    """Return why the best runner of the summary is not what is served, a line; none where it is, or can run here."""
    figures = candidates(results, include_source=False, verified_only=verified_only)
    best = choose(figures) if figures else None
    if best is None or (best.key, best.runner) == (served.key, served.runner):
        return []
    lacking = not_installed(results.suite.runners[best.runner].requires)
    return [f"the best of the package is {best.place}, but {lacking}"] if lacking else []


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
