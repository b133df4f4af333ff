"""What `-n 2` gains on the export and correctness steps; profile steps wait for each other and gain nothing.

    python benchmarks/parallel.py                    # transformer and cnn, three times each: a few minutes

Prints Markdown: medians over interleaved runs of the models of `models.py`, without torch.compile (`--compile` adds
it). Two workers are two processes that import everything, and two children: the gain needs idle processors.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from functools import partial
from pathlib import Path

from costs import interleaved, medians, run, table
from models import write_project

PLUGINS = ("pytest_navigator.plugin", "pytest_benchmark.plugin", "xdist.plugin")
HEADINGS = ("model", "one process: wall (s)", "-n 2 (s)", "ratio", "least", "processor (s)", "-n 2 (s)", "ratio")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="*", default=("transformer", "cnn"))
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--compile", action="store_true", help="with torch.compile")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [row(name, Path(folder, name), arguments) for name in arguments.models]
    print(f"Medians of {arguments.repetitions} interleaved runs; load average {os.getloadavg()[1]:.1f}.\n")
    print(table(HEADINGS, rows))


def row(name: str, folder: Path, arguments: argparse.Namespace) -> list[str]:
    """Return the figures of one model, without and with two workers, and their ratios."""
    write_project(folder, name)
    command = [sys.executable, "-m", "pytest", *(part for plugin in PLUGINS for part in ("-p", plugin))]
    command += ["--nav", "--nav-no-profile", *([] if arguments.compile else ["--nav-runtimes=cpu"])]
    side = partial(run, folder=folder, sampled=False, OMP_NUM_THREADS="1", PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    found = interleaved({"one": partial(side, command), "two": partial(side, [*command, "-n2"])}, arguments.repetitions)
    one, two = medians(found["one"]), medians(found["two"])
    least = min(cost.wall for cost in found["two"]) / min(cost.wall for cost in found["one"])
    wall = [f"{one.wall:.1f}", f"{two.wall:.1f}", f"{two.wall / one.wall:.2f}", f"{least:.2f}"]
    return [name, *wall, f"{one.cpu:.1f}", f"{two.cpu:.1f}", f"{two.cpu / one.cpu:.2f}"]


if __name__ == "__main__":
    main()
