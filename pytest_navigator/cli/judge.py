"""Judge a recorded run by another policy: what its tests would say, without running anything again.

Exit code: 0: every test would pass, or be skipped as it was; 1: one fails, a run in which none does would not be in
order, something is worse than expected (in CI, also what is better) or than the baseline, or the record of an output
does not tell whether it passes.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_navigator.cli.fetched import package as package_path
from pytest_navigator.configuration import options
from pytest_navigator.core.expected import Expected, usual_mode
from pytest_navigator.core.plain import plain
from pytest_navigator.errors import ConfigError, unknown_text
from pytest_navigator.gates.expected import fails
from pytest_navigator.gates.judged_gates import (
    as_expected,
    baseline_rows,
    expected_line,
    expected_rows,
    met,
    outcomes_now,
    tolerances,
)
from pytest_navigator.gates.judging import NOT_JUDGED, Item, Record, judge, names_of
from pytest_navigator.gates.regression import other_model
from pytest_navigator.gates.row_text import row_line
from pytest_navigator.gates.rows import worse
from pytest_navigator.gates.tolerance import Policy
from pytest_navigator.package.container.reader import open_package
from pytest_navigator.package.sides import side_of
from pytest_navigator.reporting.report import title
from pytest_navigator.reporting.shortcomings import unchecked_at_all, unmet, unverified
from pytest_navigator.text import one_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping

    from pytest_navigator.core.records import Outcome, SuiteRecord
    from pytest_navigator.gates.expected import Row as ExpectedRow
    from pytest_navigator.gates.rows import Row
    from pytest_navigator.package.container.reader import PackageFile
    from pytest_navigator.package.query.results import Results


def add(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("package", type=package_path, metavar="PACKAGE")
    form = "1e-5, or with others for an output or a format: '1e-5 logits=1e-4'; default: that of the run"
    parser.add_argument("--atol", type=options.atol, metavar="TOL", help=f"absolute tolerance: {form}")
    parser.add_argument("--rtol", type=options.rtol, metavar="TOL", help=f"relative tolerance: {form}")
    expected = "outcomes and tolerances that are expected: a nav_expected.toml; default: those of the run"
    parser.add_argument("--expected", type=Path, metavar="FILE", help=expected)
    parser.add_argument(
        "--baseline", type=package_path, metavar="PACKAGE", help="what nothing may be worse than: a package"
    )
    growth = "by what share artifacts and peak memory may be larger than the baseline's; default: as in the run"
    parser.add_argument("--max-growth", type=options.share, metavar="SHARE", help=growth)
    keys = "items: {name, word, text, outputs}, expected, baseline, reasons"
    parser.add_argument("--json", action="store_true", help=f"print {{{keys}}}")


def run(arguments: argparse.Namespace) -> int:
    """Print what each test would say, and what gates would."""
    with open_package(arguments.package) as package:
        found = _verdicts(package, arguments)
    print(json.dumps(plain(found), indent=1) if arguments.json else "\n".join(lines(package.results, found)))
    return 1 if found.fails else 0


@dataclass(frozen=True)
class Verdicts:
    """What is said of a package.

    Attributes:
        reasons: why a run in which no test fails would not be in order.
        file: what the expected file is called; mode: what a run does with it.
    """

    items: list[Item]
    expected: list[ExpectedRow]
    baseline: list[Row]
    reasons: list[str] = field(default_factory=list)
    file: str = ""
    mode: str = ""

    @property
    def fails(self) -> bool:
        """Whether a run under the policy would not be green, or nobody can tell."""
        unmet = any(fails(row, self.mode) for row in self.expected)
        return unmet or bool(worse(self.baseline) or self.reasons) or any(item.counts for item in self.items)


def _verdicts(package: PackageFile, arguments: argparse.Namespace) -> Verdicts:
    results = package.results
    suite, outcomes = results.suite, results.outcomes
    expected = _expected(results, arguments) if arguments.expected else suite.expected
    policy = policy_of(results, arguments.atol, arguments.rtol)
    if expected and arguments.atol is None:
        policy = replace(policy, atol=tolerances(expected, names_of(suite)) or policy.atol)
    items = judge(record_of(results), policy)
    now = outcomes_now(outcomes, items)
    rows = expected_rows(expected, suite, now) if expected else []
    most = arguments.max_growth if arguments.max_growth is not None else results.setting("max_growth")
    worse_rows = _compared(package, now, arguments.baseline, most) if arguments.baseline else []
    found = Verdicts(as_expected(items, rows, outcomes), rows, worse_rows, _reasons(replace(results, outcomes=now)))
    return replace(found, file=expected.file if expected else "", mode=usual_mode(os.environ.get("CI", "")))


def _reasons(results: Results) -> list[str]:
    """Return why a run with these outcomes would not be in order although no test fails."""
    return [*unmet(results, results.suite.run), *unchecked_at_all(results), *unverified(results)]


def _expected(results: Results, arguments: argparse.Namespace) -> Expected:
    from pytest_navigator.gates.expected_file import read

    if arguments.atol is not None or arguments.rtol is not None:
        raise ConfigError("--expected has the tolerances that hold: leave --atol and --rtol out")
    file, suite = arguments.expected.name, results.suite
    content = read(arguments.expected, file)
    _check_names(content.cells(suite.name), file, suite)
    found = content.of(suite.name, lambda need: met(suite, results.outcomes, need), file)
    # Which lines have no cell any more, a run alone can tell.
    told = suite.expected or Expected(file)
    return replace(found, absent=_of(found.lines, told.absent), vanished=_of(found.lines, told.vanished))


def _check_names(names: Iterable[str], file: str, suite: SuiteRecord) -> None:
    """Refuse names that are of no cell, in the record or in another run."""
    from pytest_navigator.backends.builtin import known
    from pytest_navigator.planning.left_out import means

    valid = names_of(suite)
    keys = [variant.key for variant in suite.variants]
    for name in sorted({*names} - valid):
        if not means(name, keys, known(), suite.framework):
            raise ConfigError(f"{file}: [{suite.name}]: {unknown_text('cell', name, valid)}")


def _of(names: Iterable[str], reasons: Mapping[str, str]) -> dict[str, str]:
    return {name: reasons[name] for name in names if name in reasons}


def _compared(package: PackageFile, now: tuple[Outcome, ...], baseline: Path, most: float | None) -> list[Row]:
    after = replace(side_of(package), outcomes=now)
    with open_package(baseline) as other:
        before = side_of(other)
    if problem := other_model(before, after):
        raise ConfigError(f"--baseline={baseline}: {problem}")
    return baseline_rows(before, after, most)


def record_of(results: Results) -> Record:
    """Return what is judged of a package."""
    from pytest_navigator.backends.builtin import known

    return Record(results.suite, results.outcomes, results.signature, results.missing, tuple(known().formats))


def policy_of(results: Results, atol: Any, rtol: Any) -> Policy:
    """Return the policy: what is not said is as it was in the run."""
    said = {"atol": atol, "rtol": rtol}
    return Policy(**{name: results.setting(name) if value is None else value for name, value in said.items()})


def lines(results: Results, found: Verdicts) -> list[str]:
    """Return a line for each test, for what gates say, and the count."""
    count = Counter(item.word.lower() for item in found.items)
    total = ", ".join(f"{number} {word}" for word, number in sorted(count.items()))
    told = [f"FAILED: {reason}" for reason in found.reasons]
    told += [expected_line(row, found.file) for row in found.expected]
    told += [f"baseline: {row_line(row, word=True)}" for row in found.baseline]
    return [one_line(line) for line in (title(results), *map(_line, found.items), *filter(None, told), total)]


def _line(item: Item) -> str:
    why = f" ({item.text})" if item.text else ""
    return f"{NOT_JUDGED}: {item.name}{why}" if item.word == NOT_JUDGED else f"{item.name} {item.word}{why}"
