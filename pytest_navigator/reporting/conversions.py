"""What the end of a run leaves of model files: `convert_results.yaml`, and the first successful model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.core.plain import write_atomically
from pytest_navigator.core.privacy import scrubbed, scrubber
from pytest_navigator.core.steps import Status
from pytest_navigator.engine.workspace import CONVERT_RESULTS, CONVERTED, slug
from pytest_navigator.errors import ConfigError, PackageError
from pytest_navigator.package.container.writer import dump
from pytest_navigator.package.layout import config_yaml, convert_results
from pytest_navigator.package.layout.convert_results import SUCCEEDED
from pytest_navigator.reporting import output_path as delivery
from pytest_navigator.text import short_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_navigator.engine.host import Host
    from pytest_navigator.engine.workspace import SuiteFolder
    from pytest_navigator.package.query.results import Results


def check(host: Host, models: Sequence[str]) -> None:
    """Find an `output_path` that cannot be before the run.

    Args:
        models: as the user has named them.

    Raises:
        ConfigError: with the reason.
    """
    target = _target(host)
    if target is None:
        return
    if len(models) > 1:
        raise ConfigError(f"output_path: {target}: several models ({', '.join(models)}) cannot be written to one path")
    delivery.check(target, host.options.workspace)


def write_results(host: Host, suites: Iterable[tuple[SuiteFolder, Results]]) -> None:
    """Write what became of every conversion of the run's model files into the workspace.

    Nothing is written where there was none to make, but by `convert`, whose result it is.
    """
    entries = [
        entry
        for folder, results in suites
        if _is_file(results)
        for entry in convert_results.build(
            results,
            folder.path.name,
            config_yaml.ranges(folder.path / "model_input" / "correctness"),
            host.file_config.framework_docker_image,
        )
    ]
    if entries or host.file_config.flags is not None:
        write_atomically(host.workspace.root / CONVERT_RESULTS, dump(scrubbed(entries, scrubber())))


def collect(host: Host, folder: SuiteFolder, results: Results) -> list[str]:
    """Copy every model that was converted into one folder of the workspace, and return their paths.

    Raises:
        PackageError: the disk refuses.
    """
    target = host.workspace.root / CONVERTED
    made = [v for v in convert_results.converted(results) if convert_results.state(results, v)[0] == SUCCEEDED]
    names = [f"{slug(results.suite.name)}-{v.key}{Path(v.file).suffix}" for v in made]
    try:
        target.mkdir(exist_ok=True)
        for variant, name in zip(made, names, strict=True):
            delivery.copied(folder.path / variant.key / variant.file, target, name)
    except OSError as error:
        raise PackageError(f"cannot write {target}: {error.strerror or error}") from error
    return [str(short_path(target / name, host.start)) for name in names]


def deliver(host: Host, folder: SuiteFolder, results: Results) -> tuple[list[str], list[str]]:
    """Copy the first successful model to `output_path`.

    Returns:
        What to print, and why the run must not exit with 0: a model was asked for, and there is none although
        nothing failed.
    """
    target = _target(host)
    if target is None or not _is_file(results):
        return [], []
    shown = short_path(target, host.start)
    variant = convert_results.first_successful(results)
    if variant is None:
        line = f"output_path: {shown} was not written: {why_none(results)}"
        said = results.missing or any(outcome.status is Status.FAILED for outcome in results.outcomes)
        return ([line], []) if said else ([], [line])
    try:
        delivery.deliver(folder.path / variant.key / variant.file, target)
    except PackageError as error:
        return [], [str(error)]
    return [f"output: {shown} ({variant.key})"], []


def _target(host: Host) -> Path | None:
    path = host.file_config.output_path
    return Path(host.start, path) if path else None


def _is_file(results: Results) -> bool:
    """Whether the source is a model file, or a package of such."""
    return bool(results.suite.provided)


def why_none(results: Results) -> str:
    """Return why no conversion has succeeded."""
    variants = convert_results.converted(results)
    if not variants:
        return f"nothing was to be made of this {results.suite.framework} file"
    states = {variant.key: convert_results.state(results, variant) for variant in variants}
    return "; ".join(f"{key} {state}: {message}" for key, (state, message) in states.items())
