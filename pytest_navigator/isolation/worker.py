"""The child: a fresh interpreter that does what it is told over a socket and ends with the process that started it.

Started by `process` as `python -m pytest_navigator.isolation.worker SOCKET LIFELINE PARENT`: two descriptors that it
inherits, and the process id of the parent. Without them, as in a container, it talks over its standard input and output
(`pipes`). `messages` has the form of what it receives; the first message sets it up, and another one may later; each
further one is a request, and each request has one answer.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib
import operator
import os
import signal
import sys
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.isolation.capture import redirected
from pytest_navigator.isolation.messages import decode, encode, error_fields
from pytest_navigator.isolation.numerics import SettingsOnImport, apply_settings
from pytest_navigator.isolation.pipes import standard
from pytest_navigator.isolation.uncollected import uncollected
from pytest_navigator.profiling.machine import belongs_to, peak, reset_peak
from pytest_navigator.profiling.memory import free

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import NoReturn

    import numpy as np

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.isolation.messages import Message
    from pytest_navigator.isolation.pipes import Pipes

PR_SET_PDEATHSIG = 1
IONBF = 2


def main() -> NoReturn:
    """Serve the parent until it closes the connection."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this process
    connected = _inherited(*map(int, sys.argv[1:])) if sys.argv[1:] else standard()
    _die_with_the_parent()
    _offer_to_the_oom_killer()
    _unbuffer_c_output()
    with connected as connection, suppress(EOFError):
        Worker(connection).serve()
    # The interpreter would take up to a second to take torch apart.
    atexit._run_exitfuncs()
    os._exit(0)


class Worker:
    """Answers requests one after the other."""

    def __init__(self, connection: Connection | Pipes) -> None:
        self.connection = connection
        self.called = False
        self.on_import = SettingsOnImport()
        sys.meta_path.insert(0, self.on_import)

    def serve(self) -> NoReturn:
        """Answer requests until the connection ends (EOFError)."""
        while True:
            request, arrays = self.receive()
            if "set_up" in request:
                self.set_up(**request["set_up"])
            elif "imports" in request:
                self.warm_up(request["imports"])
            else:
                self.called = True
                self.answer(request, arrays)

    def receive(self) -> tuple[Message, dict[str, np.ndarray] | None]:
        """Wait for a message."""
        return decode(self.connection.recv_bytes)

    def send(self, parts: Iterator[bytes]) -> None:
        """Send a message."""
        for part in parts:
            self.connection.send_bytes(part)

    def set_up(
        self,
        path: list[str],
        environment: dict[str, str | None],
        settings: dict[str, dict[str, JSON]],
        defaults: dict[str, str],
        own_path: bool,
    ) -> None:
        """Take over from the parent what an interpreter's start does not.

        Args:
            path: of this interpreter; with `own_path`, what is searched after its own.
            environment: variables that are set; None: removed. defaults: those that are set where they are not.
        """
        # In place: nothing of the parent's can hide this interpreter's own standard library and packages.
        sys.path[:] = [*sys.path, *(one for one in path if one not in sys.path)] if own_path else path
        self.on_import.settings = settings
        for name, text in defaults.items():
            os.environ.setdefault(name, text)
        for name, value in environment.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value

    def warm_up(self, names: list[str]) -> None:
        """Import modules, telling the parent before each one which it is (it may end the process), and what it raised.

        Whoever needs a module that raises imports it again, and fails by itself.
        """
        begin = time.time()
        with uncollected():
            for name in names:
                self.send(encode({"importing": name}))
                try:
                    importlib.import_module(name)
                except BaseException as error:
                    self.send(_failed(error, failed=name))
        if not self.called:  # later, an artifact may be there, which is not to stay
            gc.freeze()
        self.send(encode({"ready": [begin, time.time()]}))

    def answer(self, request: Message, arrays: dict[str, np.ndarray] | None) -> None:
        """Run one function and send what it returned or raised."""
        try:
            with redirected(Path(request["log"])):
                self.on_import.settings = request["settings"]
                apply_settings(request["settings"])
                parts = self.run(request["function"], request["kwargs"], arrays)
        except BaseException as error:
            parts = _failed(error)
        # The next call may be of another library, which gets nothing of what torch keeps for itself.
        free()
        self.send(parts)

    def run(self, function: str, kwargs: dict[str, JSON], arrays: dict[str, np.ndarray] | None) -> Iterator[bytes]:
        """Return the encoded result of "package.module:qualname", with the peak memory of this call."""
        module, _, name = function.partition(":")
        call = operator.attrgetter(name)(importlib.import_module(module))
        reset_peak()
        returned = call(**kwargs) if arrays is None else call(arrays, **kwargs)
        used = peak()
        result, outputs = returned if isinstance(returned, tuple) else (returned, {})
        return encode({"result": result, "peak_memory": used}, outputs)


def _failed(error: BaseException, **more: JSON) -> Iterator[bytes]:
    try:
        return encode({**more, "error": error_fields(error, frames_of=__file__)})
    except Exception as worse:
        # Its text or its data cannot be had; the traceback of the new error shows both.
        return encode({**more, "error": error_fields(worse, frames_of=__file__)})


def _inherited(socket: int, lifeline: int, parent: int) -> Connection:
    """Return the connection; this process and all it starts end with the parent, also in the middle of native code.

    For what this process started itself, and where nothing else does it, a guard waits for the end of file on a pipe
    whose other end only the parent has.
    """
    _die_with_the_parent()
    if os.getppid() != parent:
        sys.exit("the process that started this one has already ended")
    belongs_to(parent)  # which sleeps while this one measures, but did something just before
    if os.fork() == 0:
        _guard(lifeline, socket)
    os.close(lifeline)
    os.set_inheritable(socket, False)
    return Connection(socket)


def _die_with_the_parent() -> None:
    """Have Linux kill this process when the thread that started it ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _guard(lifeline: int, socket: int) -> NoReturn:
    try:
        # An open copy of the socket would hide the end of the child from the parent.
        os.close(socket)
        os.read(lifeline, 1)
        os.killpg(0, signal.SIGKILL)
    finally:
        os._exit(1)


def _offer_to_the_oom_killer() -> None:
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="utf-8")


def _unbuffer_c_output() -> None:
    libc = ctypes.CDLL(None)
    # Where the C library has its streams under another name, buffered output before a crash is lost.
    with suppress(ValueError):
        libc.setvbuf(ctypes.c_void_p.in_dll(libc, "stdout"), None, IONBF, 0)


if __name__ == "__main__":
    main()
