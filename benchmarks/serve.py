"""What a request to a server costs above the model, and what joining requests to batches gains.

    python benchmarks/serve.py
    python benchmarks/serve.py --triton=.venv-triton/bin/python --mlserver=PYTHON

Two ONNX models of one thread: a linear one of microseconds, and one of three layers that reads 6 MB of weights each
time, which a batch reads once. Asked one row at a time over one kept connection (its p50 above that of the runner in
this process), and by eight clients in processes of their own (requests in s), after a second that does not count.
Beside it is what the server says of the model's own time ("compute", a mean of the one client's requests). Every server
runs alone, in one process of the model: ours with and without batches; Triton on the repository that `nav.triton`
writes, by the script in place of the backend of its containers, and MLServer with ten lines around ONNX Runtime, where
their interpreters are given. Triton and ours are asked with binary tensors and with JSON, which alone MLServer reads.
Aim: a small request costs no more than with MLServer.
"""

from __future__ import annotations

import argparse
import http.client
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
import onnx
from costs import table
from onnx import TensorProto, helper, numpy_helper

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the clients and servers of the tests

import pytest_navigator as nav  # noqa: E402
from tests.deploy import protocol_client as client  # noqa: E402
from tests.deploy.asking import free_ports, ready, waited  # noqa: E402
from tests.deploy.serving import serving  # noqa: E402
from tests.deploy.triton_server import tritonserver  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    Start = Callable[[str, Path], AbstractContextManager[str]]

WIDTHS = {"linear": (5, 4), "layers": (256, 1024, 1024, 256)}
BATCH = 16
CLIENTS = 8
HEADINGS = (
    "model",
    "server",
    "form",
    "p50 (ms)",
    "above the runner (ms)",
    "compute (ms)",
    f"of {CLIENTS} clients (1/s)",
)

MLSERVER = """
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceResponse

class Onnx(MLModel):
    async def load(self):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(self.settings.parameters.uri, options)
        return True

    async def predict(self, payload):
        feed = {each.name: NumpyCodec.decode_input(each) for each in payload.inputs}
        names = [each.name for each in self.session.get_outputs()]
        outputs = [NumpyCodec.encode_output(*pair) for pair in zip(names, self.session.run(names, feed))]
        return InferenceResponse(model_name=self.name, outputs=outputs)
"""


@dataclass(frozen=True)
class Request:
    """What clients send again and again."""

    model: str
    binary: bool

    def measure(self, address: str, seconds: float) -> list[float]:
        """Return the latencies of one client in s, after a second that does not count."""
        more = {"parameters": {"binary_data_output": True}} if self.binary else {}
        body, headers = client.request({"x": row(self.model)}, binary=self.binary, **more)
        connection = http.client.HTTPConnection(address)
        found, start = [], perf_counter()
        while (now := perf_counter()) < start + 1 + seconds:
            connection.request("POST", f"/v2/models/{self.model}/infer", body, {"Content-Type": TYPE, **headers})
            answer = connection.getresponse()
            content = answer.read()
            assert answer.status == 200, content
            if now > start + 1:
                found.append(perf_counter() - now)
        connection.close()
        return found


TYPE = "application/json"


def row(model: str) -> np.ndarray:
    """Return the input of every request."""
    return np.ones((1, WIDTHS[model][0]), np.float32)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--triton", type=Path, help="interpreter beside which Triton is (tests/deploy)")
    parser.add_argument("--mlserver", type=Path, help="interpreter beside which mlserver and onnxruntime are")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for model in WIDTHS:
            made(model, Path(folder))
        servers = list(started(arguments))
        rows = [line for model in WIDTHS for line in lines(model, Path(folder), servers, arguments.seconds)]
    print(table(HEADINGS, rows))


def made(model: str, folder: Path) -> None:
    """Write a model file and its package."""
    rng, widths = np.random.default_rng(0), WIDTHS[model]
    weights = [
        numpy_helper.from_array((rng.standard_normal(pair) / pair[0] ** 0.5).astype(np.float32), f"w{index}")
        for index, pair in enumerate(pairwise(widths))
    ]
    names = ["x", *(f"h{index}" for index in range(1, len(weights))), "y"]
    nodes = [helper.make_node("MatMul", [names[i], f"w{i}"], [names[i + 1]]) for i in range(len(weights))]
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", width])
        for name, width in (("x", widths[0]), ("y", widths[-1]))
    ]
    graph = helper.make_graph(nodes, model, values[:1], values[1:], weights)
    path = folder / f"{model}.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9), path)
    samples = [{"x": rng.standard_normal((BATCH, widths[0])).astype(np.float32)}]
    package = nav.onnx.optimize(path, samples, model_name=model, workspace=folder / model)
    package.save(folder / f"{model}.nav")


def started(arguments: argparse.Namespace) -> Iterator[tuple[str, Start, tuple[bool, ...]]]:
    """Yield each server: what it is called, how it is started, whether clients send binary tensors and JSON."""
    yield "serve, one by one", ours("--max-batch-size=1"), (True, False)
    yield "serve", ours(), (True, False)
    yield "serve, 1 ms of delay", ours("--batch-delay-ms=1"), (True,)
    if arguments.triton:
        yield "Triton", triton(arguments.triton), (True, False)
    if arguments.mlserver:
        yield "MLServer", mlserver(arguments.mlserver), (False,)


def lines(
    model: str, folder: Path, servers: list[tuple[str, Start, tuple[bool, ...]]], seconds: float
) -> Iterator[tuple[str, ...]]:
    """Yield the rows of a model."""
    bare = of_the_runner(model, folder)
    yield model, "(the runner)", "-", f"{bare * 1e3:.3f}", "-", "-", "-"
    for name, start, forms in servers:
        with start(model, folder) as address:
            for binary in forms:
                request = Request(model, binary)
                with multiprocessing.get_context("fork").Pool(CLIENTS) as pool:
                    before = computed(model, address)
                    (alone,) = pool.starmap(request.measure, [(address, seconds)])
                    compute = mean_since(before, computed(model, address))
                    together = pool.starmap(request.measure, [(address, seconds)] * CLIENTS, chunksize=1)
                p50 = median(alone)
                throughput = sum(map(len, together)) / seconds
                form = "binary" if binary else "JSON"
                yield model, name, form, f"{p50 * 1e3:.2f}", f"{(p50 - bare) * 1e3:.2f}", compute, f"{throughput:.0f}"


def computed(model: str, address: str) -> tuple[int, int]:
    """Return what a server says of its model: how many inferences, and how many ns they took; zeros if it does not."""
    connection = http.client.HTTPConnection(address)
    connection.request("GET", f"/v2/models/{model}/stats")
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    if answer.status != 200:
        return 0, 0
    found = json.loads(content)["model_stats"][0]["inference_stats"]["compute_infer"]
    return found["count"], found["ns"]


def mean_since(before: tuple[int, int], after: tuple[int, int]) -> str:
    """Return the mean of the inferences between two answers, in ms."""
    count = after[0] - before[0]
    return f"{(after[1] - before[1]) / count / 1e6:.3f}" if count else "-"


def of_the_runner(model: str, folder: Path) -> float:
    """Return the p50 latency of the runner in this process, in s."""
    with nav.load(folder / f"{model}.nav") as package, package.get_runner("onnx", threads=1) as runner:
        feed, found = {"x": row(model)}, []
        for _ in range(3000):
            before = perf_counter()
            runner.infer(feed)
            found.append(perf_counter() - before)
    return median(found)


def ours(*options: str) -> Start:
    """Return what starts `pytest-navigator serve`."""

    @contextmanager
    def start(model: str, folder: Path) -> Iterator[str]:
        command = ("-m", "pytest_navigator", "serve", str(folder / f"{model}.nav"), "--port=0", "--threads=1", *options)
        with serving(*command) as server:
            yield server.host

    return start


def triton(python: Path) -> Start:
    """Return what starts Triton's server."""

    @contextmanager
    def start(model: str, folder: Path) -> Iterator[str]:
        with ExitStack() as stack:
            repository, own = (Path(stack.enter_context(tempfile.TemporaryDirectory())) for _ in range(2))
            package = stack.enter_context(nav.load(folder / f"{model}.nav"))
            nav.triton.model_repository.add_model_from_package(
                repository, model, package, format="onnx", instances={"cpu": 1}, max_batch_size=BATCH
            )
            yield stack.enter_context(tritonserver(python, repository, own)).http

    return start


def mlserver(python: Path) -> Start:
    """Return what starts MLServer, in one process."""

    @contextmanager
    def start(model: str, folder: Path) -> Iterator[str]:
        with tempfile.TemporaryDirectory() as own, ExitStack() as stack:
            ports = dict(zip(("http_port", "grpc_port", "metrics_port"), free_ports(3), strict=True))
            settings = {**ports, "host": "127.0.0.1", "parallel_workers": 0, "debug": False}
            uri = str(folder / f"{model}.onnx")
            about = {"name": model, "implementation": "model.Onnx", "parameters": {"uri": uri}}
            Path(own, "model.py").write_text(MLSERVER, encoding="utf-8")
            Path(own, "settings.json").write_text(json.dumps(settings), encoding="utf-8")
            Path(own, "model-settings.json").write_text(json.dumps(about), encoding="utf-8")
            log = Path(own, "log")
            stream = stack.enter_context(log.open("w", encoding="utf-8"))
            command = [python.with_name("mlserver"), "start", own]
            environment = {**os.environ, "PYTHONPATH": own}
            process = subprocess.Popen(command, env=environment, stdout=stream, stderr=stream, text=True, cwd=own)
            try:
                waited(lambda: ready(ports["http_port"]), process, log)
                yield f"127.0.0.1:{ports['http_port']}"
            finally:
                process.terminate()
                process.wait(60)

    return start


if __name__ == "__main__":
    main()
