"""The end of a run: every suite's package, and what is said about it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.core.plain import save
from pytest_navigator.core.remote import Url, located
from pytest_navigator.engine.manifest import package_path
from pytest_navigator.errors import ConfigError, PackageError
from pytest_navigator.package.query.results import read_results
from pytest_navigator.package.zip.archive import check_writable, partial_path
from pytest_navigator.reporting.other_runners import instead, other_runners
from pytest_navigator.reporting.regressions import regressed, unvouched
from pytest_navigator.reporting.report import summary, title
from pytest_navigator.reporting.run_report import ModelReport
from pytest_navigator.reporting.shortcomings import unchecked_at_all, unmet, unreported, unverified
from pytest_navigator.text import one_line, short_path

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from pytest_navigator.core.expected import Expected
    from pytest_navigator.engine.host import Host
    from pytest_navigator.engine.workspace import SuiteFolder
    from pytest_navigator.package.destination import Destination
    from pytest_navigator.package.query.results import Results
    from pytest_navigator.reporting.pipelines import PipelineReport


REGRESSED = "it is worse than its baseline"  # Why a package does not replace the one that it was compared with


@dataclass(frozen=True)
class Written:
    """What the end of the run says of one suite, or of one pipeline.

    Attributes:
        lines: its summary.
        notes: those of its lines that are no part of its table, its failures and the place of its package.
        fails: whether the run must not exit with 0.
        report, pipeline: what reports are made from; neither where its records cannot be read.
    """

    lines: list[str]
    fails: bool
    report: ModelReport | None = None
    pipeline: PipelineReport | None = None
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class ByFile:
    """What `nav_expected.toml` makes of one suite.

    Attributes:
        lines: what is said of it; reasons: why the run is not in order.
        repeats: of the reasons those that tell of a step that failed.
        agreed: ids of the steps that failed as they are expected to.
        left: what the file says of it at the end.
    """

    lines: Sequence[str] = ()
    reasons: Sequence[str] = ()
    repeats: Sequence[str] = ()
    agreed: Collection[str] = ()
    left: Expected | None = None


NOT_JUDGED = ByFile()  # Without such a file


def check_target(pattern: str | None, workspace: Path) -> None:
    """Find a package path that cannot be before the run, not after an hour.

    Raises:
        ConfigError: with the reason.
    """
    if pattern is None:
        return
    if not pattern.strip():
        raise ConfigError("--nav-package=: the path is missing; name a file, like --nav-package=out.nav")
    place = located(pattern, "--nav-package")
    if isinstance(place, Url):
        _check_url(place)
        return
    target = (place or Path(pattern)).absolute()
    if target.resolve().is_relative_to(workspace.resolve()):
        raise ConfigError(
            f"--nav-package={target}: this is inside of the workspace {workspace}, which every run empties; choose "
            "another folder"
        )
    check_writable(target)
    check_writable(partial_path(target))


def _check_url(url: Url) -> None:
    from pytest_navigator.package.destination import check

    if "/" not in url.text.partition("://")[2]:
        raise ConfigError(f"--nav-package={url}: the name of the file is missing, like {url / 'out.nav'}")
    check(url)


def write_all(host: Host, *, complete: bool) -> list[Written]:
    """Write the package of every suite of which anything has run, and return what to print.

    Args:
        complete: whether the session came to its end.
    """
    from pytest_navigator.reporting.conversions import write_results

    recorded, others = _recorded(host)
    write_results(host, recorded)
    expected = _expected(host, [results for _, results in recorded], complete)
    left = ((folder, _as_left(folder, results, expected)) for folder, results in recorded)
    return [*(_write(host, folder, results, complete, expected) for folder, results in left), *others]


def _expected(host: Host, suites: list[Results], complete: bool) -> dict[str, ByFile]:
    """Judge by `nav_expected.toml`, where there is one."""
    if not any(results.suite.expected for results in suites):
        return {}
    from pytest_navigator.reporting.expected import finish

    found = finish(host, suites, complete=complete)
    return {
        nodeid: ByFile(each.lines, each.reasons, each.repeats, each.agreed, each.expected)
        for nodeid, each in found.items()
    }


def _as_left(folder: SuiteFolder, results: Results, expected: Mapping[str, ByFile]) -> Results:
    """Return results with what `nav_expected.toml` says now that it is written, as their package is to have it."""
    found = expected.get(results.suite.nodeid, NOT_JUDGED).left
    if found is None or found == results.suite.expected:
        return results
    suite = replace(results.suite, expected=found)
    with suppress(OSError):  # of a full disk, the package tells
        save(folder.path / "suite.json", suite)
    return replace(results, suite=suite)


def _recorded(host: Host) -> tuple[list[tuple[SuiteFolder, Results]], list[Written]]:
    """Read the suites of which anything has run, and what there is to say of the others.

    One that cannot be read does not let the others suffer; one of which nothing has run may have been required.
    """
    readable, others = [], []
    for folder in host.workspace.suites():
        try:
            # A step that began and did not end is one in which the process died.
            for step in folder.unfinished():
                folder.bury(step)
            results = read_results(folder.path)
        except PackageError as error:
            others.append(Written([folder.path.name, f"ERROR: no package was written: {error}"], fails=True))
            continue
        if results.outcomes:
            readable.append((folder, results))
        elif lines := unmet(results, host.id):
            said = ModelReport(results, tuple(lines), folder=folder.path)
            others.append(Written([title(results), *_failed(lines)], fails=True, report=said))
    return readable, others


def _failed(reasons: Iterable[str]) -> list[str]:
    return [one_line(f"FAILED: {reason}") for reason in reasons]


def _write(
    host: Host, folder: SuiteFolder, results: Results, complete: bool, expected: Mapping[str, ByFile]
) -> Written:
    from pytest_navigator.reporting.conversions import deliver

    judged = expected.get(results.suite.nodeid, NOT_JUDGED)
    told, agreed = list(map(one_line, judged.lines)), frozenset(judged.agreed)
    said = ModelReport(results, folder=folder.path, complete=complete, agreed=agreed, said=tuple(judged.lines))
    said = replace(said, repeats=frozenset(judged.repeats))
    shown = summary(said.shown)
    try:
        saved, package = _pack(host, results, folder, complete)
    except PackageError as error:
        reasons = [*judged.reasons, f"no package was written: {error}"]
        lines = [*shown, *_failed(judged.reasons), *told, f"ERROR: {reasons[-1]}"]
        return Written(lines, fails=True, report=replace(said, reasons=tuple(reasons)))
    delivered, undelivered = deliver(host, folder, results)
    reasons = [*(f"conflict: {conflict}" for conflict in results.conflicts), *unvouched(results, folder.baseline)]
    reasons += [*unmet(results, host.id), *unchecked_at_all(results, other_runners(results, host.registry))]
    reasons += [*unverified(results), *unreported(results, host.id, said.expected), *undelivered, *judged.reasons]
    hints = [*instead(results, host.registry), *(one_line(f"note: {remark}") for remark in results.remarks)]
    lines = [*shown, *hints, *_failed(reasons), *told, *delivered, *saved]
    notes = [*hints, *told, *delivered, *saved[:-1]]
    report = replace(said, reasons=tuple(reasons), package=package)
    return Written(lines, fails=bool(reasons), report=report, notes=notes)


def _pack(host: Host, results: Results, folder: SuiteFolder, complete: bool) -> tuple[list[str], Path | Url | None]:
    """Write the package; returns the line that says where it is and what is missing from it, and the path."""
    from pytest_navigator.package.container.writer import pack
    from pytest_navigator.package.destination import Destination

    start = host.start
    if not results.suite.package:
        return [f"results: {short_path(folder.path, start)}"], None
    goal = Destination.of(results.suite.package, start, folder.path)
    target = goal.path
    # Model Navigator's schema has a place for one environment: that is the first machine's.
    machine = next(iter(results.machines.values()), None) or {"environment": host.machine, "git": host.git}
    path = pack(
        folder.path,
        target,
        keep=results.setting("keep"),
        save_data=results.setting("save_data"),
        complete=complete and not _keeps_baseline(host, results, folder, goal),
        required=results.setting("require"),
        free=not host.hands_over and not host.file_config.output_path,  # those take models from the workspace
        environment=machine["environment"],
        git=machine["git"],
    )
    note = _kept_nothing(results)
    if host.hands_over:  # the caller gets the package as an object; the file goes with it
        return [*note, f"results: {folder.path}"], path
    there = goal.delivered(path)
    shown = short_path(there, start)
    if path == target:
        return [*note, f"package: {shown}"], there
    kept = f"; {target.name} is as it was" if target.exists() else ""
    why = REGRESSED if complete and not results.missing else _lacks(results)
    return [*note, f"package: {shown} (partial: {why}{kept})"], there


def _keeps_baseline(host: Host, results: Results, folder: SuiteFolder, goal: Destination) -> bool:
    """Whether a package would replace its own baseline although it is worse: the next run would find nothing wrong."""
    if not host.options.baseline or not regressed(results, folder.baseline):
        return False
    baseline = package_path(host.options.baseline, results.suite.name)
    return str(goal.url) == baseline if goal.url else Path(baseline).resolve() == goal.path.resolve()


def _kept_nothing(results: Results) -> list[str]:
    # Who asks for the best one and gets none would look for it in vain.
    from pytest_navigator.package.query.strategies import best

    if results.setting("keep") != "best" or best(results, files_only=True).keys:
        return []
    return ["note: keep = best: no model is in the package, for no format has passed correctness and profiling"]


def _lacks(results: Results) -> str:
    if not results.missing:
        return "the run was interrupted"
    return f"{len(results.missing)} of {len(results.suite.steps) + len(results.suite.verify)} steps did not run"
