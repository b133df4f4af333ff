"""Say where the numbers of a format first go another way than the source's, on the sample that was worst.

Exit code: 0: it was told, here or in the run; 1: it cannot be told, with why, or no place of what failed stands out.
"""

from __future__ import annotations

import argparse
import math
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.cli.fetched import package as package_path
from pytest_navigator.comparison.divergence import NOT_APPLICABLE, UNKNOWN, Divergence, line, text
from pytest_navigator.errors import PackageError
from pytest_navigator.package.container.reader import open_package
from pytest_navigator.text import one_line

if TYPE_CHECKING:
    from pytest_navigator.package.container.reader import PackageFile


def add(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("package", type=package_path, metavar="PACKAGE")
    parser.add_argument("cell", metavar="CELL", help="a format with its runtime: onnx-cpu")
    output = "folder for the files that it needs and the script that it leaves (default: out-onnx-cpu for out.nav)"
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help=output)
    parser.add_argument("--seconds", type=_seconds, default=60.0, metavar="N", help="that it may take (default: 60)")


def run(arguments: argparse.Namespace) -> int:
    """Print what the run has found, and what is found now."""
    from pytest_navigator.package.running.diagnosing import comparison, recorded

    folder, cell = arguments.output or Path(f"{arguments.package.stem}-{arguments.cell}"), arguments.cell
    if folder.exists():
        raise PackageError(f"{folder} exists; nothing was written. Choose another folder with -o DIR")
    with open_package(arguments.package) as package:
        if passed := comparison(package.results, cell).passed:
            print(f"{cell} passed in the record: what differs below is within its tolerances")
        if before := recorded(package.results, cell):
            print(f"in its run: {one_line(line(before))}")
        found = _looked(package, cell, folder, arguments.seconds, told=before is not None)
    print("\n".join(map(one_line, text(found).splitlines())))
    if folder.exists():
        print(f"files: {one_line(str(folder))}")
    placed = found.verdict not in (NOT_APPLICABLE, UNKNOWN) and (passed or bool(found.value))
    return 0 if placed or before else 1


def _looked(package: PackageFile, cell: str, folder: Path, seconds: float, *, told: bool) -> Divergence:
    """Look into a cell; where nothing is found that has files, none are left.

    Args:
        told: whether the run has said something: what cannot be looked into again is no error then.
    """
    from pytest_navigator.package.running.diagnosing import diagnose

    found = Divergence(NOT_APPLICABLE)
    try:
        found = diagnose(package, cell, folder.absolute(), seconds)
    except PackageError as error:
        if not told:
            raise
        found = Divergence(NOT_APPLICABLE, reason=str(error))
    finally:
        if not found.script:
            shutil.rmtree(folder, ignore_errors=True)
    return found


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value < math.inf:  # nor is nan
        raise argparse.ArgumentTypeError(f"{text} is no time: a number of seconds above 0, like 60")
    return value
