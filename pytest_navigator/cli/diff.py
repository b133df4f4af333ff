"""Compare two packages: formats, outcomes, tolerances, latencies, sizes, the model, its signature, the environment.

Exit code: 0: nothing is different but for the better; 1: something is. A latency with a caveat is not compared.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from pytest_navigator.package.container.reader import open_package
from pytest_navigator.package.merge.differences import VALUES, differences
from pytest_navigator.text import one_line


def add(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("before", type=Path, metavar="BEFORE")
    parser.add_argument("after", type=Path, metavar="AFTER")
    parser.add_argument("--json", action="store_true", help="print a list of {topic, subject, before, after, verdict}")
    latency = "report p50 latencies that differ by more than this share (default: 0.2)"
    parser.add_argument("--latency", type=_share, default=0.2, metavar="SHARE", help=latency)
    ignored = f"leave out a topic; repeatable ({', '.join(VALUES)})"
    parser.add_argument("--ignore", action="append", default=[], choices=list(VALUES), metavar="TOPIC", help=ignored)


def run(arguments: argparse.Namespace) -> int:
    """Print every difference."""
    with open_package(arguments.before) as before, open_package(arguments.after) as after:
        every = differences((before, before.results), (after, after.results), arguments.latency)
    found = [each for each in every if each.topic not in arguments.ignore]
    if arguments.json:
        print(json.dumps([each.plain() for each in found], indent=1))
    else:
        print(*[one_line(each.line()) for each in found] or ["no difference"], sep="\n")
    return 1 if any(each.counts for each in found) else 0


def _share(text: str) -> float:
    value = float(text)
    if not value >= 0:  # nor is nan
        raise argparse.ArgumentTypeError(f"{text} is no share: a number from 0 on")
    return value
