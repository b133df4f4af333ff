"""Compare two packages, as `pytest --nav-baseline` does where nothing has to run: what is worse, different or better.

Exit code: 0: nothing is, but for the better; 1: something is worse or different. Latencies of two runs are shown, never
judged, and a line says so of artifacts that differ: only both beside each other tell whether one is slower
(pytest --nav-baseline=BEFORE).
"""

from __future__ import annotations

import argparse
import json

from pytest_navigator.cli.fetched import package as package_path
from pytest_navigator.configuration.options import share
from pytest_navigator.core.plain import plain
from pytest_navigator.gates.row_text import row_line
from pytest_navigator.gates.rows import TOPICS
from pytest_navigator.package.container.reader import open_package
from pytest_navigator.package.merge.differences import FAILING, differences
from pytest_navigator.text import one_line


def add(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("before", type=package_path, metavar="BEFORE")
    parser.add_argument("after", type=package_path, metavar="AFTER")
    keys = "topic, subject, before, after, verdict, reason"
    parser.add_argument("--json", action="store_true", help=f"print a list of {{{keys}}}")
    latency = "show p50 latencies that differ by more than this share (default: 0.2)"
    parser.add_argument("--latency", type=_share, default=0.2, metavar="SHARE", help=latency)
    growth = "by what share artifacts and peak memory may grow; without it they may"
    parser.add_argument("--max-growth", type=share, default=None, metavar="SHARE", help=growth)
    ignored = f"leave out a topic; repeatable ({', '.join(TOPICS)})"
    parser.add_argument("--ignore", action="append", default=[], choices=list(TOPICS), metavar="TOPIC", help=ignored)


def run(arguments: argparse.Namespace) -> int:
    """Print every difference."""
    with open_package(arguments.before) as before, open_package(arguments.after) as after:
        every = differences(before, after, arguments.latency, arguments.max_growth)
    found = [each for each in every if each.topic not in arguments.ignore]
    if arguments.json:
        print(json.dumps([plain(each) for each in found], indent=1))
    else:
        print(*[one_line(row_line(each, word=True)) for each in found] or ["no difference"], sep="\n")
    return 1 if any(each.verdict in FAILING for each in found) else 0


def _share(text: str) -> float:
    value = float(text)
    if not value >= 0:  # nor is nan
        raise argparse.ArgumentTypeError(f"{text} is no share: a number from 0 on")
    return value
