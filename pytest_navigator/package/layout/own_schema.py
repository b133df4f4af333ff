"""Our own part of status.yaml: what it must be, whoever wrote it (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pytest_navigator.core.records import Measure, Outcome, Signature, SuiteRecord
from pytest_navigator.core.steps import Status  # noqa: TC001  # cattrs reads annotations
from pytest_navigator.package.layout.record_schema import (
    MOST_FORMATS,
    MOST_STEPS,
    SETTINGS,
    OptionalText,
    Plain,
    cell_problem,
    signature_problem,
    step_problem,
    suite_problem,
    time_problem,
)
from pytest_navigator.package.query.results import Results

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Setting:
    """One setting of the run, with where it came from."""

    value: Plain = None
    origin: str = ""


@dataclass
class Commit:
    """Of the user's repository."""

    commit: str
    dirty: bool | None = None


@dataclass
class Machine:
    """One of those whose packages were merged."""

    environment: dict[str, Plain] = field(default_factory=dict)
    git: Commit | None = None
    uuid: OptionalText = None
    timestamp: OptionalText = None
    version: OptionalText = None


@dataclass
class Verification:
    """What a user's test, or `set_verified`, said of a format."""

    nodeid: str
    key: str
    runner: str
    status: Status
    message: str
    digest: str
    time: str
    duration: Measure = 0.0
    error: str = ""
    data: dict[str, Plain] = field(default_factory=dict)

    @property
    def outcome(self) -> Outcome:
        """As the run recorded it."""
        return Outcome(
            step="verify",
            status=self.status,
            key=self.key,
            runner=self.runner,
            message=self.message,
            error=self.error,
            duration=self.duration,
            started=self.time,
            digest=self.digest,
            data={"nodeid": self.nodeid, **self.data},
        )


@dataclass(kw_only=True)
class Saved:
    """Our part of every package that we write, also of one that somebody else has run."""

    version: str = ""
    complete: bool = True
    files: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    unfinished: tuple[str, ...] = ()
    git: Commit | None = None

    def problem(self) -> str:
        """Return the first thing that is wrong although its type is right, with its place; "" if there is none."""
        return ""


@dataclass(kw_only=True)
class Recorded(Saved):
    """Our part of a package that we have run; its suite has neither a package nor settings."""

    suite: SuiteRecord
    settings: dict[str, Setting]
    steps: dict[str, Outcome]
    verification: list[Verification]
    signature: Signature | None = None
    others: tuple[Outcome, ...] = ()
    machines: dict[str, Machine] = field(default_factory=dict)

    def results(self, settings: dict[str, Plain], machines: dict[str, Plain]) -> Results:
        """Return what the run recorded.

        Args:
            settings, machines: as they stand there: with what nobody here reads.
        """
        return Results(
            suite=replace(self.suite, settings=settings),
            outcomes=(*self.steps.values(), *(each.outcome for each in self.verification)),
            signature=self.signature,
            unfinished=self.unfinished,
            machines=machines,
            others=self.others,
        )

    def problem(self) -> str:
        """Return the first thing that is wrong although its type is right, with its place; "" if there is none."""
        return next(self._problems(), "")

    def _problems(self) -> Iterator[str]:
        if problem := suite_problem(self.suite):
            yield f"suite{problem}"
        if self.signature and (problem := signature_problem(self.signature)):
            yield f"signature{problem}"
        if self.signature is None and any(each.step == "source" and each.passed for each in self.steps.values()):
            yield "signature: there is none, although the source passed"
        if (count := len(self.steps) + len(self.others) + len(self.verification)) > MOST_STEPS:
            yield f"steps: {count} are more than {MOST_STEPS}"
        if len(self.machines) > MOST_FORMATS:
            yield f"machines: {len(self.machines)} are more than {MOST_FORMATS}"
        for name, setting in self.settings.items():
            if name in SETTINGS and not SETTINGS[name](setting.value):
                yield f"settings[{name!r}].value: {setting.value!r} is none"
        yield from self._outcomes()

    def _outcomes(self) -> Iterator[str]:
        steps = {f"steps[{name!r}]": outcome for name, outcome in self.steps.items()}
        steps |= {f"others[{position}]": outcome for position, outcome in enumerate(self.others)}
        for place, outcome in steps.items():
            if problem := step_problem(outcome, self.suite) or self._elsewhere(outcome):
                yield f"{place}{problem}"
        for position, each in enumerate(self.verification):
            if problem := self._verification(each.outcome):
                yield f"verification[{position}]{problem}"
        for name, outcome in self.steps.items():
            if name != outcome.id:
                yield f"steps[{name!r}]: it is {outcome.id!r}"

    def _verification(self, outcome: Outcome) -> str:
        wrong = cell_problem(outcome, self.suite) or time_problem("time", outcome.started, outcome.duration)
        return wrong or self._elsewhere(outcome)

    def _elsewhere(self, outcome: Outcome) -> str:
        machine = outcome.notes.machine
        if not self.machines or machine in self.machines:
            return ""
        return f".data.machine: {machine!r} is none of the machines"
