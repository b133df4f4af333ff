"""Read every file of a package and compare it with the digest that was recorded.

Exit code: 0: every file is what was packed; 1: files are damaged, and are named.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.package.container.reader import open_package
from pytest_navigator.text import one_line

if TYPE_CHECKING:
    import argparse


def add(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("package", type=Path, metavar="PACKAGE")


def run(arguments: argparse.Namespace) -> int:
    """Name every damaged file."""
    with open_package(arguments.package) as package:
        damaged, files = package.damaged(), package.files()
    for problem in damaged:
        print(one_line(problem))
    unknown = sum(not digest for digest in files.values())  # Model Navigator records none
    note = f" ({unknown} without a digest: only their checksums were compared)" if unknown else ""
    said = f"{len(damaged)} of {len(files)} files are damaged" if damaged else f"all {len(files)} files are as recorded"
    print(f"{arguments.package}: {said}{note}")
    return 1 if damaged else 0
