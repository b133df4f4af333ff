"""Our own part of status.yaml: what it must be, whoever wrote it (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from typing import TYPE_CHECKING

from pytest_navigator.package.record_schema import MOST_FORMATS
from pytest_navigator.package.record_schema import MOST_STEPS
from pytest_navigator.package.record_schema import SETTINGS
from pytest_navigator.package.record_schema import OptionalText
from pytest_navigator.package.record_schema import Plain
from pytest_navigator.package.record_schema import Signature
from pytest_navigator.package.record_schema import Step
from pytest_navigator.package.record_schema import Suite
from pytest_navigator.package.record_schema import Verification

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
class Own:
    """Our part; without a suite, in a package that somebody else has written."""

    version: str = ""
    complete: bool = True
    files: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    git: Commit | None = None
    suite: Suite | None = None
    signature: Signature | None = None
    settings: dict[str, Setting] = field(default_factory=dict)
    steps: dict[str, Step] = field(default_factory=dict)
    others: list[Step] = field(default_factory=list)
    verification: list[Verification] = field(default_factory=list)
    machines: dict[str, Machine] = field(default_factory=dict)

    def problem(self) -> str:
        """Return the first thing that is wrong although its type is right, with its place; "" if there is none."""
        return next(self._problems(), "") if self.suite else ""

    def _problems(self) -> Iterator[str]:
        assert self.suite is not None
        if problem := self.suite.wrong():
            yield f"suite{problem}"
        if self.signature and (problem := self.signature.wrong()):
            yield f"signature{problem}"
        if (count := len(self.steps) + len(self.others) + len(self.verification)) > MOST_STEPS:
            yield f"steps: {count} are more than {MOST_STEPS}"
        if len(self.machines) > MOST_FORMATS:
            yield f"machines: {len(self.machines)} are more than {MOST_FORMATS}"
        for name, setting in self.settings.items():
            if name in SETTINGS and not SETTINGS[name](setting.value):
                yield f"settings[{name!r}].value: {setting.value!r} is none"
        yield from self._steps(self.suite)

    def _steps(self, suite: Suite) -> Iterator[str]:
        steps: list[tuple[str, Step | Verification]] = [(f"steps[{name!r}]", step) for name, step in self.steps.items()]
        steps += [(f"others[{position}]", step) for position, step in enumerate(self.others)]
        steps += [(f"verification[{position}]", step) for position, step in enumerate(self.verification)]
        for place, step in steps:
            if problem := step.wrong(suite) or self._elsewhere(step):
                yield f"{place}{problem}"
        for name, each in self.steps.items():
            if name != each.id:
                yield f"steps[{name!r}]: it is {each.id!r}"

    def _elsewhere(self, step: Step | Verification) -> str:
        """Return that a step of a merged package is of no machine that is described."""
        if not self.machines or step.data.machine in self.machines:
            return ""
        return f".data.machine: {step.data.machine!r} is none of the machines"
