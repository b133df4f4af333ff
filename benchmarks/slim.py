"""How long a process that serves takes to its first inference, beside one that uses ONNX Runtime alone.

    python benchmarks/slim.py                              # makes a package of a linear model
    python benchmarks/slim.py out.nav --repetitions=20
    python benchmarks/slim.py --python=.venv-bare/bin/python   # of an environment with the base and onnxruntime only

Both are processes of their own, one after the other: one imports numpy and onnxruntime, opens the model file and
infers; the other imports pytest_navigator and infers with what `nav.load(package).get_runner("onnx")` gives. Prints the
medians of their durations and of their CPU time, the differences (which are ours), and how many modules each has
imported. Aim: at most 400 ms beside ONNX Runtime. The CPU time counts where others use the processors too.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from costs import table

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[1]
HEADINGS = ("process", "duration (ms)", "CPU time (ms)", "modules")

FEED = """
feed = {name: np.ones([3 if size == -1 else size for size in shape], dtype) for name, shape, dtype in %r}
"""

ALONE = """
import numpy as np, onnxruntime
{feed}
session = onnxruntime.InferenceSession({model!r}, providers=["CPUExecutionProvider"])
session.run(None, feed)
"""

OURS = """
import numpy as np, pytest_navigator as nav
{feed}
with nav.load({package!r}) as package, package.get_runner("onnx") as runner:
    runner.infer(feed)
"""

MEASURED = """
import sys, time
started = time.perf_counter()
{code}
print(time.perf_counter() - started, time.process_time(), len(sys.modules))
"""

PROJECT = """
import pytest, torch

@pytest.fixture
def nav_model():
    return torch.nn.Linear(5, 7).eval()

@pytest.fixture
def nav_dataloader():
    return [torch.randn(3, 5)]
"""


@dataclass(frozen=True)
class Cost:
    """Of a process, to its first inference: duration and CPU time in ms, and the modules that are imported then."""

    duration: float
    cpu: float
    modules: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("package", nargs="?", help="with an ONNX model (default: one is made)")
    parser.add_argument("--python", default=sys.executable, help="runs both (default: the one that runs this)")
    parser.add_argument("--repetitions", type=int, default=10)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        package = Path(arguments.package or made(Path(folder))).resolve()
        codes = processes(package, Path(folder))
        costs: dict[str, list[Cost]] = {name: [] for name in codes}
        for _ in range(arguments.repetitions):
            for name, code in codes.items():
                costs[name].append(cost(arguments.python, code))
    alone, ours = (middle(found) for found in costs.values())
    beside = Cost(ours.duration - alone.duration, ours.cpu - alone.cpu, ours.modules - alone.modules)
    print(f"{arguments.repetitions} processes each; load average {os.getloadavg()[0]:.1f}.\n")
    print(table(HEADINGS, [row(*pair) for pair in (("ONNX Runtime", alone), ("nav.load", ours), ("ours", beside))]))


def made(folder: Path) -> Path:
    """Return a package with a linear model as ONNX."""
    (folder / "conftest.py").write_text(PROJECT, encoding="utf-8")
    command = f"{sys.executable} -m pytest -q --nav-package=out.nav --nav-formats=onnx --nav-profile-seconds=0.1"
    subprocess.run(command.split(), cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return folder / "out.nav"


def processes(package: Path, folder: Path) -> dict[str, str]:
    """Return what each of both runs."""
    import pytest_navigator as nav

    with nav.load(package, folder / "workdir") as opened:
        model = str(opened.get_path("onnx"))
        specs = opened.get_runner("onnx").input_metadata.values()
    feed = FEED % [(spec.name, tuple(spec.shape), spec.dtype) for spec in specs]
    return {"alone": ALONE.format(feed=feed, model=model), "ours": OURS.format(feed=feed, package=str(package))}


def cost(python: str, code: str) -> Cost:
    """Run a process."""
    command = [python, "-c", MEASURED.format(code=code)]
    paths = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": ""}
    done = subprocess.run(command, env=paths, capture_output=True, text=True, check=True)
    duration, cpu, modules = map(float, done.stdout.split())
    return Cost(duration * 1000, cpu * 1000, modules)


def middle(found: Sequence[Cost]) -> Cost:
    """Return the medians."""
    return Cost(*(median(getattr(cost, name) for cost in found) for name in ("duration", "cpu", "modules")))


def row(name: str, found: Cost) -> tuple[str, ...]:
    """Return a row of the table."""
    return (name, f"{found.duration:.0f}", f"{found.cpu:.0f}", f"{found.modules:.0f}")


if __name__ == "__main__":
    main()
