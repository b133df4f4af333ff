"""What a model costs among many: small models in four formats, all in one run, a package for each.

    python benchmarks/zoo.py                       # 200 models of PyTorch, one parametrized nav_model: ten minutes
    python benchmarks/zoo.py 20 50 100 --layout=folders
    python benchmarks/zoo.py 60 --workers=2        # beside pytest-xdist
    python benchmarks/zoo.py 50 200 --framework=python   # functions of arrays: what the plugin itself takes

Prints Markdown: for each twenty models time and processor time of a model's tests and the memory afterwards, of
pytest's process and of its child; then what collecting takes, and what is left to do after the last test (packages,
reports, summary), against the number of models. The models come in five sizes by turns, so that each twenty are alike.
Aim: a model takes at most 1.2 times as long at the end as it does at the beginning, and so does the memory.
Other work on the machine disturbs the wall time; processor seconds less.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from costs import compile_plugin, table
from zoo_probe import FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterable

BENCHMARKS = Path(__file__).parent
GROUP = 20
"""Models a row."""
TIMES = ("wall", "cpu")
FORMATS = {"torch": "torch,torchscript-trace,torch-exportedprogram,onnx", "python": "python"}
QUICK = "optimization_profile=OptimizationProfile(min_trials=3, max_trials=3, window_size=5)"

HEAD = """
import sys

import pytest

sys.path.insert(0, {benchmarks!r})

from pytest_navigator.configuration.config import NavConfig
from pytest_navigator.configuration.profile_config import OptimizationProfile
from zoo_models import batches, build

"""
PARAMETRIZED = """
nav_config = NavConfig(name="zoo", framework={framework!r}, {quick})


@pytest.fixture(scope="session", params=[pytest.param(n, id=f"zoo{{n:03}}") for n in range({count})])
def nav_model(request):
    return build({framework!r}, request.param)


@pytest.fixture(scope="session")
def nav_dataloader():
    return batches({framework!r})
"""
ALONE = """
nav_config = NavConfig(name={name!r}, framework={framework!r}, {quick})


@pytest.fixture(scope="package")
def nav_model():
    return build({framework!r}, {number})


@pytest.fixture(scope="package")
def nav_dataloader():
    return batches({framework!r})
"""


@dataclass(frozen=True)
class Notes:
    """What zoo_probe has noted of one process."""

    phases: dict[str, tuple[float, float]]
    models: dict[int, dict[str, float]]
    memory: float

    @classmethod
    def read(cls, path: Path) -> Notes:
        """Read the file of one process."""
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return cls(found["phases"], {int(number): each for number, each in found["models"].items()}, found["memory"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("counts", nargs="*", type=int, default=[200])
    parser.add_argument("--layout", choices=LAYOUTS, default="parametrized")
    parser.add_argument("--framework", choices=FORMATS, default="torch")
    parser.add_argument("--workers", type=int, default=0, help="of pytest-xdist (default: none)")
    parser.add_argument("--threads", default="1", help="OMP_NUM_THREADS (default: 1)")
    parser.add_argument("--output", type=Path, help="keep what the last run prints in this file")
    parser.add_argument("more", nargs="*", help="arguments of pytest, after --")
    own, more = split(sys.argv[1:])
    arguments = parser.parse_args(own)
    compile_plugin()
    runs = {count: measured(count, arguments, more) for count in arguments.counts}
    print(f"{arguments.framework}, {arguments.layout}; load average {os.getloadavg()[1]:.1f}.\n")
    for count, notes in runs.items():
        print(f"{count} models:\n\n{by_position(notes)}\n")
    print(by_count(runs))


def split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """Return our own arguments, and those after `--`."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:end], arguments[end + 1 :]


def measured(count: int, arguments: argparse.Namespace, more: list[str]) -> dict[str, Notes]:
    """Run a zoo; returns what each process of it has noted.

    Raises:
        RuntimeError: a test failed; with the end of the output.
    """
    with tempfile.TemporaryDirectory() as name:
        folder, notes = Path(name, "project"), Path(name, "notes")
        folder.mkdir()
        notes.mkdir()
        LAYOUTS[arguments.layout](folder, arguments.framework, count)
        variables = {FOLDER: str(notes), "OMP_NUM_THREADS": arguments.threads, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        paths = os.pathsep.join(filter(None, (str(BENCHMARKS), os.environ.get("PYTHONPATH", ""))))
        ran = subprocess.run(
            [*command(arguments), *more],
            cwd=folder,
            env={**os.environ, **variables, "PYTHONPATH": paths},
            capture_output=True,
            text=True,
        )
        if arguments.output:
            arguments.output.write_text(ran.stdout + ran.stderr, encoding="utf-8")
        if ran.returncode:
            raise RuntimeError(f"pytest exited with {ran.returncode}:\n{ran.stdout[-4000:]}{ran.stderr[-4000:]}")
        return {path.stem: Notes.read(path) for path in sorted(notes.iterdir())}


def command(arguments: argparse.Namespace) -> list[str]:
    """Return what runs pytest."""
    plugins = ["pytest_navigator.plugin", "pytest_benchmark.plugin", "zoo_probe"]
    workers = [f"-n{arguments.workers}", "--dist=loadgroup"] if arguments.workers else []
    plugins += ["xdist"] if workers else []
    return [
        *(sys.executable, "-m", "pytest", "-q", "--benchmark-disable-gc"),
        *(part for plugin in plugins for part in ("-p", plugin)),
        *workers,
        "--nav-package=out/{model}.nav",
        f"--nav-formats={FORMATS[arguments.framework]}",
        *(["--nav-runtimes=cpu"] if arguments.framework == "torch" else []),
    ]


def parametrized(folder: Path, framework: str, count: int) -> None:
    """Write one conftest.py, whose nav_model has a parameter a model."""
    text = HEAD + PARAMETRIZED
    written = text.format(benchmarks=str(BENCHMARKS), framework=framework, quick=QUICK, count=count)
    (folder / "conftest.py").write_text(written, encoding="utf-8")


def folders(folder: Path, framework: str, count: int) -> None:
    """Write a folder a model."""
    for number in range(count):
        name = f"zoo{number:03}"
        values = {"name": name, "number": number, "framework": framework, "quick": QUICK}
        (folder / name).mkdir()
        text = (HEAD + ALONE).format(benchmarks=str(BENCHMARKS), **values)
        (folder / name / "conftest.py").write_text(text, encoding="utf-8")
        (folder / name / "__init__.py").touch()


LAYOUTS = {"parametrized": parametrized, "folders": folders}


def by_position(notes: dict[str, Notes]) -> str:
    """Return a row for each twenty models, and what the last ones are of the first ones."""
    models = of_all(notes.values())
    groups = [sorted(models)[begin : begin + GROUP] for begin in range(0, len(models), GROUP)]
    rows = [group_row([models[number] for number in numbers]) for numbers in groups]
    titles = [f"{numbers[0] + 1}-{numbers[-1] + 1}" for numbers in groups]
    lines = [[title, *(f"{figure:.2f}" for figure in row)] for title, row in zip(titles, rows, strict=True)]
    if len(rows) > 1:
        ratios = (last / first if first else 0.0 for first, last in zip(rows[0], rows[-1], strict=True))
        lines.append(["last / first", *(f"{ratio:.2f}" for ratio in ratios)])
    headings = ("models", "wall (s a model)", "processor (s a model)", "memory (MiB)", "child's memory (MiB)")
    return table(headings, lines)


def of_all(processes: Iterable[Notes]) -> dict[int, dict[str, float]]:
    """Return what each model took: the times of all workers that had a test of it, and the memory of the largest."""
    found: dict[int, dict[str, float]] = {}
    for number, each in (item for process in processes for item in process.models.items()):
        known = found.setdefault(number, dict.fromkeys(each, 0.0))
        for figure, value in each.items():
            known[figure] = known[figure] + value if figure in TIMES else max(known[figure], value)
    return found


def group_row(models: list[dict[str, float]]) -> list[float]:
    """Return the medians of the times, and the memory at the end."""
    return [*(median(each[figure] for each in models) for figure in TIMES), *memory(models)]


def memory(models: list[dict[str, float]]) -> tuple[float, float]:
    """Return the largest memory of pytest's process and of its child, after one of these models."""
    return max(each["memory"] for each in models), max(each["child"] for each in models)


def by_count(runs: dict[int, dict[str, Notes]]) -> str:
    """Return a row for each run: what pytest's own process takes before the first test and after the last."""
    phases = ("collection", "end", "summary")
    rows = []
    for count, notes in runs.items():
        # Under xdist the workers collect.
        found = [max(p.phases.get(phase, (0.0, 0.0)) for p in notes.values()) for phase in phases]
        cells = [f"{wall:.2f} ({cpu:.2f})" for wall, cpu in found]
        rows.append([str(count), *cells, f"{notes['controller'].memory:.0f}"])
    headings = ("models", "collection (s)", "packages, reports (s)", "summary (s)", "controller's memory (MiB)")
    return f"{table(headings, rows)}\n\nProcessor time in brackets."


if __name__ == "__main__":
    main()
