"""A recorded run under another policy: what each of its tests would say, as far as the record tells it (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pytest_navigator.comparison.facts import CorrectnessFacts, output_reports
from pytest_navigator.core.facts import ThroughputFacts, facts_of
from pytest_navigator.core.steps import BEST, KNEE, Status, item_name, step_id
from pytest_navigator.gates.tolerance import Judged, Policy, Word, judged, rules_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from pytest_navigator.comparison.tolerances import Rule
    from pytest_navigator.core.records import Outcome, OutputReport, Signature, SuiteRecord

NOT_JUDGED = "not judged"
WORDS = {Status.PASSED: "PASSED", Status.FAILED: "FAILED", Status.SKIPPED: "SKIPPED", Status.XFAILED: "XFAIL"}


@dataclass(frozen=True)
class Item:
    """What one test would say.

    Attributes:
        name: "test_correctness[onnx-cpu]", or the node id of a `verify_` test.
        word: as pytest writes it, or `NOT_JUDGED`.
        text: why; "" for nothing to say.
        outputs: the verdicts on the outputs that were compared.
        untold: whether it is a test of the user's own that would run, and nobody knows what it would say.
    """

    name: str
    word: str
    text: str = ""
    outputs: tuple[Judged, ...] = ()
    untold: bool = False

    @property
    def open(self) -> bool:
        """Whether an output was compared and the record does not tell the verdict."""
        return any(each.word is Word.UNKNOWN for each in self.outputs)

    @property
    def counts(self) -> bool:
        """Whether the policy is not met, or nobody can tell that it is."""
        return self.word == "FAILED" or self.open or self.untold


@dataclass(frozen=True)
class Record:
    """A run as it was recorded.

    Attributes:
        outcomes: those of its steps and its `verify_` tests.
        missing: ids of the steps that did not run.
        formats: names of formats that a policy may mention, beside the suite's own.
    """

    suite: SuiteRecord
    outcomes: tuple[Outcome, ...]
    signature: Signature | None
    missing: tuple[str, ...] = ()
    formats: Collection[str] = field(default_factory=tuple)


def judge(record: Record, policy: Policy) -> list[Item]:
    """Return what each test of the run would say under the policy.

    Raises:
        ConfigError: it names an output or a format that does not exist.
    """
    known = {outcome.id: outcome for outcome in record.outcomes}
    # Without a signature the source has failed, and nothing is compared with it.
    compared = record.outcomes if record.signature else ()
    items = {o.id: _compared(o, reports, record, policy, known) for o in compared if (reports := _reports(o))}
    now = {id: item.word for id, item in items.items()}
    found = [_item(o, items, known, now, record.suite) for o in record.outcomes]
    return [*found, *(Item(_named(step, record.suite), NOT_JUDGED, "it did not run") for step in record.missing)]


def _item(
    outcome: Outcome,
    items: Mapping[str, Item],
    known: Mapping[str, Outcome],
    now: Mapping[str, str],
    suite: SuiteRecord,
) -> Item:
    """Return what a test would say, in a run in which others say what they say now."""
    checked = step_id("correctness", outcome.key, outcome.runner)
    needed = [] if outcome.id == checked or not outcome.runner else [checked]
    needed += [step_id("throughput", outcome.key, outcome.runner)] if outcome.batch in (KNEE, BEST) else []
    if failed := next((id for id in needed if now.get(id) in ("FAILED", "XFAIL") and known[id].passed), ""):
        return Item(name_of(outcome, suite), "SKIPPED", f"{failed} fails")
    return items.get(outcome.id) or _as_recorded(outcome, known, now, suite)


def _reports(outcome: Outcome) -> tuple[OutputReport, ...]:
    """Return how the outputs of a step compared, if that decides its outcome."""
    found = output_reports(outcome) or facts_of(outcome, ThroughputFacts).outputs
    return found if outcome.passed or outcome.error == "mismatch" else ()


def _compared(
    outcome: Outcome, reports: Iterable[OutputReport], record: Record, policy: Policy, known: Mapping[str, Outcome]
) -> Item:
    assert record.signature is not None
    variant = next(each for each in record.suite.variants if each.key == outcome.key)
    cell = known.get(step_id("correctness", outcome.key, outcome.runner), outcome)
    before: Mapping[str, Rule] = facts_of(cell, CorrectnessFacts).rules
    formats = {*record.formats, *names_of(record.suite)}
    rules = rules_of(policy, cell, variant, record.signature.outputs, formats, _cell(outcome, record.suite))
    outputs = tuple(judged(reports, rules, before))
    return _expected(replace(_worst(outputs), name=name_of(outcome, record.suite)), outcome, record.suite)


def names_of(suite: SuiteRecord) -> set[str]:
    """Return the names of a suite's formats and cells."""
    cells = (f"{v.key}-{suite.runners[runner].runtime}" for v in suite.variants for runner in v.runners)
    return {*(name for v in suite.variants for name in (v.key, v.format)), *cells}


def _worst(outputs: tuple[Judged, ...]) -> Item:
    for word, said in ((Word.FAILS, "FAILED"), (Word.UNKNOWN, NOT_JUDGED)):
        if found := [each for each in outputs if each.word is word]:
            return Item("", said, "; ".join(f"{each.output}: {each.text}" for each in found), outputs)
    return Item("", "PASSED", "; ".join(f"{each.output}: {each.text}" for each in outputs), outputs)


def _expected(item: Item, outcome: Outcome, suite: SuiteRecord) -> Item:
    """Apply `xfail` of nav_config, which is strict."""
    reason = (suite.setting("xfail")["value"] or {}).get(_cell(outcome, suite))
    if not reason or outcome.step != "correctness" or item.word == NOT_JUDGED:
        return item
    word, text = ("XFAIL", reason) if item.word == "FAILED" else ("FAILED", f"[XPASS(strict)] {reason}")
    return replace(item, word=word, text=text)


def _as_recorded(outcome: Outcome, known: Mapping[str, Outcome], now: Mapping[str, str], suite: SuiteRecord) -> Item:
    """Return what a test said in the run, which no tolerance changes; unless it was skipped for one that passes now."""
    name = name_of(outcome, suite)
    own = outcome.step == "verify" and outcome.status is Status.SKIPPED  # pytest has skipped it, with a text alone
    cause = outcome.cause or (step_id("correctness", outcome.key, outcome.runner) if own else "")
    if now.get(cause) == "PASSED" and not known[cause].passed:
        return Item(name, NOT_JUDGED, f"it did not run, because {cause} had failed", untold=own)
    return Item(name, WORDS[outcome.status], "" if outcome.passed else outcome.message)


def name_of(outcome: Outcome, suite: SuiteRecord) -> str:
    """Return what a test is called: `test_profile[onnx-cpu-batch1]`."""
    if outcome.step == "verify":
        return outcome.notes.nodeid
    return item_name(outcome.step, _cell(outcome, suite), outcome.batch)


def _cell(outcome: Outcome, suite: SuiteRecord) -> str:
    return "-".join(filter(None, (outcome.key, suite.runners[outcome.runner].runtime if outcome.runner else "")))


def _named(step: str, suite: SuiteRecord) -> str:
    """Return the same of the id of a step that has no outcome; the node id of a `verify_` test is its name."""
    kind, key, runner, batch, *_ = [*step.split("."), "", "", ""]
    if step in suite.verify or (runner and runner not in suite.runners):
        return step
    return item_name(kind, "-".join(filter(None, (key, suite.runners[runner].runtime if runner else ""))), batch)
