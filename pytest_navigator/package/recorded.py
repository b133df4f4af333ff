"""What the `status.yaml` of a package says, as the `Results` that it was written from."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_navigator.errors import PackageError
from pytest_navigator.package.results import Results
from pytest_navigator.records import Outcome
from pytest_navigator.records import Signature
from pytest_navigator.records import Status
from pytest_navigator.records import SuiteRecord
from pytest_navigator.records import structured

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_navigator.package.reader import PackageFile
    from pytest_navigator.records import JSON

REPACK = "make it again from the model"


def recorded(package: PackageFile) -> Results:
    """Return the results that a package holds.

    They are those of the run but for what only its workspace has: the details of failures, the identities of steps and
    every single latency.

    Raises:
        PackageError: the package is of Model Navigator itself, or its records have another form.
    """
    if "suite" not in package.details:
        raise PackageError(_foreign(package))
    with records_of(package):
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
        raise PackageError(
            f"{package.path}: its records, written by {version}, are not those of this version: {error}; {REPACK}"
        ) from error


def _results(details: dict[str, JSON]) -> Results:
    steps = structured(details["steps"], dict[str, Outcome])
    return Results(
        suite=structured({"package": "", **details["suite"], "settings": details["settings"]}, SuiteRecord),
        outcomes=(*steps.values(), *map(_verification, details["verification"])),
        signature=structured(details["signature"], Signature) if details["signature"] else None,
        unfinished=tuple(details["unfinished"]),
        machines=details.get("machines", {}),
        others=structured(details.get("others", []), tuple[Outcome, ...]),
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


def _foreign(package: PackageFile) -> str:
    version = package.status.get("model_navigator_version") or package.status.get("format_version")
    return (
        f"{package.path} is a package of Model Navigator {version}: only packages of this project can be checked "
        "again. Unpack it, and name a model in it (--nav-model=onnx/model.onnx)"
    )
