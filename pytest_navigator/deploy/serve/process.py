"""A worker as the server sees it: a process that is started, asked, and replaced if it ends."""

from __future__ import annotations

import asyncio
import multiprocessing
import shutil
import signal
import socket
import tempfile
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.deploy.protocol.errors import RequestError
from pytest_navigator.deploy.serve import worker
from pytest_navigator.errors import NavigatorError
from pytest_navigator.isolation.messages import error_from

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter
    from collections.abc import Callable, Iterator
    from multiprocessing.context import SpawnProcess

    from pytest_navigator.deploy.serve.options import Arrays, Open
    from pytest_navigator.isolation.messages import Message

BUFFER = 2**22  # of the socket's reader, in B
PATIENCE = 5  # s that a worker has to end by itself


@dataclass(frozen=True)
class Loaded:
    """What every worker loads, by a function that is pickled, and the folder in which each has one of its own."""

    open_runner: Open
    folder: Path


class WorkerDied(NavigatorError):
    """The process ended, or was killed, before it had answered."""


class Worker:
    """A process that has loaded the model; made by `start`.

    Attributes:
        busy: whether there is a batch that it is to run.
        ended: done once the process has ended.
    """

    def __init__(self, process: SpawnProcess, streams: tuple[StreamReader, StreamWriter], folder: Path) -> None:
        self._process = process
        self._reader, self._writer = streams
        self._folder = folder
        self.busy = False
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().add_reader(process.sentinel, self._has_ended)

    @classmethod
    async def start(cls, loaded: Loaded) -> Worker:
        """Start a process and wait until it has loaded the model.

        Raises:
            WorkerDied: it ended before.
            NavigatorError: the model cannot be loaded.
        """
        making = asyncio.ensure_future(cls._made(loaded))
        try:
            new = await asyncio.shield(making)  # a process that starts is to be known, so that it can be ended
            content, _ = await new._received()
            if "error" in content:
                raise error_from(content["error"])
        except BaseException:
            with suppress(Exception):
                await (await making)._kill()
            raise
        return new

    @classmethod
    async def _made(cls, loaded: Loaded) -> Worker:
        process, ours, folder = await asyncio.to_thread(_started, loaded)
        return cls(process, await asyncio.open_unix_connection(sock=ours, limit=BUFFER), folder)

    async def infer(self, inputs: Arrays) -> tuple[Arrays, int]:
        """Run one batch; returns its outputs, and how long the model itself took, in ns.

        Raises:
            RequestError: the model does not take it (400), or raised (500).
            WorkerDied: the process ended instead of answering.
        """
        with suppress(ConnectionError):  # its end is noticed when the answer is read
            self._writer.write(worker.packed({}, inputs))
            await self._writer.drain()
        content, outputs = await self._received()
        if "refused" in content:
            raise RequestError(content["refused"])
        if "error" in content:
            raise RequestError(f"the model raised: {error_from(content['error'])}", 500)
        return outputs or {}, content["nanoseconds"]

    async def close(self) -> None:
        """End the process, by force if it does not end itself, and remove its files."""
        asyncio.get_running_loop().remove_reader(self._process.sentinel)
        self._writer.close()
        await _in_a_thread(self._end)

    async def _kill(self) -> None:
        self._process.kill()
        await self.close()

    async def _received(self) -> tuple[Message, Arrays | None]:
        try:
            (size,) = worker.SIZE.unpack(await self._reader.readexactly(worker.SIZE.size))
            return worker.unpacked(await self._reader.readexactly(size))
        except (asyncio.IncompleteReadError, ConnectionError):
            raise await self.death() from None

    async def death(self) -> WorkerDied:
        """Return the error of a process that has ended."""
        await _in_a_thread(lambda: self._process.join(PATIENCE))
        return WorkerDied(f"the process that runs the model {_ending(self._process.exitcode)}")

    def _has_ended(self) -> None:
        asyncio.get_running_loop().remove_reader(self._process.sentinel)
        if not self.ended.done():
            self.ended.set_result(None)

    def _end(self) -> None:
        self._process.join(PATIENCE)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        shutil.rmtree(self._folder, ignore_errors=True)


async def _in_a_thread(work: Callable[[], object]) -> None:
    """Do what may be done twice; where the system has no thread any more, in this one: it is short, or has to be."""
    try:
        await asyncio.to_thread(work)
    except RuntimeError:
        work()


def _started(loaded: Loaded) -> tuple[SpawnProcess, socket.socket, Path]:
    """Start a process; returns it, the socket that asks it, and its folder. If it fails, nothing of these is left."""
    with ExitStack() as undone:
        ours, theirs = socket.socketpair()
        undone.callback(ours.close)
        with theirs, _blocked():
            folder = Path(tempfile.mkdtemp(dir=loaded.folder))
            undone.callback(shutil.rmtree, folder, ignore_errors=True)
            arguments = (theirs, loaded.open_runner, folder)
            process = multiprocessing.get_context("spawn").Process(
                target=worker.main, args=arguments, name="navigator-worker", daemon=True
            )
            process.start()
        undone.pop_all()
    return process, ours, folder


@contextmanager
def _blocked() -> Iterator[None]:
    """Keep signals from a child that does not ignore them yet: it inherits what its parent's thread has blocked."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, worker.SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _ending(code: int | None) -> str:
    if code is None:
        return "closed its socket"
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"
