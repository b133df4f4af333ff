"""How many requests Ray Serve answers with one and with two replicas of a package.

    RAY_AUTH_MODE=disabled RAY_USAGE_STATS_ENABLED=0 python benchmarks/ray_serve.py
    python benchmarks/ray_serve.py --replicas=1,2,4 --clients=16 --seconds=10

A convolution network as ONNX, whose inference takes some ms of one processor: each replica has one. The cluster and
the clients, each with a connection of its own and one request at a time, are on this machine: where there are fewer
processors than they need, they take them from each other. Prints the inferences a second, the median latency, the rows
of a batch, and the speed-up on one replica; above them the figure of the package, which had all processors.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import ray
from costs import table
from ray import serve

import pytest_navigator as nav

HEADINGS = ("replicas", "infer/s", "p50 (ms)", "rows of a batch", "speed-up")
PORT = 8123
SIZE = 64

PROJECT = f"""
import pytest, torch

@pytest.fixture
def nav_model():
    layers = [torch.nn.Conv2d(1, 32, 3, padding=1)]
    for _ in range(4):
        layers += [torch.nn.ReLU(), torch.nn.Conv2d(32, 32, 3, padding=1)]
    return torch.nn.Sequential(*layers, torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()).eval()

@pytest.fixture
def nav_dataloader():
    return [torch.randn(8, 1, {SIZE}, {SIZE})]
"""


@dataclass(frozen=True)
class Load:
    """What clients saw: latencies of their requests in ms, in how many s."""

    latencies: list[float]
    seconds: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--replicas", default="1,2")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=10)
    arguments = parser.parse_args()
    rows: list[tuple[str, ...]] = []
    first = 0.0
    with tempfile.TemporaryDirectory() as folder:
        package = made(Path(folder))
        ray.init(address="local", num_cpus=os.cpu_count(), include_dashboard=False, log_to_driver=False)
        serve.start(http_options={"host": "127.0.0.1", "port": PORT})
        for replicas in map(int, arguments.replicas.split(",")):
            serve.run(nav.ray.deployment(package, format="onnx", name="model", num_replicas=replicas), name="benchmark")
            asked(arguments.clients, 2)  # every replica has run
            load = asked(arguments.clients, arguments.seconds)
            rate = len(load.latencies) / load.seconds
            first = first or rate
            rows.append(
                (str(replicas), f"{rate:.0f}", f"{median(load.latencies):.1f}", batches(), f"{rate / first:.2f}x")
            )
        serve.shutdown()
        ray.shutdown()
        best = nav.load(package).get_best(nav.SelectedRuntimeStrategy("onnx", "OnnxCPU"))
    print(f"{arguments.clients} clients, {os.cpu_count()} processors; load average {os.getloadavg()[0]:.1f}.")
    print(f"The package: {best.throughput:.0f} infer/s at batch size {best.batch_size} with all processors.\n")
    print(table(HEADINGS, rows))


def made(folder: Path) -> Path:
    """Return a package with the model as ONNX."""
    (folder / "conftest.py").write_text(PROJECT, encoding="utf-8")
    command = f"{sys.executable} -m pytest -q --nav-package=out.nav --nav-formats=onnx --nav-profile-seconds=1"
    subprocess.run(command.split(), cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return folder / "out.nav"


def asked(clients: int, seconds: float) -> Load:
    """Let clients ask, one request after the other each."""
    body, head = request()
    end = time.perf_counter() + seconds
    latencies: list[float] = []

    def client() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", PORT)
        while (started := time.perf_counter()) < end:
            connection.request("POST", "/v2/models/model/infer", body, head)
            answer = connection.getresponse()
            content = answer.read()
            assert answer.status == 200, content
            latencies.append((time.perf_counter() - started) * 1000)

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Load(latencies, seconds)


def request() -> tuple[bytes, dict[str, str]]:
    """Return the body and the header of a request of one row, in binary form."""
    array = np.ones((1, 1, SIZE, SIZE), np.float32)
    (name,) = (each["name"] for each in json.loads(get(""))["inputs"])
    entry = {"name": name, "shape": array.shape, "datatype": "FP32", "parameters": {"binary_data_size": array.nbytes}}
    content = {"inputs": [entry], "parameters": {"binary_data_output": True}}
    said = json.dumps(content).encode()
    return said + array.tobytes(), {"Inference-Header-Content-Length": str(len(said))}


def batches() -> str:
    """Return the mean number of rows of a batch, of the replica that answers."""
    (found,) = json.loads(get("/stats"))["model_stats"]
    return f"{found['inference_count'] / found['execution_count']:.1f}"


def get(path: str) -> bytes:
    """Return what the server says of the model."""
    connection = http.client.HTTPConnection("127.0.0.1", PORT)
    connection.request("GET", f"/v2/models/model{path}")
    return connection.getresponse().read()


if __name__ == "__main__":
    main()
