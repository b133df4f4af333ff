"""What gates go by of a package, or of the results of a run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_navigator.gates.sides import Side
from pytest_navigator.package.query.selection import DATA, artifact_names

if TYPE_CHECKING:
    from pytest_navigator.package.container.reader import PackageFile
    from pytest_navigator.package.query.results import Results

INPUTS, _ = DATA


def side_of(package: PackageFile) -> Side:
    """Return what gates go by of a package."""
    files = package.files()
    inputs = {name: digest for name, digest in files.items() if name.startswith(f"{INPUTS}/") and digest}
    names = {v.key: artifact_names(files, v.key) for v in package.results.suite.variants if v.file}
    sizes = {key: sum(map(package.size, own)) for key, own in names.items() if own}
    return replace(side_from(package.results), samples=inputs, sizes=sizes)


def side_from(results: Results) -> Side:
    """Return the same of a run, but for its files."""
    verified = tuple(cell for cell in results.cells() if results.verified(*cell))
    return Side(results.suite, results.outcomes, results.signature, verified=verified)
