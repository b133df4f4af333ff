"""Kill a run at random moments: each time its workspace packs, resumes, and ends as an undisturbed run does.

    python benchmarks/kill.py                 # 20 kills of a run of the linear model in two formats: some minutes
    python benchmarks/kill.py --kills 5 --seed 3

Prints a line for each kill; exit code 1 if a package was damaged, nothing could be resumed, or an outcome differs.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from pytest_navigator.errors import PackageError
from pytest_navigator.package.container.reader import open_package
from pytest_navigator.package.layout.recorded import recorded

EXAMPLE = Path(__file__).parents[1] / "example_projects" / "torch_linear"
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "--nav-package=out.nav")
OPTIONS = ("--nav-formats=torchscript-trace,onnx", "--nav-runtimes=cpu", "--nav-profile-seconds=0.3")
PACK = (sys.executable, "-m", "pytest_navigator", "pack", "navigator_workspace", "-o", "packed.nav")
NOTHING = "nothing has run in this workspace"
EARLY = "is no workspace of pytest-navigator"
LIMIT = 600.0
"""A run that takes longer than this, s, hangs."""


class Different(Exception):
    """A killed run did not end as it should."""


def main() -> int:
    """Kill, pack, resume, compare."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as name:
        begin = time.perf_counter()
        expected = undisturbed(Path(name, "undisturbed"))
        whole = time.perf_counter() - begin
        print(f"undisturbed: {whole:.1f} s, {len(expected)} steps")
        bad = sum(
            not survived(Path(name, str(n)), chance.uniform(0.0, whole), expected) for n in range(arguments.kills)
        )
    print(f"{arguments.kills - bad} of {arguments.kills} killed runs ended like the undisturbed one")
    return 1 if bad else 0


def undisturbed(folder: Path) -> dict[str, str]:
    """Return the outcomes of a run that nobody kills."""
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("navigator_workspace", "*.nav", "__pycache__"))
    subprocess.run([*PYTEST, *OPTIONS], cwd=folder, check=True, capture_output=True, timeout=LIMIT)
    return outcomes(folder / "out.nav")


def survived(folder: Path, moment: float, expected: dict[str, str]) -> bool:
    """Kill a run after so many seconds; say what was left of it, and whether it ended well."""
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("navigator_workspace", "*.nav", "__pycache__"))
    kill(folder, moment)
    try:
        left = packed(folder)
        subprocess.run([*PYTEST, *OPTIONS, "--nav-resume"], cwd=folder, check=True, capture_output=True, timeout=LIMIT)
        if outcomes(folder / "out.nav") != expected:
            raise Different(f"other outcomes: {outcomes(folder / 'out.nav')}")
        if stray := list(folder.glob(".*.nav*")):
            raise Different(f"left behind: {stray}")
    except (Different, PackageError, subprocess.SubprocessError) as error:
        print(f"killed after {moment:5.1f} s: FAILED: {error}")
        return False
    print(f"killed after {moment:5.1f} s: {left}; resumed: the same outcomes")
    return True


def kill(folder: Path, moment: float) -> None:
    """Start a run, and kill every process of it after a while, as a machine that goes down does."""
    run = subprocess.Popen(
        [*PYTEST, *OPTIONS], cwd=folder, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    with suppress(subprocess.TimeoutExpired):
        run.wait(moment)
    with suppress(ProcessLookupError):
        os.killpg(run.pid, signal.SIGKILL)
    run.wait()


def packed(folder: Path) -> str:
    """Pack what a killed run left, read every byte of it, and return what was there."""
    ran = subprocess.run(PACK, cwd=folder, capture_output=True, encoding="utf-8", timeout=LIMIT)
    if ran.returncode:
        if NOTHING in ran.stderr or EARLY in ran.stderr:
            return "nothing had run"
        raise Different(ran.stderr)
    (package,) = folder.glob("packed*.nav")
    found = outcomes(package)
    crashed = [line.partition(": ")[2] for line in ran.stdout.splitlines() if line.startswith("crashed: ")]
    return f"{len(found)} steps packed" + "".join(f", crashed in {step}" for step in crashed)


def outcomes(path: Path) -> dict[str, str]:
    """Return step -> outcome of a package whose every byte is what was packed."""
    with open_package(path) as package:
        package.verify()
        return {outcome.id: str(outcome.status) for outcome in recorded(package).outcomes}


if __name__ == "__main__":
    sys.exit(main())
