"""Whether noise changes an outcome: each example project, again and again, with two busy loops beside it.

    python benchmarks/noise.py               # 20 runs of each: the better part of an hour
    python benchmarks/noise.py torch_linear --runs=2

Prints the different sets of outcomes of each example, with how often each came: one set is the aim. Figures (latencies,
the caveats that they carry) may differ; which tests there are, and whether each passes, may not. Exits with 1 if an
example has more than one set.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from models import EXAMPLES

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOPS = 2
Outcomes = tuple[tuple[str, str], ...]
"""The id of each test with its outcome."""


def main() -> None:
    """Run, print and judge."""
    examples = sorted(path.parent.name for path in EXAMPLES.glob("*/README.md"))
    parser = argparse.ArgumentParser()
    parser.add_argument("examples", nargs="*", default=examples)
    parser.add_argument("--runs", type=int, default=20)
    arguments = parser.parse_args()
    with busy():
        found = {name: repeated(name, arguments.runs) for name in arguments.examples}
    for name, sets in found.items():
        print(f"{name}: {len(sets)} set{'s' * (len(sets) > 1)} of outcomes in {sets.total()} runs")
        for line in differences(sets) if len(sets) > 1 else summary(next(iter(sets))):
            print(f"  {line}")
    sys.exit(any(len(sets) > 1 for sets in found.values()))


def repeated(name: str, runs: int) -> Counter[Outcomes]:
    """Return the sets of outcomes of one example with their counts."""
    with tempfile.TemporaryDirectory() as folder:
        project = shutil.copytree(EXAMPLES / name, Path(folder, name))
        return Counter(outcomes(project) for _ in range(runs))


def outcomes(project: Path) -> Outcomes:
    """Run an example as its README says and return the outcomes.

    Raises:
        RuntimeError: no report was written; with the output.
    """
    report = project / "report.xml"
    report.unlink(missing_ok=True)
    plugins = ["-p", "pytest_navigator.plugin", "-p", "pytest_benchmark.plugin"]
    command = [sys.executable, "-m", "pytest", *plugins, "--nav-package={model}.nav", f"--junitxml={report}"]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, encoding="utf-8", check=False)
    if not report.exists():
        raise RuntimeError(f"{project.name}: exit status {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
    cases = ElementTree.parse(report).iter("testcase")
    found = sorted((f"{case.get('classname')}::{case.get('name')}", outcome(case)) for case in cases)
    return (*found, ("exit status", str(done.returncode)))


def outcome(case: ElementTree.Element) -> str:
    """Return what junit says of one test."""
    return next((str(child.get("type") or child.tag) for child in case if child.tag != "properties"), "passed")


def summary(outcomes: Outcomes) -> list[str]:
    """Return how many tests had each outcome."""
    counts = Counter(found for _, found in outcomes[:-1])
    return [", ".join(f"{count} {found}" for found, count in counts.most_common())]


def differences(sets: Counter[Outcomes]) -> list[str]:
    """Return the tests that do not have one outcome in all sets."""
    tests = sorted({test for each in sets for test, _ in each})
    found = {test: Counter(dict(each).get(test, "absent") for each in sets.elements()) for test in tests}
    return [f"{test}: {dict(counts)}" for test, counts in found.items() if len(counts) > 1]


@contextmanager
def busy(count: int = LOOPS) -> Iterator[None]:
    """Keep so many processors busy."""
    loops = [multiprocessing.Process(target=loop, daemon=True) for _ in range(count)]
    for each in loops:
        each.start()
    try:
        yield
    finally:
        for each in loops:
            each.terminate()


def loop() -> None:
    """Do nothing, all the time."""
    while True:
        pass


if __name__ == "__main__":
    main()
