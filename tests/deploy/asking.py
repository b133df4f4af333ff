"""A server as tests ask it: by Triton's own client, which runs in an interpreter of its own."""

from __future__ import annotations

import json
import socket
import subprocess
import time
import urllib.request
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Self

    Arrays = Mapping[str, np.ndarray]


class ServerError(Exception):
    """What the server has answered instead of outputs."""


class Client:
    """Triton's client in a process of its own; a context manager.

    Attributes:
        log: of the server.
    """

    def __init__(self, python: Path, folder: Path, http: str, grpc: str) -> None:
        """Args: the interpreter, where arrays are exchanged and the log is, the addresses of the server."""
        self.log = folder / "server.log"
        command = [python, Path(__file__).parent / "triton_client.py", http, grpc]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._folder = folder
        self.http = http
        self._numbers = count()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.stdin.close()
        self._process.wait(60)
        self._process.stdout.close()

    def ask(self, what: str, **question: Any) -> dict[str, Any]:
        """Return the answer of `triton_client.Asking`.

        Raises:
            ServerError: the server's.
        """
        self._process.stdin.write(json.dumps({"ask": what, **question}) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise ServerError(answer["error"])
        return answer

    def infer(self, model: str, arrays: Arrays, protocol: str = "http", version: str = "") -> dict[str, np.ndarray]:
        """Return the outputs of one request."""
        given, taken = self._written(arrays), self._path()
        self.ask("infer", protocol=protocol, model=model, version=version, given=given, taken=taken)
        return dict(np.load(taken))

    def infer_many(self, model: str, requests: Sequence[Arrays]) -> list[dict[str, np.ndarray]]:
        """Return the outputs of requests that are sent at the same time."""
        given, taken = [self._written(arrays) for arrays in requests], [self._path() for _ in requests]
        self.ask("infer_many", model=model, version="", given=given, taken=taken)
        return [dict(np.load(path)) for path in taken]

    def timed(self, model: str, arrays: Arrays, protocol: str, count: int) -> float:
        """Return the median seconds of one request after the other."""
        return self.ask("timed", protocol=protocol, model=model, given=self._written(arrays), count=count)["seconds"]

    def rate(self, model: str, arrays: Arrays, count: int, at_a_time: int) -> float:
        """Return the requests a second, of which so many are always on their way."""
        return self.ask("rate", model=model, given=self._written(arrays), count=count, at_a_time=at_a_time)["rate"]

    def statistics(self, model: str, version: str = "") -> dict[str, Any]:
        """Return what the server has counted of a model."""
        return self.ask("statistics", model=model, version=version)

    def _path(self) -> str:
        return str(self._folder / f"{next(self._numbers)}.npz")

    def _written(self, arrays: Arrays) -> str:
        path = self._path()
        np.savez(path, **arrays)
        return path


def free_ports(number: int) -> list[int]:
    """Return ports of the loopback that nobody listens at."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def ready(port: int, what: str = "health") -> bool:
    """Whether a server is ready, or has one of the "models/..."."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/{what}/ready", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def waited(met: Callable[[], bool], process: subprocess.Popen[str], log: Path, seconds: float = 120) -> None:
    """Wait until a server that was started is ready; its log tells why it is not."""
    end = time.monotonic() + seconds
    while not met():
        if process.poll() is not None or time.monotonic() > end:
            raise AssertionError(f"not ready, ended by {process.poll()}: {log.read_text(encoding='utf-8')}")
        time.sleep(0.1)
