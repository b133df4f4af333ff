"""How a child is started: by this Python or another one, and what joins it to this process."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_navigator.isolation.child_path import search_path
from pytest_navigator.isolation.pipes import Pipes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from contextlib import ExitStack
    from pathlib import Path

    from pytest_navigator.isolation.interpreter import Interpreter

Joined: TypeAlias = Connection | Pipes

# -P: without it, a json.py in the working directory would be imported instead of the standard library's.
OPTIONS = ("-P", "-u", "-X", "faulthandler")
# Exporters open files without an encoding: what a model is called must not fail in the C locale of a container.
UTF8 = ("-X", "utf8")
WORKER = "pytest_navigator.isolation.worker"
# In front: this very package, whichever version is installed in another interpreter.
BOOT = f"import sys; sys.path.insert(0, sys.argv.pop(1)); from {WORKER} import main; main()"


@dataclass(frozen=True)
class Start:
    """What a child is started with; see `Child`."""

    python_path: Sequence[str]
    cwd: Path | None
    environment: Mapping[str, str]
    forced: Mapping[str, str]
    interpreter: Interpreter | None

    def command(self) -> list[str]:
        """Return what is run, without the descriptors."""
        if self.interpreter is None:
            return [sys.executable, *OPTIONS, "-m", WORKER]
        return [*self.interpreter.command, *OPTIONS, *UTF8, "-c", BOOT, str(self.interpreter.code)]

    def variables(self) -> dict[str, str]:
        """Return the environment of the new process."""
        if self.interpreter is None:
            # The whole path, in the same order: only so nothing of it can hide the standard library.
            path = os.pathsep.join(search_path(self.python_path))
            return {**self.environment, **os.environ, **self.forced, "PYTHONPATH": path, "PYTHONUTF8": "1"}
        from pytest_navigator.isolation.interpreter import environment

        return environment({**self.environment}, {**self.forced})

    def told(self) -> dict[str, Any]:
        """Return what the child is told first."""
        # Of the child alone: what it starts, a compiler of TorchInductor say, has the PYTHONPATH of the user.
        if self.interpreter is None:
            inherited = {"PYTHONPATH": os.environ.get("PYTHONPATH")}
            path = search_path(self.python_path)
            return {"path": path, "environment": inherited, "defaults": {}, "own_path": False}
        from pytest_navigator.isolation.interpreter import own_code

        # A container starts without the variables of this process.
        wrapped = self.interpreter.wrapped
        return {
            "path": own_code(self.python_path),
            "environment": {**self.forced} if wrapped else {},
            "defaults": {**self.environment} if wrapped else {},
            "own_path": True,
        }


def started(start: Start, output: int, stack: ExitStack) -> tuple[Joined, subprocess.Popen[bytes]]:
    """Start a child; returns what messages go through, and the process.

    Args:
        output: descriptor of the file for what it writes outside of calls.
        stack: closes what lives as long as the child.
    """
    if start.interpreter is not None and start.interpreter.wrapped:
        return _piped(start, output, stack)
    connection, socket = (stack.enter_context(end) for end in Pipe())
    lifeline, ours = os.pipe()
    stack.callback(os.close, ours)
    inherited = (socket.fileno(), lifeline)
    words = [*map(str, inherited), str(os.getpid())]
    try:
        return connection, _process(
            start, words, stdin=subprocess.DEVNULL, stdout=output, stderr=output, pass_fds=inherited
        )
    finally:
        os.close(lifeline)
        socket.close()


def _piped(start: Start, output: int, stack: ExitStack) -> tuple[Joined, subprocess.Popen[bytes]]:
    theirs_in, ours_out = os.pipe()
    ours_in, theirs_out = os.pipe()
    joined = stack.enter_context(Pipes(ours_in, ours_out))
    try:
        return joined, _process(start, [], stdin=theirs_in, stdout=theirs_out, stderr=output)
    finally:
        os.close(theirs_in)
        os.close(theirs_out)


def _process(start: Start, words: list[str], **files: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*start.command(), *words],
        cwd=start.cwd,
        env=start.variables(),
        # A group of its own, which `end` kills with all that the child has started; Ctrl-C does not reach it.
        start_new_session=True,
        **files,
    )
