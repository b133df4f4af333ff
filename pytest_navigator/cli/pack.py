"""Pack what a run left in its workspace, after it was killed for example.

Steps that started and did not end are recorded as crashed; `--nav-resume` runs them again. A package that lacks steps
goes beside PACKAGE, as out.partial.nav.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.devices.environment import environment, git_state
from pytest_navigator.engine.manifest import MODEL, package_path
from pytest_navigator.engine.workspace import Workspace
from pytest_navigator.errors import ConfigError, PackageError
from pytest_navigator.package.container.writer import pack
from pytest_navigator.package.destination import Destination
from pytest_navigator.package.query.results import read_results
from pytest_navigator.reporting.of_packages import as_the_run
from pytest_navigator.reporting.report import summary

if TYPE_CHECKING:
    import argparse

    from pytest_navigator.core.remote import Url
    from pytest_navigator.engine.workspace import SuiteFolder
    from pytest_navigator.package.query.results import Results


def add(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("workspace", type=Path, metavar="WORKSPACE", help="folder of the run (navigator_workspace)")
    target = f"path or URL of the package; {MODEL} is the model's name, needed where there are several"
    parser.add_argument("-o", "--output", required=True, metavar="PACKAGE", help=target)
    parser.add_argument("--no-git", action="store_true", help="record no git commit (default: that of WORKSPACE)")


def run(arguments: argparse.Namespace) -> int:
    """Write a package for every suite of which anything has run."""
    workspace = Workspace(arguments.workspace)
    # A run that goes on would be packed in the middle of a step, and its steps be buried alive.
    with workspace.held():
        suites = [(folder, results) for folder in workspace.suites() if (results := _buried(folder)).outcomes]
        goals = _goals(arguments.output, {folder.path: results.suite.name for folder, results in suites})
        git, here = None if arguments.no_git else git_state(arguments.workspace), environment()
        for (folder, results), goal in zip(suites, goals, strict=True):
            path = pack(
                folder.path,
                goal.path,
                keep=results.setting("keep"),
                save_data=results.setting("save_data"),
                required=results.setting("require"),
                environment=here,
                git=git,
            )
            print(*summary(as_the_run(results)), *_closing(goal.delivered(path), results), sep="\n")
    return 0


def _buried(folder: SuiteFolder) -> Results:
    for step in folder.unfinished():
        folder.bury(step)
    return read_results(folder.path)


def _goals(pattern: str, models: dict[Path, str]) -> list[Destination]:
    """Return where the package of each model goes, whose folder is given with its name.

    Raises:
        PackageError: there is nothing to pack.
        ConfigError: two packages would be one file.
    """
    if not models:
        raise PackageError("nothing has run in this workspace")
    targets = [package_path(pattern, name) for name in models.values()]
    if len(set(targets)) < len(models):
        told = ", ".join(models.values())
        raise ConfigError(f"-o {pattern}: the workspace has {len(models)} models ({told}); use {MODEL}")
    return [Destination.of(target, Path(), own) for target, own in zip(targets, models, strict=True)]


def _closing(path: Path | Url, results: Results) -> list[str]:
    crashed = [f"crashed: {outcome.id}" for outcome in results.outcomes if outcome.error == "crash"]
    missing = f" (partial: {len(results.missing)} steps did not run)" if results.missing else ""
    return [*crashed, f"package: {path}{missing}"]
