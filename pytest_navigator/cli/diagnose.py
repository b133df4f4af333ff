"""Say where the numbers of a format first go another way than the source's, on the sample that was worst.

Exit code: 0: it was told, or that no place stands out; 1: it cannot be told, with why.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.comparison.divergence import NOT_APPLICABLE, text
from pytest_navigator.errors import PackageError
from pytest_navigator.package.container.reader import open_package
from pytest_navigator.text import one_line

if TYPE_CHECKING:
    import argparse


def add(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("package", type=Path, metavar="PACKAGE")
    parser.add_argument("cell", metavar="CELL", help="a format with its runtime: onnx-cpu")
    output = "folder for the files that it needs and the script that it leaves (default: out-onnx-cpu for out.nav)"
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help=output)
    parser.add_argument("--seconds", type=float, default=60.0, help="that it may take (default: 60)")


def run(arguments: argparse.Namespace) -> int:
    """Print what is found."""
    from pytest_navigator.package.running.diagnosing import comparison, diagnose

    folder = arguments.output or Path(f"{arguments.package.stem}-{arguments.cell}")
    if folder.exists():
        raise PackageError(f"{folder} exists; nothing was written. Choose another folder with -o DIR")
    with open_package(arguments.package) as package:
        if comparison(package.results, arguments.cell).passed:
            print(f"{arguments.cell} passed in the record: what differs below is within its tolerances")
        found = diagnose(package, arguments.cell, folder.absolute(), arguments.seconds)
    print("\n".join(map(one_line, text(found).splitlines())))
    print(f"files: {one_line(str(folder))}")
    return 1 if found.verdict == NOT_APPLICABLE else 0
