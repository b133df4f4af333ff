"""What the plugin costs beside a script that does the same useful work in one process.

    python benchmarks/overhead.py                      # three models, three times each: about six minutes
    python benchmarks/overhead.py keras jax            # with the extras tensorflow and jax
    python benchmarks/overhead.py cnn --repetitions=5
    python benchmarks/overhead.py --no-compile         # without torch.compile, whose time is the same on both sides

Prints Markdown: medians over interleaved runs. Both sides export, load, compare (every batch and its first row) and
time (75 inferences at batch 1 and at the largest) the same models (`models.py`); `handwritten.py` is the script. The
plugin also isolates, repeats the source's inferences, records and packs. Aim: the script's wall time, of the smallest
model a second more; 1.3 times its processor time; 1.1 times the memory of its largest process. Other work on the
machine disturbs the wall time; processor seconds less.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from functools import partial
from pathlib import Path

from costs import Cost, interleaved, medians, run, table

BENCHMARKS = Path(__file__).parent
NAMES = ("linear", "cnn", "transformer")
MORE = {"linear": 1.0}  # s: what a run takes whatever the model is
HEADINGS = (
    "model",
    "wall, plugin / script (s)",
    "ratio",
    "aim (s)",
    "least wall (s)",
    "ratio",
    "processor (s)",
    "ratio",
    "peak of all processes (MiB)",
    "ratio",
    "peak of the largest (MiB)",
    "ratio",
)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="*", default=NAMES)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--threads", default="1", help="OMP_NUM_THREADS of both sides (default: 1)")
    parser.add_argument("--no-compile", action="store_true", help="leave out torch.compile on both sides")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = [measured(name, Path(folder, name), arguments) for name in arguments.models]
    print(f"Medians of {arguments.repetitions} interleaved runs; load average {os.getloadavg()[1]:.1f}.\n")
    print(table(HEADINGS, rows))


def measured(name: str, folder: Path, arguments: argparse.Namespace) -> list[str]:
    """Return the row of one model."""
    from models import SCRIPTS, write_project

    write_project(folder, name)
    runtimes = ["--nav-runtimes=cpu"] if arguments.no_compile and name not in SCRIPTS else []
    plugins = ["-p", "pytest_navigator.plugin", "-p", "pytest_benchmark.plugin"]
    plugin = [sys.executable, "-m", "pytest", *plugins, "--nav-package=out.nav", *runtimes]
    script = [sys.executable, str(BENCHMARKS / SCRIPTS.get(name, "handwritten.py")), name]
    script += ["--no-compile"] if arguments.no_compile and name not in SCRIPTS else []
    side = partial(run, folder=folder, OMP_NUM_THREADS=arguments.threads, PYTEST_DISABLE_PLUGIN_AUTOLOAD="1")
    sides = {"plugin": partial(side, plugin), "script": partial(side, script)}
    found = interleaved(sides, arguments.repetitions)
    for side, costs in found.items():
        print(f"{name}, {side}: wall {', '.join(f'{c.wall:.1f}' for c in costs)} s", file=sys.stderr)
    return row(name, found["plugin"], found["script"])


def row(name: str, plugins: list[Cost], scripts: list[Cost]) -> list[str]:
    """Return the figures of both sides and their ratios."""
    plugin, script = medians(plugins), medians(scripts)
    aim = script.wall + MORE.get(name, 0.0)
    cells = [name, *pair(plugin.wall, script.wall, 1), f"{aim:.1f} {'met' if plugin.wall <= aim else 'MISSED'}"]
    cells += pair(min(c.wall for c in plugins), min(c.wall for c in scripts), 1)
    cells += pair(plugin.cpu, script.cpu, 1)
    return [*cells, *pair(plugin.tree, script.tree, 0), *pair(plugin.single, script.single, 0)]


def pair(plugin: float, script: float, digits: int) -> list[str]:
    """Return both figures and their ratio."""
    return [f"{plugin:.{digits}f} / {script:.{digits}f}", f"{plugin / script:.2f}"]


if __name__ == "__main__":
    main()
