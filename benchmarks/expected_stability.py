"""Whether noise changes `nav_expected.toml`: an unchanged example, updated again and again, with busy loops beside it.

    python benchmarks/expected_stability.py                       # 50 updates of torch_linear: some ten minutes
    python benchmarks/expected_stability.py torch_cnn --runs=5

Prints how many of the runs after the first changed a byte, and how many were not green: 0 of both is the aim. Exits
with 1 if it is more.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from models import EXAMPLES
from noise import busy

COMMAND = "-q -p no:cacheprovider --nav --nav-no-profile --nav-expected=update"


def main() -> None:
    """Run, print and judge."""
    parser = argparse.ArgumentParser()
    parser.add_argument("example", nargs="?", default="torch_linear")
    parser.add_argument("--runs", type=int, default=50)
    arguments = parser.parse_args()
    with busy(), tempfile.TemporaryDirectory() as folder:
        project = shutil.copytree(EXAMPLES / arguments.example, Path(folder, arguments.example))
        changed, red = repeated(project, arguments.runs)
    print(f"{arguments.example}: changed bytes in {changed} of {arguments.runs} runs, {red} were not green")
    sys.exit(bool(changed or red))


def repeated(project: Path, runs: int) -> tuple[int, int]:
    """Return in how many runs the file changed after the first one, and how many failed."""
    (project / "pytest.ini").touch()
    file = project / "nav_expected.toml"
    red = int(update(project) != 0)
    before = file.read_bytes()
    print(before.decode(), flush=True)
    changed = 0
    for _ in range(runs):
        red += update(project) != 0
        now = file.read_bytes()
        if now != before:
            changed += 1
            print(now.decode(), flush=True)
        before = now
    return changed, red


def update(project: Path) -> int:
    """Run the example, as a developer would who updates after each change; return the exit code."""
    command = [sys.executable, "-m", "pytest", *COMMAND.split(), "-c", "pytest.ini"]
    ran = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    if ran.returncode:
        print(ran.stdout, flush=True)
    return ran.returncode


if __name__ == "__main__":
    main()
