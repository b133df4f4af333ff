"""A model behind a socket, from the first worker's start to the last request's answer."""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
import tempfile
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from pytest_navigator.deploy.batches import batch_axis
from pytest_navigator.deploy.serve.app import application
from pytest_navigator.deploy.serve.dispatcher import Dispatcher
from pytest_navigator.deploy.serve.metrics import Metrics
from pytest_navigator.deploy.serve.process import Loaded
from pytest_navigator.deploy.serve.receiving import Limits
from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from starlette.applications import Starlette

    from pytest_navigator.deploy.protocol.metadata import ServedModel
    from pytest_navigator.deploy.serve.options import Open, Options

FOLDER = "navigator-serve-"
IDLE = 60  # s that a connection stays open without a request: a client that writes as it is closed gets no answer
GRACE = 30  # s that requests have to end, once the server is to stop


def serve(model: ServedModel, open_runner: Open, options: Options, started: Callable[[str], object]) -> None:
    """Serve a model until SIGTERM or SIGINT; what was asked until then is answered, a second signal does not wait.

    Args:
        open_runner: what a worker calls to load the model, with a folder for its files; it is pickled.
        started: called with the address once requests are answered.

    Raises:
        ConfigError: the address cannot be listened on.
        NavigatorError: a worker cannot load the model.
    """
    with listening(options.host, options.port) as listener, tempfile.TemporaryDirectory(prefix=FOLDER) as folder:
        asyncio.run(_serve(model, Loaded(open_runner, Path(folder)), options, _Listening(listener, started)))


def listening(host: str, port: int) -> socket.socket:
    """Return a socket that has an address, and does not listen yet: who asks too early is refused.

    Raises:
        ConfigError: the port is in use, or the address is none of this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return _bound(socket.socket(family, kind, protocol), address)
    except OSError as error:
        hint = "; choose another one with --port, or 0 for any that is free" if error.errno == errno.EADDRINUSE else ""
        raise ConfigError(f"cannot listen on {host}, port {port}: {error.strerror or error}{hint}") from None


def _bound(listener: socket.socket, address: tuple[str | int | bytes, ...]) -> socket.socket:
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


async def _serve(model: ServedModel, loaded: Loaded, options: Options, listening: _Listening) -> None:
    metrics = Metrics(model)
    dispatcher = Dispatcher(loaded, options, batch_axis(model.signature), metrics)
    metrics.watch("queue_length", "Requests that are received or wait", lambda: dispatcher.waiting)
    metrics.watch("workers", "Processes that run the model", lambda: dispatcher.workers)
    limits = Limits(options.max_request_mb, options.body_timeout_s)
    server = _Server(application(model, dispatcher, metrics, limits), listening)
    _stopped_by_signals(server)
    with suppress(asyncio.CancelledError):  # by a signal, while workers start
        async with dispatcher:
            await server.serve(sockets=[listening.socket])


def _stopped_by_signals(server: _Server) -> None:
    loop, loading = asyncio.get_running_loop(), asyncio.current_task()

    def stop() -> None:
        if not (server.started or server.should_exit) and loading:
            loading.cancel()  # once: a second signal is not to break off how processes are ended, which takes seconds
        server.force_exit = server.should_exit
        server.should_exit = True

    for each in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(each, stop)


@dataclass(frozen=True)
class _Listening:
    socket: socket.socket
    started: Callable[[str], object]

    def say(self) -> None:
        host, port = self.socket.getsockname()[:2]
        self.started(f"http://{f'[{host}]' if ':' in host else host}:{port}")


class _Server(uvicorn.Server):
    """One that says when it listens.

    And it leaves signals to us: it would end the process by the same signal, before the workers have ended.
    """

    def __init__(self, app: Starlette, listening: _Listening) -> None:
        super().__init__(_configuration(app))
        self._listening = listening

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self._listening.say()

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        """Capture none."""
        return nullcontext()


def _configuration(app: Starlette) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        lifespan="off",
        ws="none",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE,
        timeout_keep_alive=IDLE,
    )
