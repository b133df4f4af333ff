"""A process for one question, whose crash or hang is an answer too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from typing import TYPE_CHECKING

from pytest_navigator.isolation.capture import tail_of
from pytest_navigator.isolation.child_path import search_path
from pytest_navigator.isolation.process import describe_end

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

EXIT_LIMIT = 1.0  # s that a killed process gets; one that sleeps in a driver cannot be killed at all


class ProbeFailed(Exception):
    """The process did not answer; the text says how it ended ("SIGABRT", "exit 1", "no answer within 30 s").

    Attributes:
        kind: how it ended, in one word ("SIGABRT", "timeout").
        detail: the last lines that it wrote.
    """

    def __init__(self, message: str, kind: str, detail: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.detail = detail


def ask(script: Path, arguments: Sequence[str], limit: float) -> str:
    """Run a script of ours in a fresh interpreter, with this one's `sys.path`; returns what it printed.

    Its first argument is `limit` (s), after which it ends itself should this process be gone.

    Raises:
        ProbeFailed: it ended with another exit code than 0, or did not end in time.
    """
    with tempfile.TemporaryFile() as answer, tempfile.TemporaryFile() as log:
        process = _start([str(script), str(limit), *arguments], answer.fileno(), log.fileno())
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            raise ProbeFailed(f"no answer within {limit:g} s", "timeout", tail_of(log.fileno())) from None
        finally:
            _end(process)
        if code:
            kind, _ = describe_end(code, None)
            raise ProbeFailed(kind, kind, tail_of(log.fileno()))
        answer.seek(0)
        return answer.read().decode()


def _start(command: list[str], answer: int, log: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-P", *command],  # nothing in the working directory hides the standard library
        stdin=subprocess.DEVNULL,
        stdout=answer,
        stderr=log,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(search_path(()))},
        start_new_session=True,  # what it starts itself is killed with it
    )


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(subprocess.TimeoutExpired):
            process.wait(EXIT_LIMIT)
