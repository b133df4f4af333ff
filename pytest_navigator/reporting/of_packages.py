"""What a package, or a workspace, says -> the report of it, without its run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.errors import PackageError
from pytest_navigator.reporting.run_report import ModelReport, RunReport, tail

if TYPE_CHECKING:
    from pytest_navigator.package.container.reader import PackageFile
    from pytest_navigator.package.query.results import Results

LONGEST_LOG = 4 * 1024 * 1024  # B; a larger one says nothing here: it would have to be read whole


def report_of(package: PackageFile) -> RunReport:
    """Return the report of an open package."""
    status, details = package.status, package.details
    missing = details.get("missing") or []
    reasons = () if package.complete else (f"partial: {len(missing)} steps did not run",)
    agreed = agreed_in(package.results)
    model = ModelReport(
        package.results, reasons, package.path, complete=package.complete, agreed=agreed, logs=_logs(package)
    )
    return RunReport(
        (model,),
        start=package.path.parent,
        environment=status.get("environment") or {},
        git=details.get("git"),
        ended=str(status.get("timestamp") or "")[:19],
    )


def as_the_run(results: Results) -> Results:
    """Return what is recorded as the run shows it: with failures that are expected as such."""
    return ModelReport(results, agreed=agreed_in(results)).shown


def agreed_in(results: Results) -> frozenset[str]:
    """Return the ids of the steps that failed as `nav_expected.toml` expected it in the run."""
    if results.suite.expected is None:
        return frozenset()
    from pytest_navigator.gates.expected import Verdict, judged

    rows = judged(results.suite.expected, results.suite, results.outcomes)
    return frozenset(row.found.step for row in rows if row.verdict is Verdict.SAME and row.found)


def _logs(package: PackageFile) -> dict[str, str]:
    keys = dict.fromkeys(o.key for o in package.results.outcomes if o.failed and o.key)
    return {key: text for key in keys if (text := _log(package, f"{key}/format.log"))}


def _log(package: PackageFile, name: str) -> str:
    if name not in package.files() or package.size(name) > LONGEST_LOG:
        return ""
    try:
        return tail(package.read(name).decode(errors="backslashreplace"))
    except PackageError:  # a damaged log is no reason to show nothing
        return ""
