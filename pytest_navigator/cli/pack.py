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
from pytest_navigator.package.query.results import read_results
from pytest_navigator.reporting.of_packages import as_the_run
from pytest_navigator.reporting.report import summary

if TYPE_CHECKING:
    import argparse

    from pytest_navigator.engine.workspace import SuiteFolder
    from pytest_navigator.package.query.results import Results


def add(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("workspace", type=Path, metavar="WORKSPACE", help="folder of the run (navigator_workspace)")
    target = f"path of the package; {MODEL} is the model's name, needed where there are several"
    parser.add_argument("-o", "--output", required=True, metavar="PACKAGE", help=target)
    parser.add_argument("--no-git", action="store_true", help="record no git commit (default: that of WORKSPACE)")


def run(arguments: argparse.Namespace) -> int:
    """Write a package for every suite of which anything has run."""
    workspace = Workspace(arguments.workspace)
    # A run that goes on would be packed in the middle of a step, and its steps be buried alive.
    with workspace.held():
        suites = [(folder, results) for folder in workspace.suites() if (results := _buried(folder)).outcomes]
        targets = _targets(arguments.output, [results.suite.name for _, results in suites])
        git, here = None if arguments.no_git else git_state(arguments.workspace), environment()
        for (folder, results), target in zip(suites, targets, strict=True):
            path = pack(
                folder.path,
                target,
                keep=results.setting("keep"),
                save_data=results.setting("save_data"),
                required=results.setting("require"),
                environment=here,
                git=git,
            )
            print(*summary(as_the_run(results)), *_closing(path, results), sep="\n")
    return 0


def _buried(folder: SuiteFolder) -> Results:
    for step in folder.unfinished():
        folder.bury(step)
    return read_results(folder.path)


def _targets(pattern: str, names: list[str]) -> list[Path]:
    """Return the path of each model's package.

    Raises:
        PackageError: there is nothing to pack.
        ConfigError: two packages would be one file.
    """
    if not names:
        raise PackageError("nothing has run in this workspace")
    targets = [Path(package_path(pattern, name)) for name in names]
    if len(set(targets)) < len(names):
        raise ConfigError(f"-o {pattern}: the workspace has {len(names)} models ({', '.join(names)}); use {MODEL}")
    return targets


def _closing(path: Path, results: Results) -> list[str]:
    crashed = [f"crashed: {outcome.id}" for outcome in results.outcomes if outcome.error == "crash"]
    missing = f" (partial: {len(results.missing)} steps did not run)" if results.missing else ""
    return [*crashed, f"package: {path}{missing}"]
