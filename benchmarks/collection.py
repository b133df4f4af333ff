"""What the plugin adds to the collection of tests.

    python benchmarks/collection.py

`pytest --collect-only` as a process of its own on a folder with a few tests and a conftest.py with `nav_model` (whose
framework is imported inside of the fixtures: collection does not need it): without the plugin, with it loaded but
inactive, and active; pytest-benchmark is there each time, other plugins are not. The three sides alternate. For each
`-p` pytest looks through all installed distributions, which it does once where plugins are loaded by their entry
points: so the side without the plugin names an empty one.
Aim: inactive at most 5 ms, active at most 60 ms above, and at most 80 of our modules. Where others use the machine, the
least figures tell most.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from statistics import median

from costs import Cost, interleaved, run, table

CONFTEST = """
import pytest


@pytest.fixture(scope="session")
def nav_model() -> "torch.nn.Module":
    import torch

    return torch.nn.Linear(5, 7).eval()


@pytest.fixture(scope="session")
def nav_dataloader():
    import torch

    return [torch.randn(3, 5)]
"""
TESTS = "".join(f"def test_{number}():\n    pass\n\n\n" for number in range(20))
PLUGIN = ("-p", "pytest_navigator.plugin")
EMPTY = ("-p", "empty_plugin")
AIMS = {"inactive": "5", "active": "60"}
MODULES = """
import sys
import pytest

pytest.main(sys.argv[1:])
print(sum(name.partition(".")[0] == "pytest_navigator" for name in sys.modules))
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repetitions", type=int, default=40)
    repetitions = parser.parse_args().repetitions
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "conftest.py").write_text(CONFTEST, encoding="utf-8")
        (folder / "test_user.py").write_text(TESTS, encoding="utf-8")
        (folder / "empty_plugin.py").touch()
        found = interleaved(
            {
                "without": partial(collect, folder, *EMPTY),
                "inactive": partial(collect, folder, *PLUGIN),
                "active": partial(collect, folder, *PLUGIN, "--nav"),
            },
            repetitions,
        )
        active = modules(folder, *PLUGIN, "--nav")
    print(f"{repetitions} alternating runs; load average {os.getloadavg()[1]:.1f}.\n")
    headings = (
        "plugin",
        "median wall (ms)",
        "above",
        "least",
        "above",
        "median processor (ms)",
        "above",
        "least",
        "above",
    )
    print(table((*headings, "aim above"), [row(name, costs, found["without"]) for name, costs in found.items()]))
    print(f"\nActive, {active} modules of pytest_navigator are imported (aim: at most 80).")


def modules(folder: Path, *arguments: str) -> str:
    """Return how many of our modules a collection imports."""
    command = [sys.executable, "-c", MODULES, "--collect-only", "-q", "-p", "pytest_benchmark.plugin", *arguments]
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    ran = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return ran.stdout.split()[-1]


def collect(folder: Path, *arguments: str) -> Cost:
    """Return what one collection costs."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "pytest_benchmark.plugin", *arguments]
    return run(command, folder, sampled=False, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")


def row(name: str, costs: list[Cost], without: list[Cost]) -> list[str]:
    """Return the figures of one side, and what they are above the first."""
    cells = [name]
    for figure in ("wall", "cpu"):
        for summary in (median, min):
            own, other = (1000 * summary(getattr(c, figure) for c in side) for side in (costs, without))
            cells += [f"{own:.0f}", f"{own - other:+.0f}"]
    return [*cells, AIMS.get(name, "")]


if __name__ == "__main__":
    main()
