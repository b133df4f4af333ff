"""Another Python than this one, for the child: what it is started with, and whether it can be the child at all."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import site
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.errors import ConfigError
from pytest_navigator.isolation.child_path import search_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

OLDEST = (3, 11)  # `requires-python` of this project
# What the child imports whatever it is asked: import names of this project's own dependencies.
NEEDED = ("numpy", "ml_dtypes", "cattrs", "filelock", "packaging", "psutil", "yaml")
# Import name -> the name to install it by, where that is another one.
DISTRIBUTIONS = {"yaml": "PyYAML", "tensorrt": "tensorrt-cu13"}
WORKSPACE = "{workspace}"  # What stands for the folder of the run in a command
LIMIT = 120.0  # How long in s an interpreter may take to say what it is: a container is started for it

OURS = Path(__file__).resolve().parents[1]

# Runs in whatever Python there is, one that is too old among them.
# No file of the folder that pytest was started in hides a module, as in the child (-P, which older ones do not know).
PROBE = """
import sys
sys.path[:] = [path for path in sys.path if path]
import json
try:
    from importlib.util import find_spec
except ImportError:
    find_spec = lambda name: True
sys.stdout.write("\\n" + json.dumps([sys.version_info[:3], [n for n in sys.argv[1:] if find_spec(n) is None]]) + "\\n")
"""


@dataclass(frozen=True)
class Interpreter:
    """A Python that is not this one.

    Attributes:
        command: a Python alone, or what a Python is the end of: `docker run ... IMAGE python`. Such a command may start
            it where nothing of this process is, so it is talked to by its standard input and output.
        code: a folder with this package, and nothing else of this process's `sys.path`.
    """

    command: tuple[str, ...]
    code: Path

    @property
    def wrapped(self) -> bool:
        """Whether the command starts something that starts the Python."""
        return len(self.command) > 1


def with_workspace(command: Sequence[str], workspace: Path) -> tuple[str, ...]:
    """Return a command with the path of the run's folder in the place of `{workspace}`."""
    return tuple(word.replace(WORKSPACE, str(workspace.resolve())) for word in command)


def code_folder(root: Path, *, copied: bool) -> Path:
    """Make the folder of `Interpreter.code`.

    Args:
        root: where it is made; it must be there.
        copied: whether the files are copied: a container may see nothing but the workspace.
    """
    folder = root / ("copy" if copied else "link")
    if not folder.exists():
        folder.mkdir()
        if copied:
            shutil.copytree(OURS, folder / OURS.name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            (folder / OURS.name).symlink_to(OURS, target_is_directory=True)
    return folder


def probe(command: Sequence[str], needs: Iterable[str], where: str) -> None:
    """See that a Python can run the child, and has what a step imports there.

    Args:
        needs: import names, beside those that every child needs.
        where: what an error starts with.

    Raises:
        ConfigError: it is not there, cannot be started, is too old, or lacks a library.
    """
    names = list(dict.fromkeys((*NEEDED, *needs)))
    version, lacking = _asked(_found(command, where), names, where)
    text = ".".join(map(str, version))
    if version[:2] < OLDEST:
        least = ".".join(map(str, OLDEST))
        raise ConfigError(f"{where}: {shown(command)} is Python {text}; Python {least} or a newer one is needed")
    if lacking:
        packages = " ".join(DISTRIBUTIONS.get(name, name.replace("_", "-")) for name in lacking)
        raise ConfigError(
            f"{where}: {shown(command)} (Python {text}) lacks {', '.join(lacking)}; "
            f"install there what is missing: pip install {packages}"
        )


def shown(command: Sequence[str]) -> str:
    """Return a command as one would write it."""
    return shlex.join(command)


def environment(defaults: dict[str, str], forced: dict[str, str]) -> dict[str, str]:
    """Return the environment of another interpreter: nothing in it leads to the modules of this one."""
    own = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    return {**defaults, **own, **forced, "PYTHONUTF8": "1"}


def own_code(first: Sequence[str]) -> list[str]:
    """Return the folders of `first` and `sys.path` that are not this Python's: those of the user's own code."""
    installed = {os.path.realpath(path) for path in _installed()}
    found = (path for path in search_path(first) if os.path.isdir(path))
    return [path for path in found if not any(_inside(path, folder) for folder in installed)]


def _installed() -> list[str]:
    paths = sysconfig.get_paths()
    standard = [paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    dynamic = os.path.join(sys.base_exec_prefix, sys.platlibdir, "python{}.{}".format(*sys.version_info))
    return [*standard, dynamic, *site.getsitepackages(), site.getusersitepackages()]


def _inside(path: str, folder: str) -> bool:
    real = os.path.realpath(path)
    return real == folder or real.startswith(folder + os.sep)


def _found(command: Sequence[str], where: str) -> list[str]:
    if shutil.which(command[0]) is None:
        what = "is not executable" if os.path.isfile(command[0]) else "is not there"
        raise ConfigError(f"{where}: {command[0]} {what}; name a Python, like /venvs/tf215/bin/python")
    return list(command)


def _asked(command: list[str], names: Sequence[str], where: str) -> tuple[tuple[int, ...], list[str]]:
    try:
        done = subprocess.run(
            [*command, "-c", PROBE, *names],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=LIMIT,
            env=environment({}, {}),
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ConfigError(f"{where}: {shown(command)} did not say what it is within {LIMIT:g} s") from None
    except OSError as error:
        raise ConfigError(f"{where}: {shown(command)} cannot be started: {error.strerror}") from None
    try:
        version, lacking = json.loads(done.stdout.decode(errors="replace").strip().splitlines()[-1])
        return tuple(version), list(lacking)
    except (IndexError, ValueError, TypeError):
        reason = f"exit {done.returncode}" + _first_line(done.stderr.decode(errors="replace"))
        raise ConfigError(f"{where}: {shown(command)} does not start a Python ({reason})") from None


def _first_line(said: str) -> str:
    """Return what a program complains of; "" of one that repeats what it was asked: it took that for file names."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return f": {lines[0]}" if lines and not any(part in said for part in PROBE.strip().splitlines()) else ""
