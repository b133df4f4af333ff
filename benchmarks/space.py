"""What a run takes on the disk, as multiples of the model: the workspace, the package, and both together at their most.

    python benchmarks/space.py                           # a torch.nn.Linear of 200 MB in four formats
    python benchmarks/space.py --size=20 --keep=all,none

Prints Markdown, a row for each `--nav-keep`. What is counted are the blocks of the files, each file once however many
names it has, looked at every 20 ms: what is shared between files that were cloned counts for each of them.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from costs import table

INTERVAL = 0.02
MB = 10**6
FORMATS = "torchscript-trace,torchscript-script,onnx,torch-exportedprogram"
HEADINGS = ("--nav-keep", "workspace, most", "workspace, after", "package", "together, most")
PROJECT = """
import pytest
import torch

@pytest.fixture(scope="session")
def nav_model() -> torch.nn.Module:
    return torch.nn.Linear(1000, {size} * 250).eval()

@pytest.fixture(scope="session")
def nav_dataloader():
    return [torch.zeros(1, 1000)]
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=200, help="of the model, MB")
    parser.add_argument("--keep", default="all,best,none")
    parser.add_argument("--formats", default=FORMATS)
    arguments = parser.parse_args()
    rows = [measured(keep, arguments) for keep in arguments.keep.split(",")]
    print(f"A model of {arguments.size} MB; formats {arguments.formats}; in multiples of the model.\n")
    print(table(HEADINGS, rows))


def measured(keep: str, arguments: argparse.Namespace) -> list[str]:
    """Run the project once and watch its folder."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "conftest.py").write_text(PROJECT.format(size=arguments.size), encoding="utf-8")
        options = [f"--nav-formats={arguments.formats}", f"--nav-keep={keep}", "--nav-package=out.nav"]
        short = ["--nav-runtimes=cpu", "--nav-batch-sizes=1", "--nav-profile-seconds=0.1"]
        plugins = ["-p", "pytest_navigator.plugin", "-p", "pytest_benchmark.plugin"]
        command = [sys.executable, "-m", "pytest", "-q", *plugins, *options, *short]
        environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        with subprocess.Popen(command, cwd=folder, env=environment, stdout=sys.stderr) as process:
            most = watched(process, folder)
        after = taken(folder / "navigator_workspace")
        package = taken(folder / "out.nav")
    return [keep, *(f"{size / arguments.size / MB:.2f}" for size in (most[0], after, package, most[1]))]


def watched(process: subprocess.Popen[bytes], folder: Path) -> tuple[int, int]:
    """Return the most that the workspace, and the whole folder, have taken until a process ends."""
    workspace = whole = 0
    while process.poll() is None:
        workspace, whole = max(workspace, taken(folder / "navigator_workspace")), max(whole, taken(folder))
        time.sleep(INTERVAL)
    return workspace, whole


def taken(path: Path) -> int:
    """Return how many bytes a file, or what is in a folder, takes on the disk."""
    found = {}
    for each in [path, *path.rglob("*")] if path.is_dir() else [path]:
        try:
            status = each.lstat()
        except FileNotFoundError:  # it was there a moment ago
            continue
        found[status.st_ino] = status.st_blocks * 512
    return sum(found.values())


if __name__ == "__main__":
    main()
