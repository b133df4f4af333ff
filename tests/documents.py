"""READMEs as tests read them: their blocks, their commands, and whether what they show is what one sees."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pytest_navigator.devices.requirements import missing

ROOT = Path(__file__).parents[1]
NUMBER = re.compile(r"\d[\d.]*(e[+-]?\d+)?x?\*?(?![\d.]* (passed|skipped|xfailed|steps?)\b)")
"""A figure, which differs from run to run; how many tests had which outcome does not."""

DISTURBED = re.compile(r"(?<=[\dx*]) \((any|[\d.]+x or more|[\d.e+]+(-[\d.e+]+x)?)\)")
"""What stands behind the figures of a busy machine: that of the quietest calls, or a range."""

VARIES = ("MaxThroughputStrategy", "MinLatencyStrategy")
"""How lines start whose rest is another one on another machine."""


@dataclass(frozen=True)
class Block:
    """A fenced block: its language and its lines."""

    language: str
    text: str

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()


def blocks(text: str, *languages: str) -> list[Block]:
    """Return the fenced blocks of some languages."""
    found = [Block(*match) for match in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]
    return [block for block in found if block.language in languages]


def run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a block of a README; `pytest` is this interpreter's, and no setting of this run reaches it."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "NAV_"))}
    return subprocess.run(
        _started(command),
        cwd=folder,
        env={**environment, "PATH": path, "COLUMNS": "80"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )


def _started(command: str) -> list[str]:
    """Return what a shell would start, where that is pytest alone: such a process is a fork; else the shell."""
    alone = command.startswith("pytest ") and "\n" not in command.strip() and not set(command) & set("$|&;<>`*?\\")
    # As the command does, not as `python -m` does: the current directory is not where modules are looked for.
    return [sys.executable, "-P", "-m", *shlex.split(command)] if alone else ["bash", "-euc", command]


def copy_of(folder: Path, target: Path) -> Path:
    """Return a copy of an example without what earlier runs left in it."""
    left = shutil.ignore_patterns("__pycache__", "navigator_workspace", "*.nav", ".pytest_cache", ".benchmarks")
    return Path(shutil.copytree(folder, target, ignore=left))


def not_seen(shown: str, output: str) -> list[str]:
    """Return the lines of a README's shortened output that the real one does not have, in their order.

    Figures count as equal, with or without the mark of a caveat, but for numbers of tests. A line ends at "...", which
    stands for anything. What depends on the machine is left out.
    """
    real = iter([_comparable(line) for line in output.splitlines()])
    lines = [_comparable(line) for line in shown.splitlines() if _is_here(line)]
    return [line for line in lines if line and not any(found.startswith(line) for found in real)]


def _comparable(line: str) -> str:
    start = next((start for start in VARIES if line.strip().startswith(start)), line.partition("...")[0])
    start = DISTURBED.sub("", start)
    return " ".join(NUMBER.sub("#", start.strip("= ")).split())


def _is_here(line: str) -> bool:
    """Whether this machine shows a line: on one with a GPU less is skipped, on one without a compiler more."""
    if any(word in line for word in ("skipped", "not here", " passed in")):
        return missing(("cuda",)) == "no CUDA device" and missing(("c++ compiler",)) is None
    return "TorchCompileCPU" not in line or missing(("c++ compiler",)) is None
