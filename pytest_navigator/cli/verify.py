"""Read every file of a package, or of a model repository of Triton, and compare it with the digest that was recorded.

Of a bundle, every file of every package in it is read.

Exit code: 0: every file is what was packed or deployed; 1: files are damaged or were changed, or a repository has some
that nobody recorded; they are named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.cli.fetched import package as package_path
from pytest_navigator.cli.fetched import shown
from pytest_navigator.package.container.reader import open_package
from pytest_navigator.package.zip.archive import is_bundle
from pytest_navigator.text import one_line

if TYPE_CHECKING:
    import argparse
    from pathlib import Path


def add(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    what = "a .nav file, or a model repository, or the folder of a model in it"
    parser.add_argument("package", type=package_path, metavar="PACKAGE", help=what)


def run(arguments: argparse.Namespace) -> int:
    """Name every damaged file."""
    if arguments.package.is_dir():
        return _repository(arguments.package)
    if is_bundle(arguments.package):
        from pytest_navigator.cli import bundles

        return _say(arguments.package, *bundles.damaged(arguments.package), "damaged")
    with open_package(arguments.package) as package:
        damaged, files = package.damaged(), package.files()
    unknown = sum(not digest for digest in files.values())  # Model Navigator records none
    note = f" ({unknown} without a digest: only their checksums were compared)" if unknown else ""
    return _say(arguments.package, damaged, len(files), "damaged", note)


def _repository(folder: Path) -> int:
    from pytest_navigator.deploy.triton.record import changed_files, models, unknown_files, unknown_models

    found = models(folder)
    changed = [problem for path, record in found.records.items() for problem in changed_files(path, record)]
    unknown = [problem for path, record in found.records.items() for problem in unknown_files(path, record)]
    unknown += unknown_models(folder, {*found.records, *found.damaged})
    count = sum(len(record.files) for record in found.records.values()) + len(unknown) + len(found.damaged)
    return _say(folder, [*changed, *unknown, *found.damaged.values()], count, "changed, missing or unknown")


def _say(path: Path, problems: list[str], count: int, what: str, note: str = "") -> int:
    for problem in problems:
        print(one_line(problem))
    said = f"{len(problems)} of {count} files are {what}" if problems else f"all {count} files are as recorded"
    print(one_line(f"{shown(str(path))}: {said}{note}"))
    return 1 if problems else 0
