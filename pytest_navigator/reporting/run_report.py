"""What a report says: of a run that has ended, or of packages. Every kind of report is made from this."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_navigator.core.steps import Status
from pytest_navigator.reporting.shortcomings import foretold
from pytest_navigator.text import LINE, RECORD, bounded, short_path

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pytest_navigator.core.records import Outcome
    from pytest_navigator.core.remote import Url
    from pytest_navigator.package.query.results import Results
    from pytest_navigator.reporting.pipelines import PipelineReport

TAIL = 40  # Lines of a log that a report shows
READ = 4 * RECORD  # Bytes of the end of a log in which they are looked for


class Place(NamedTuple):
    """A line of a file, from 1; the file is relative to pytest's rootdir."""

    file: str
    line: int


@dataclass(frozen=True)
class ModelReport:
    """What became of one model.

    Attributes:
        reasons: why the run must not exit with 0, beside its failed steps; one line each.
        repeats: those of them that only tell more of such a step.
        package: its package; None: none was written.
        folder: its folder in the workspace, from which the scripts of its steps run; None of a package.
        complete: whether the run came to its end.
        agreed: ids of the steps that failed as `nav_expected.toml` expects it; said: what else there is to say.
        logs: key of a format in which something failed -> the last lines of its log.
    """

    results: Results
    reasons: tuple[str, ...] = ()
    package: Path | Url | None = None
    folder: Path | None = None
    complete: bool = True
    agreed: frozenset[str] = frozenset()
    said: tuple[str, ...] = ()
    logs: Mapping[str, str] = field(default_factory=dict)
    repeats: frozenset[str] = frozenset()

    @property
    def expected(self) -> frozenset[str]:
        """Ids of the steps whose failure is expected, by a file or by `xfail` of nav_config."""
        return self.agreed | foretold(self.results).keys()

    @property
    def failures(self) -> tuple[Outcome, ...]:
        """The steps that failed and were not expected to, in their order."""
        expected = self.expected
        return tuple(o for o in self.results.outcomes if o.status is Status.FAILED and o.id not in expected)

    @property
    def shown(self) -> Results:
        """The results as people read them, with failures that are expected as such."""
        failed = {o.id for o in self.failures}
        outcomes = (
            replace(o, status=Status.XFAILED) if o.status is Status.FAILED and o.id not in failed else o
            for o in self.results.outcomes
        )
        return replace(self.results, outcomes=tuple(outcomes))

    @property
    def failed(self) -> bool:
        """Whether something of it is not in order."""
        return bool(self.reasons or self.failures)


@dataclass(frozen=True)
class OtherFailure:
    """A test that failed and that no record of a model tells of: one of the user's own."""

    nodeid: str
    message: str


@dataclass(frozen=True)
class RunReport:
    """What became of a run.

    Attributes:
        exit_code: of the run; None of packages.
        others: see `OtherFailure`.
        places: node id -> the place of a test, which for a generated one is that of its model.
        start: the folder that paths are shown from.
        environment: Model Navigator's block of that name, of the machine of the run.
        git: see `environment.git_state`.
        ended: UTC, ISO 8601.
        pipelines: whole ones, whose modules are among the models.
    """

    models: tuple[ModelReport, ...]
    exit_code: int | None = None
    others: tuple[OtherFailure, ...] = ()
    places: Mapping[str, Place] = field(default_factory=dict)
    start: Path | None = None
    environment: Mapping[str, Any] = field(default_factory=dict)
    git: Mapping[str, Any] | None = None
    ended: str = ""
    pipelines: tuple[PipelineReport, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether something is not in order."""
        return bool(self.exit_code or self.others or self.broken)

    @property
    def broken(self) -> str:
        """What is not in order, "1 of 2 models and 1 of 1 pipeline"; "" for nothing."""
        return " and ".join(f"{failed} of {count}" for count, failed in self._counts() if failed)

    @property
    def counted(self) -> str:
        """How many there are, "2 models and 1 pipeline"."""
        return " and ".join(count for count, _ in self._counts())

    def _counts(self) -> Iterator[tuple[str, int]]:
        yield _count(len(self.models), "model"), sum(model.failed for model in self.models)
        if self.pipelines:
            yield _count(len(self.pipelines), "pipeline"), sum(pipeline.failed for pipeline in self.pipelines)

    def shown(self, path: Path | Url) -> str:
        """Return a path as people read it."""
        return str(short_path(path, self.start) if self.start else path)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def tail(text: str) -> str:
    """Return the last lines of a log."""
    lines = text[-READ:].rstrip().splitlines()
    return "\n".join(bounded(line, LINE) for line in lines[-TAIL:])


def log_tails(folder: Path, results: Results) -> dict[str, str]:
    """Return the ends of the logs of the formats in which something failed, from a suite's folder in the workspace."""
    keys = dict.fromkeys(o.key for o in results.outcomes if o.failed and o.key)
    return {key: text for key in keys if (text := _tail_of(folder / key / "format.log"))}


def _tail_of(path: Path) -> str:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - READ))
            return tail(file.read().decode(errors="backslashreplace"))
    except OSError:  # a step that failed before it wrote anything
        return ""
