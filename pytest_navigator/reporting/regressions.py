"""The comparison with a baseline in the summary, and what of it is known at the end of a run only (pure)."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_navigator.core.facts import facts_of
from pytest_navigator.core.steps import Status
from pytest_navigator.gates.facts import RegressionFacts
from pytest_navigator.gates.row_text import is_shown_only, row_line
from pytest_navigator.gates.rows import Verdict, worse
from pytest_navigator.gates.vouched import verified_rows
from pytest_navigator.package.sides import side_from

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_navigator.core.records import Outcome
    from pytest_navigator.gates.rows import Row
    from pytest_navigator.gates.sides import Baseline
    from pytest_navigator.package.query.results import Results

MOST = 5  # Lines of each verdict
TOLD = (Verdict.WORSE, Verdict.DIFFERENT, Verdict.BETTER, Verdict.INCONCLUSIVE, Verdict.NOT_JUDGED)


def regressions(results: Results) -> list[str]:
    """Return how many things are worse, better or the same as in the baseline, and which."""
    compared = comparison(results)
    if compared is None:
        return _absent([outcome for outcome in results.outcomes if outcome.step == "regression"])
    unmeasured = [] if results.setting("profile", True) else ["note: no speeds are compared where nothing is measured"]
    return [compared.line, *(line for verdict in TOLD for line in _lines(compared.rows, verdict)), *unmeasured]


@dataclass(frozen=True)
class Comparison:
    """Everything that was compared with a baseline.

    Attributes:
        since: which run the baseline is of.
        rows: without those that only show a figure.
    """

    since: str
    rows: tuple[Row, ...]

    @property
    def counts(self) -> str:
        """How many there are of each verdict: "1 worse, 12 same"."""
        counted = Counter(row.verdict for row in self.rows)
        return ", ".join(f"{counted[verdict]} {verdict}" for verdict in Verdict if counted[verdict])

    @property
    def line(self) -> str:
        """The same with the baseline's name."""
        return f"baseline {self.since}: {self.counts or 'nothing in common'}"


def comparison(results: Results) -> Comparison | None:
    """Return what was compared with the baseline; None: nothing was."""
    steps = [facts_of(outcome, RegressionFacts) for outcome in results.outcomes if outcome.step == "regression"]
    facts = [found for found in steps if found.baseline]
    rows = tuple(row for each in facts for row in each.rows if not is_shown_only(row))
    return Comparison(facts[0].baseline, rows) if facts else None


def _absent(steps: Sequence[Outcome]) -> list[str]:
    """Return why nothing was compared, if the run asked for it and no failure says so."""
    found = next((o.message for o in steps if o.status is Status.SKIPPED and not o.cause), "")
    return [f"note: {found}"] if found else []


def _lines(rows: Sequence[Row], verdict: Verdict) -> list[str]:
    own = [row for row in rows if row.verdict is verdict]
    told = [f"{verdict}: {line}" for line in (_folded(own) if verdict is Verdict.NOT_JUDGED else map(row_line, own))]
    more = [f"{verdict}: and {len(told) - MOST} more"] if len(told) > MOST else []
    return [*told[:MOST], *more]


def _folded(rows: Sequence[Row]) -> list[str]:
    """Return a line for each reason: one cause keeps all outputs of all cells from being judged."""
    subjects: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        subjects.setdefault((row.topic, row.reason), []).append(row.subject)
    return [f"{topic} of {', '.join(names)} ({reason})" for (topic, reason), names in subjects.items()]


def unvouched(results: Results, baseline: Baseline | None) -> list[str]:
    """Return a line for each cell that `verify_` tests vouched for in the baseline, and do not any more."""
    if baseline is None or baseline.side is None:
        return []
    gone = worse(verified_rows(baseline.side, side_from(results)))
    return [f"worse than {baseline.since}: {row_line(row)}" for row in gone]


def regressed(results: Results, baseline: Baseline | None) -> bool:
    """Whether something is worse than in the baseline."""
    failed = any(outcome.step == "regression" and outcome.failed for outcome in results.outcomes)
    return failed or bool(unvouched(results, baseline))
