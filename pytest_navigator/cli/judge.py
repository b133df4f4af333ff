"""Judge a recorded run by another policy: what its tests would say, without running anything again.

Exit code: 0: every test would pass, or be skipped as it was; 1: one fails, or the record of an output does not tell
whether it passes.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_navigator.configuration import options
from pytest_navigator.core.plain import plain
from pytest_navigator.gates.judging import NOT_JUDGED, Item, Record, judge
from pytest_navigator.gates.tolerance import Policy
from pytest_navigator.package.container.reader import open_package
from pytest_navigator.reporting.report import title
from pytest_navigator.text import one_line

if TYPE_CHECKING:
    import argparse

    from pytest_navigator.package.query.results import Results


def add(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("package", type=Path, metavar="PACKAGE")
    form = "1e-5, or with others for an output or a format: '1e-5 logits=1e-4'; default: that of the run"
    parser.add_argument("--atol", type=options.atol, metavar="TOL", help=f"absolute tolerance: {form}")
    parser.add_argument("--rtol", type=options.rtol, metavar="TOL", help=f"relative tolerance: {form}")
    parser.add_argument("--json", action="store_true", help="print a list of {name, word, text, outputs}")


def run(arguments: argparse.Namespace) -> int:
    """Print what each test would say."""
    with open_package(arguments.package) as package:
        results = package.results
    items = judge(record_of(results), policy_of(results, arguments.atol, arguments.rtol))
    print(json.dumps(plain(items), indent=1) if arguments.json else "\n".join(lines(results, items)))
    return 1 if any(item.counts for item in items) else 0


def record_of(results: Results) -> Record:
    """Return what is judged of a package."""
    from pytest_navigator.backends.builtin import known

    return Record(results.suite, results.outcomes, results.signature, results.missing, tuple(known().formats))


def policy_of(results: Results, atol: Any, rtol: Any) -> Policy:
    """Return the policy: what is not said is as it was in the run."""
    said = {"atol": atol, "rtol": rtol}
    return Policy(**{name: results.setting(name) if value is None else value for name, value in said.items()})


def lines(results: Results, items: list[Item]) -> list[str]:
    """Return a line for each test, and the count."""
    count = Counter(item.word.lower() for item in items)
    total = ", ".join(f"{number} {word}" for word, number in sorted(count.items()))
    return [one_line(line) for line in (title(results), *map(_line, items), total)]


def _line(item: Item) -> str:
    why = f" ({item.text})" if item.text else ""
    return f"{NOT_JUDGED}: {item.name}{why}" if item.word == NOT_JUDGED else f"{item.name} {item.word}{why}"
