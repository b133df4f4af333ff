"""Run `polygraphy convert` in a process of its own: its flavour of TensorRT is chosen there, and a crash ends there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from pytest_navigator.backends.tensorrt.command import ENVIRONMENT, MAIN
from pytest_navigator.backends.tensorrt.messages import failure
from pytest_navigator.errors import StepFailed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


NOISE = "'colored' module is not installed"  # Polygraphy's first line, which says nothing of the build


LIMIT = "--pool-limit"  # Polygraphy's option for what an engine may use beside its weights


def run(arguments: Sequence[str], backend: str, folder: Path) -> None:
    """Build an engine; what Polygraphy prints is printed while it does.

    Args:
        arguments: of `polygraphy`; backend: "tensorrt" or "tensorrt_rtx".
        folder: which paths in the arguments are relative to.

    Raises:
        StepFailed: it failed, or was killed.
    """
    # This process has its path from its parent, and its PYTHONPATH is the one of the user.
    environment = {**os.environ, **ENVIRONMENT[backend], "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command, lines = [sys.executable, "-c", MAIN, *arguments], []
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        encoding="utf-8",
        errors="replace",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if NOISE in line:
                continue
            print(line, end="", flush=True)
            lines.append(line)
    log = "".join(lines)
    if process.returncode < 0:
        name = signal.Signals(-process.returncode).name
        hint = ": out of memory?" if name == "SIGKILL" else ""
        raise StepFailed(f"the build of the engine was ended by {name}{hint}", log, name)
    if process.returncode:
        raise StepFailed(f"no engine was built: {failure(log, limited=LIMIT in arguments)}", log, "polygraphy")
