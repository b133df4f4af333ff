"""What the `status.yaml` of a package says, as the `Results` that it was written from."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from cattrs import BaseValidationError

from pytest_navigator.errors import PackageError
from pytest_navigator.package.layout import foreign
from pytest_navigator.package.layout.schema import first_problem, own

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_navigator.package.layout.content import Content
    from pytest_navigator.package.query.results import Results

REPACK = "make it again from the model"


class Packaged(Protocol):
    """An open package, as far as its status.yaml goes."""

    @property
    def path(self) -> Path:
        """Of the package."""

    @property
    def status(self) -> Content:
        """Content of status.yaml."""

    @property
    def details(self) -> Content:
        """What is in it under `pytest_navigator`."""


def recorded(package: Packaged) -> Results:
    """Return the results that a package holds.

    They are those of the run but for what only its workspace has: the details of failures, the identities of steps and
    every single latency. Of a package that Model Navigator wrote they are what it recorded.

    Raises:
        PackageError: the records have another form.
    """
    with records_of(package):
        if "suite" not in package.details:
            return foreign.results(package.status, package.path.stem)
        details = package.details
        return own(details).results(details["settings"], details.get("machines", {}))


@contextmanager
def records_of(package: Packaged) -> Iterator[None]:
    """Say of whatever goes wrong with the records of a package that they are those of another version."""
    try:
        yield
    except PackageError:
        raise
    except Exception as error:  # cattrs raises many types
        version = package.details.get("version", "an unknown version")
        reason = first_problem(error) if isinstance(error, BaseValidationError) else error
        raise PackageError(
            f"{package.path}: its records, written by {version}, are not those of this version: {reason}; {REPACK}"
        ) from error
