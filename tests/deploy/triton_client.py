"""Asks a server with Triton's own client: run by the interpreter beside which that is installed.

    python triton_client.py HTTP_ADDRESS GRPC_ADDRESS

Each line of its input is one question as JSON, answered with one: arrays are in npz files.
"""

from __future__ import annotations

import json
import statistics
import sys
import threading
import time

import numpy as np
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

MOST_AT_ONCE = 16
SAID = {"verbose": False}


class Asking:
    """A client of each protocol, of one server."""

    def __init__(self, http: str, grpc: str) -> None:
        self.modules = {"http": tritonclient.http, "grpc": tritonclient.grpc}
        self.clients = {
            "http": tritonclient.http.InferenceServerClient(http, concurrency=MOST_AT_ONCE, **SAID),
            "grpc": tritonclient.grpc.InferenceServerClient(grpc, **SAID),
        }

    def infer(self, protocol: str, model: str, version: str, given: str, taken: str) -> dict:
        """One request: the arrays of a file, whose outputs go into another."""
        result = self.clients[protocol].infer(model, self._inputs(protocol, given), version)
        np.savez(taken, **self._arrays(result))
        return {}

    def infer_many(self, model: str, version: str, given: list[str], taken: list[str]) -> dict:
        """Requests at the same time."""
        client = self.clients["http"]
        waiting = [client.async_infer(model, self._inputs("http", path), version) for path in given]
        for path, each in zip(taken, waiting, strict=True):
            np.savez(path, **self._arrays(each.get_result()))
        return {}

    def timed(self, protocol: str, model: str, given: str, count: int) -> dict:
        """The median seconds of requests, one after the other."""
        inputs = self._inputs(protocol, given)
        seconds = []
        for _ in range(count):
            started = time.perf_counter()
            self.clients[protocol].infer(model, inputs)
            seconds.append(time.perf_counter() - started)
        return {"seconds": statistics.median(seconds)}

    def rate(self, model: str, given: str, count: int, at_a_time: int) -> dict:
        """Requests a second, of which so many are always on their way."""
        slots, failures = threading.Semaphore(at_a_time), []

        def ended(result: object, error: Exception | None) -> None:
            failures.extend([error] if error else [])
            slots.release()

        inputs = self._inputs("grpc", given)
        started = time.perf_counter()
        for _ in range(count):
            slots.acquire()
            self.clients["grpc"].async_infer(model, inputs, ended)
        for _ in range(at_a_time):
            slots.acquire()
        if failures:
            raise failures[0]
        return {"rate": count / (time.perf_counter() - started)}

    def statistics(self, model: str, version: str) -> dict:
        """What the server has counted of a model."""
        return self.clients["http"].get_inference_statistics(model, version)["model_stats"][0]

    def metadata(self, model: str, version: str) -> dict:
        """What the server says of a model."""
        return self.clients["http"].get_model_metadata(model, version)

    def config(self, model: str, version: str) -> dict:
        """The configuration that a model is served with."""
        return self.clients["http"].get_model_config(model, version)

    def live(self) -> dict:
        """Whether the server lives and is ready."""
        return {name: client.is_server_live() and client.is_server_ready() for name, client in self.clients.items()}

    def close(self) -> None:
        """An open connection keeps a server from ending."""
        for client in self.clients.values():
            client.close()

    def _inputs(self, protocol: str, path: str) -> list:
        module = self.modules[protocol]
        made = []
        for name, array in np.load(path).items():
            array = np.char.encode(array, "utf-8").astype(object) if array.dtype.kind == "U" else array
            made.append(module.InferInput(name, array.shape, np_to_triton_dtype(array.dtype)))
            made[-1].set_data_from_numpy(array)
        return made

    @staticmethod
    def _arrays(result: object) -> dict:
        said = result.get_response()
        outputs = said["outputs"] if isinstance(said, dict) else said.outputs
        names = [output["name"] if isinstance(output, dict) else output.name for output in outputs]
        return {name: _plain(result.as_numpy(name)) for name in names}


def _plain(array: np.ndarray) -> np.ndarray:
    return np.char.decode(array.astype(np.bytes_), "utf-8") if array.dtype == object else array


def main(http: str, grpc: str) -> None:
    """Answer until the input ends."""
    asking = Asking(http, grpc)
    for line in sys.stdin:
        question = json.loads(line)
        try:
            answer = getattr(asking, question.pop("ask"))(**question)
        except InferenceServerException as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)
    asking.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
