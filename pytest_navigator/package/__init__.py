"""The `.nav` package: what is in it, writing it, reading it."""

from __future__ import annotations

from pytest_navigator.package.archive import check_writable
from pytest_navigator.package.archive import partial_path
from pytest_navigator.package.fingerprint import environment
from pytest_navigator.package.fingerprint import git_state
from pytest_navigator.package.reader import PackageFile
from pytest_navigator.package.reader import open_package
from pytest_navigator.package.results import Results
from pytest_navigator.package.results import read_results
from pytest_navigator.package.strategies import Best
from pytest_navigator.package.strategies import Figure
from pytest_navigator.package.strategies import best
from pytest_navigator.package.writer import pack

__all__ = [
    "Best",
    "Figure",
    "PackageFile",
    "Results",
    "best",
    "check_writable",
    "environment",
    "git_state",
    "open_package",
    "pack",
    "partial_path",
    "read_results",
]
