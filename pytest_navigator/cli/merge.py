"""Merge the packages of several machines, which checked the same model on the same samples, into one.

Where machines disagree about a step, that is a conflict: it is listed, and nothing is written. Exit code: 0: merged;
1: conflicts.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from pytest_navigator.cli.fetched import package as package_path
from pytest_navigator.cli.fetched import written
from pytest_navigator.errors import PackageError
from pytest_navigator.package.container.reader import open_package
from pytest_navigator.package.merge.joined_files import join
from pytest_navigator.reporting.of_packages import as_the_run
from pytest_navigator.reporting.report import summary
from pytest_navigator.text import one_line

if TYPE_CHECKING:
    import argparse


def add(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument(
        "packages", type=package_path, nargs="+", metavar="PACKAGE", help="at least two; a name is a machine's"
    )
    parser.add_argument(
        "-o", "--output", type=written, required=True, metavar="PACKAGE", help="path of the new package"
    )
    parser.add_argument("-f", "--force", action="store_true", help="replace a package that is there")
    conflicts = "write it all the same: the worst outcome of a step stands, the others are recorded beside it"
    parser.add_argument("--keep-conflicts", action="store_true", help=conflicts)


def run(arguments: argparse.Namespace) -> int:
    """Merge, and print the summary, or what is in conflict."""
    if len(arguments.packages) < 2:
        raise PackageError("there is one package only; name at least two")
    if arguments.output.exists() and not arguments.force:
        raise PackageError(f"{arguments.output} exists; nothing was written. Choose another name, or use --force")
    with ExitStack() as stack:
        packages = [stack.enter_context(open_package(path)) for path in arguments.packages]
        merged = join(packages, arguments.output, override=arguments.force, keep_conflicts=arguments.keep_conflicts)
    conflicts = [one_line(f"conflict: {conflict}") for conflict in merged.conflicts]
    if conflicts and not arguments.keep_conflicts:
        print(*conflicts, f"nothing was written: {len(conflicts)} in conflict (see --keep-conflicts)", sep="\n")
        return 1
    notes = [one_line(f"note: {note}") for note in merged.notes]
    print(*summary(as_the_run(merged.results)), *notes, *conflicts, f"package: {arguments.output}", sep="\n")
    return 1 if conflicts else 0
