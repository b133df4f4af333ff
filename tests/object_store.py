"""A server of S3's, in a process of its own on this machine, and what stands between it and a run."""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import threading
import time
import urllib.request
import uuid
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.error import URLError

import pytest

from tests.forking import REAL

if TYPE_CHECKING:
    from collections.abc import Iterator

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/EXAMPLEKEY"}


class Server:
    """moto's."""

    def __init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        quiet = {"stdout": -3, "stderr": -3}  # subprocess.DEVNULL
        self.process = REAL(command, env=os.environ | CREDENTIALS, **quiet)
        while not self._answers():
            assert self.process.poll() is None
            time.sleep(0.05)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, content: bytes = b"") -> bytes:
        headers = {"Content-Type": "application/octet-stream"}
        asked = urllib.request.Request(self.url + path, content or None, headers, method=method)
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return bytes(answer.read())

    def _answers(self) -> bool:
        with suppress(URLError, ConnectionError):
            return bool(self.ask("GET", "/moto-api/"))
        return False

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@dataclass(frozen=True)
class Bucket:
    """A bucket of a server's."""

    server: Server
    name: str = field(default_factory=lambda: f"models-{uuid.uuid4().hex[:8]}")

    @property
    def url(self) -> str:
        return f"s3://{self.name}"

    def make(self) -> Bucket:
        self.server.ask("PUT", f"/{self.name}")
        return self

    def names(self) -> list[str]:
        text = self.server.ask("GET", f"/{self.name}?list-type=2").decode()
        return re.findall("<Key>(.*?)</Key>", text)

    def read(self, key: str) -> bytes:
        return bytes(self._files().cat_file(f"{self.name}/{key}"))

    def write(self, key: str, content: bytes) -> None:
        self._files().pipe_file(f"{self.name}/{key}", content)

    def _files(self) -> Any:
        import fsspec

        own = {"key": CREDENTIALS["AWS_ACCESS_KEY_ID"], "secret": CREDENTIALS["AWS_SECRET_ACCESS_KEY"]}
        return fsspec.filesystem("s3", endpoint_url=self.server.url, skip_instance_cache=True, **own)

    def deny(self, *actions: str) -> None:
        """Refuse `PutObject` and others to everybody."""
        said = [f"s3:{action}" for action in actions]
        resources = [f"arn:aws:s3:::{self.name}", f"arn:aws:s3:::{self.name}/*"]
        statement = {"Effect": "Deny", "Principal": "*", "Action": said, "Resource": resources}
        policy = {"Version": "2012-10-17", "Statement": [statement]}
        self.server.ask("PUT", f"/{self.name}?policy", json.dumps(policy).encode())

    def allow(self) -> None:
        self.server.ask("DELETE", f"/{self.name}?policy")


class Cut:
    """A way to a server that breaks, for good, when so many bytes have gone in one direction.

    Args:
        up, down: bytes of requests, of answers; None: any number.
        verb: counted from the first request of this method on.
        server: killed where the way breaks.
        silent: nothing breaks there, and nothing goes any more, as with a machine that has lost its network.
    """

    def __init__(
        self,
        port: int,
        *,
        up: int | None = None,
        down: int | None = None,
        verb: str = "",
        server: Server | None = None,
        silent: bool = False,
    ) -> None:
        self.left = {"up": up, "down": down}
        self.verb, self.server, self.broken = verb.encode(), server, threading.Event()
        self.silent = silent
        self._target, self._open = port, [socket.create_server(("127.0.0.1", 0))]
        self._threads = [threading.Thread(target=self._serve, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._open[0].getsockname()[1]}"

    def close(self) -> None:
        self.broken.set()
        for each in list(self._open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join(10)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._open[0].accept()
                self._open.append(near)
                try:
                    far = socket.create_connection(("127.0.0.1", self._target))
                except OSError:  # the server is gone
                    near.close()
                    raise
                self._open.append(far)
                for way, source, target in (("up", near, far), ("down", far, near)):
                    thread = threading.Thread(target=self._pass, args=(way, source, target), daemon=True)
                    self._threads.append(thread)
                    thread.start()

    def _pass(self, way: str, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while content := source.recv(2**14):
                self.verb = b"" if self.verb and way == "up" and content.startswith(self.verb) else self.verb
                target.sendall(content[: self._room(way, len(content))])
                if self.broken.is_set() and self.silent:
                    return
                if self.broken.is_set():
                    break
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _room(self, way: str, size: int) -> int:
        """Return how many bytes still go; at the last one, the way breaks."""
        left = self.left[way]
        if left is None or self.verb:
            return size
        self.left[way] = left - size
        if left > size:
            return size
        self.broken.set()
        if self.silent:
            return max(left, 0)
        if self.server:
            self.server.kill()
        self._open[0].shutdown(socket.SHUT_RDWR)  # which wakes who waits for the next connection
        return max(left, 0)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[Server]:
    """A server for all tests that leave it alive."""
    pytest.importorskip("moto")
    pytest.importorskip("s3fs")
    server = Server()
    yield server
    server.kill()


@pytest.fixture
def s3(s3_server: Server, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket, with credentials in the environment."""
    speak_to(s3_server.url, monkeypatch)
    return Bucket(s3_server).make()


@pytest.fixture
def mortal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """An empty bucket of a server that may be killed."""
    pytest.importorskip("moto")
    pytest.importorskip("s3fs")
    server = Server()
    speak_to(server.url, monkeypatch)
    yield Bucket(server).make()
    server.kill()


def speak_to(url: str, monkeypatch: pytest.MonkeyPatch, **credentials: str) -> None:
    """Have this process, and those that it starts, take a server for S3."""
    from pytest_navigator.core import remote

    remote._filesystem.cache_clear()
    values = CREDENTIALS | {"AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true"} | credentials
    for name, value in {**values, "AWS_ENDPOINT_URL": url, "AWS_CONFIG_FILE": os.devnull}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
