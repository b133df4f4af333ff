"""A server in a process of its own, and what is asked of it by plain HTTP."""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from tests.deploy import protocol_client as client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from email.message import Message

    import numpy as np

ROOT = Path(__file__).parents[2]
FRAGILE = ("-m", "tests.deploy.fragile_server")
PATIENCE = 60  # s


@dataclass
class Server:
    """One that listens.

    Attributes:
        said: what it printed, up to the line that it serves.
    """

    host: str
    said: list[str]
    process: subprocess.Popen[str]

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, bytes, Message]:
        """Return status, body and headers of an answer."""
        connection = http.client.HTTPConnection(self.host, timeout=PATIENCE)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        found = answer.status, answer.read(), answer.headers
        connection.close()
        return found

    def get(self, path: str) -> Any:
        """Return the JSON of an answer that has to be one."""
        status, body, _ = self.request("GET", path)
        assert status == 200, body
        return json.loads(body)

    def infer(self, model: str, arrays: dict[str, np.ndarray], **how: Any) -> dict[str, np.ndarray]:
        """Return the outputs of a model; AssertionError with status and text of any other answer."""
        body, headers = client.request(arrays, **how)
        status, answer, found = self.request("POST", f"/v2/models/{model}/infer", body, headers)
        assert status == 200, (status, answer)
        return client.response(answer, found)

    def metric(self, name: str) -> float:
        """Return a number of Prometheus' metrics."""
        _, body, _ = self.request("GET", "/metrics")
        found = re.search(rf"^{re.escape(name)} (\S+)$", body.decode(), re.MULTILINE)
        assert found, body.decode()
        return float(found[1])

    def workers(self) -> list[psutil.Process]:
        """Return the processes that run the model."""
        children = psutil.Process(self.process.pid).children()
        return [each for each in children if "spawn_main" in " ".join(each.cmdline())]

    def said_of(self, text: str) -> bool:
        """Wait for a line with a text; False if the server ends without it."""
        assert self.process.stdout
        return any(text in line for line in self.process.stdout)

    def stop(self) -> int:
        """Return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)


@contextmanager
def serving(*arguments: str) -> Iterator[Server]:
    """Start a server by arguments of Python; it is stopped at the end, unless it has been."""
    process = subprocess.Popen(
        [sys.executable, "-u", *arguments], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout
    said = []
    try:
        for line in process.stdout:
            said.append(line)
            if found := re.search(r"serving at http://([^/\s]+)", line):
                break
        else:
            raise AssertionError("".join(said))
        yield Server(found[1], said, process)
    finally:
        process.terminate()
        process.wait(PATIENCE)
        process.stdout.close()


def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
