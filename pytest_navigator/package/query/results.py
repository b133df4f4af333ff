"""What a suite's folder in the workspace says, as one value that status, log, configuration and summary read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_navigator.comparison.facts import CorrectnessFacts
from pytest_navigator.core import plain
from pytest_navigator.core.facts import SourceFacts, facts_of
from pytest_navigator.core.plain import JSON  # noqa: TC001  # cattrs reads annotations
from pytest_navigator.core.records import Outcome, Signature, SuiteRecord
from pytest_navigator.core.steps import KINDS, Status
from pytest_navigator.errors import PackageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from typing import TypeVar

    from pytest_navigator.core.variants import Variant

    T = TypeVar("T")

Machine: TypeAlias = Mapping[str, Any]
"""What is recorded of one of the machines of a merged package: environment, git, uuid, timestamp."""

MACHINES_FILE = ".machines.json"  # In a suite's folder: a `MachinesRecord`, where several machines worked on it

MADE = tuple(kind.name for kind in KINDS.values() if kind.makes)


@dataclass(frozen=True)
class MachinesRecord:
    """What is recorded of a suite beside its outcomes where these are of several machines: as in `Results`."""

    machines: dict[str, JSON]
    others: tuple[Outcome, ...] = ()
    conflicts: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Results:
    """The outcomes of one suite, looked up by what they are about.

    Attributes:
        outcomes: in the order of the suite's steps; verify outcomes after these.
        signature: None as long as the source step has not passed.
        unfinished: steps in which the process that holds the live model died.
        machines: of a merged package: name -> what was recorded of that machine (environment, git, uuid, timestamp);
            each outcome notes its own.
        others: outcomes of steps that another machine's outcome stands for in `outcomes`.
        conflicts: of a run on several machines: about what they disagree, a line each.
        remarks: of such a run: of which artifacts one machine's was taken, a line each.
    """

    suite: SuiteRecord
    outcomes: tuple[Outcome, ...]
    signature: Signature | None = None
    unfinished: tuple[str, ...] = ()
    machines: Mapping[str, Machine] = field(default_factory=dict)
    others: tuple[Outcome, ...] = ()
    conflicts: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def source(self) -> Outcome | None:
        """The source step."""
        return next((outcome for outcome in self.outcomes if outcome.step == "source"), None)

    @property
    def source_facts(self) -> SourceFacts:
        """What the source step found out."""
        return facts_of(self.source, SourceFacts)

    @cached_property
    def missing(self) -> tuple[str, ...]:
        """Ids of the suite's steps, and of its verify tests, that neither ran nor were skipped."""
        known = {outcome.id for outcome in self.outcomes} | {outcome.notes.nodeid for outcome in self.outcomes}
        return tuple(step for step in (*self.suite.steps, *self.suite.verify) if step not in known)

    def setting(self, name: str, default: JSON = None) -> Any:
        """Return the value of one of the suite's settings, without its origin."""
        return self.suite.settings.get(name, {}).get("value", default)

    def unverified(self, key: str, runner: str) -> list[str]:
        """Return the verify tests of one runner that were collected and did not run."""
        return self._unverified.get((key, runner), [])

    def variant(self, key: str) -> Variant:
        """Return the variant with this key; PackageError if there is none."""
        found = next((variant for variant in self.suite.variants if variant.key == key), None)
        if found is None:
            raise PackageError(
                f"there is no format {key!r} (there are: {', '.join(v.key for v in self.suite.variants)})"
            )
        return found

    def chain(self, key: str) -> list[str]:
        """Return the key and those of the variants that it is made from, the nearest first."""
        parent = self.variant(key).parent
        return [key, *(self.chain(parent) if parent else [])]

    def made(self, key: str) -> Outcome | None:
        """Return the export or convert step of a variant; the source step of one that comes with the source."""
        if key in self.suite.provided:
            return self.source
        return self._made.get(key)

    def correctness(self, key: str, runner: str) -> Outcome | None:
        """Return the correctness step of one runner; where it fails to generate as the source does, that one's step."""
        decoding = (outcome for outcome in self._cell("decoding", key, runner) if outcome.failed)
        return next(decoding, next(iter(self._cell("correctness", key, runner)), None))

    def worth(self, key: str, runner: str) -> bool:
        """Whether it may be chosen by its figures: nothing is against that."""
        return not self.objection(key, runner)

    def objection(self, key: str, runner: str) -> str:
        """Return why no figure makes it the best, "" if one may.

        A quantized format is slower or larger than its float one, or what a default did not pass is left to `verify_`
        tests that have not passed either.
        """
        found = next((outcome for outcome in self._cell("quantization", key, runner) if outcome.failed), None)
        return f"{key} on {runner}: {found.message}" if found else self.unjudged(key, runner)

    def unjudged(self, key: str, runner: str) -> str:
        """Return why nobody has judged an output whose noise is left to `verify_` tests, "" if all are judged."""
        checked = self.correctness(key, runner)
        rules = facts_of(checked, CorrectnessFacts).rules
        left = [f"{name} is unchecked ({rule.note})" for name, rule in rules.items() if rule.vouching]
        if not left or self.verified(key, runner):
            return ""
        return f"{key} on {runner}: {'; '.join(left)}, and these tests have not passed"

    def profiles(self, key: str, runner: str) -> list[Outcome]:
        """Return the profile steps of one runner, one a batch size."""
        return self._cell("profile", key, runner)

    def verifications(self, key: str, runner: str) -> list[Outcome]:
        """Return the user's verify tests of one runner; those of another run count for the same artifact only."""
        found = self._cell("verify", key, runner)
        return [outcome for outcome in found if not outcome.notes.carried or self.current(outcome)]

    def current(self, verification: Outcome) -> bool:
        """Whether the artifact is still the one that a verify test has seen."""
        if self.variant(verification.key).file:
            made = self.made(verification.key)
            digest = made.digest_of(verification.key) if made else ""
            return bool(digest) and digest == verification.digest
        known = {self.source.digest if self.source else "", self.source_facts.fingerprint or ""}
        return verification.digest in ((known - {""}) or {""})

    def verified(self, key: str, runner: str) -> bool:
        """Whether there are verify tests of this runner, and each ran for the artifact as it is now and passed."""
        found = self.verifications(key, runner)
        passed = bool(found) and all(outcome.passed and self.current(outcome) for outcome in found)
        return passed and not self.unverified(key, runner)

    def cells(self) -> list[tuple[str, str]]:
        """Return every variant key with each of its runners."""
        return [(v.key, runner) for v in self.suite.variants for runner in v.runners]

    def _cell(self, step: str, key: str, runner: str) -> list[Outcome]:
        return self._cells.get((step, key, runner), [])

    @cached_property
    def _cells(self) -> dict[tuple[str, str, str], list[Outcome]]:
        # The summary asks for each cell several times.
        found: dict[tuple[str, str, str], list[Outcome]] = {}
        for outcome in self.outcomes:
            found.setdefault((outcome.step, outcome.key, outcome.runner), []).append(outcome)
        return found

    @cached_property
    def _made(self) -> dict[str, Outcome]:
        return {outcome.key: outcome for outcome in reversed(self.outcomes) if outcome.step in MADE}

    @cached_property
    def _unverified(self) -> dict[tuple[str, str], list[str]]:
        found: dict[tuple[str, str], list[str]] = {}
        for nodeid in self.missing:
            if nodeid in self.suite.verify:
                found.setdefault(self.suite.verify[nodeid], []).append(nodeid)
        return found


def combined(outcomes: Iterable[Outcome]) -> Status | None:
    """Return one status for several outcomes: failed if one failed, else passed if one passed, else skipped."""
    statuses = {Status.FAILED if o.status is Status.XFAILED else o.status for o in outcomes}
    return next((s for s in (Status.FAILED, Status.PASSED, Status.SKIPPED) if s in statuses), None)


def read_results(folder: Path) -> Results:
    """Read a suite's folder in the workspace.

    Raises:
        PackageError: a record is missing or cannot be read.
    """
    suite = _load(folder / "suite.json", SuiteRecord)
    signature = folder / "signature.json"
    outcomes = [_load(path, Outcome) for path in sorted((folder / ".steps").glob("*.json"))]
    order = {step: position for position, step in enumerate(suite.steps)}
    # Files come in the order of their names; those of verify tests, which are no steps, by time.
    outcomes.sort(key=lambda o: (order.get(o.id, len(order)), o.started, o.id, o.notes.nodeid))
    unfinished = sorted(path.stem for path in (folder / ".steps").glob("*.started"))
    results = Results(
        suite, tuple(outcomes), _load(signature, Signature) if signature.exists() else None, tuple(unfinished)
    )
    if not (folder / MACHINES_FILE).exists():
        return results
    several = _load(folder / MACHINES_FILE, MachinesRecord)
    return replace(results, **{each.name: getattr(several, each.name) for each in fields(several)})


def _load(path: Path, kind: type[T]) -> T:
    try:
        return plain.load(path, kind)
    except FileNotFoundError:
        raise PackageError(f"{path.parent} is no suite's folder of a workspace: it has no {path.name}") from None
