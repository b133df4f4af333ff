"""What the `status.yaml` of a package says, as the `Results` that it was written from."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING

from cattrs import BaseValidationError

from pytest_navigator.errors import PackageError
from pytest_navigator.package import foreign
from pytest_navigator.package.results import Results
from pytest_navigator.package.schema import first_problem
from pytest_navigator.records import JSON
from pytest_navigator.records import Outcome
from pytest_navigator.records import Signature
from pytest_navigator.records import Status
from pytest_navigator.records import SuiteRecord
from pytest_navigator.records import structured

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_navigator.package.reader import PackageFile

REPACK = "make it again from the model"


def recorded(package: PackageFile) -> Results:
    """Return the results that a package holds.

    They are those of the run but for what only its workspace has: the details of failures, the identities of steps and
    every single latency. Of a package that Model Navigator wrote they are what it recorded.

    Raises:
        PackageError: the records have another form.
    """
    with records_of(package):
        if "suite" not in package.details:
            return foreign.results(package.status, package.path.stem)
        return _results(package.details)


@contextmanager
def records_of(package: PackageFile) -> Iterator[None]:
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


@dataclass
class _Details:
    """The records among what status.yaml has of ours; their paths are what an error names."""

    suite: SuiteRecord
    steps: dict[str, Outcome]
    verification: list[dict[str, JSON]]
    signature: Signature | None = None
    unfinished: tuple[str, ...] = ()
    machines: dict[str, JSON] = field(default_factory=dict)
    others: tuple[Outcome, ...] = ()


def _results(details: dict[str, JSON]) -> Results:
    suite = {**details["suite"], "package": "", "settings": details["settings"]}
    found = structured({**details, "suite": suite}, _Details)
    return Results(
        suite=found.suite,
        outcomes=(*found.steps.values(), *map(_verification, found.verification)),
        signature=found.signature,
        unfinished=found.unfinished,
        machines=found.machines,
        others=found.others,
    )


def _verification(record: dict[str, JSON]) -> Outcome:
    return Outcome(
        step="verify",
        status=Status(record["status"]),
        key=record["key"],
        runner=record["runner"],
        message=record["message"],
        error=record.get("error", ""),
        duration=record.get("duration", 0.0),
        started=record["time"],
        digest=record["digest"],
        data={"nodeid": record["nodeid"], **record.get("data", {})},
    )
