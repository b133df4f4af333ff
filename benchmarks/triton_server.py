"""What an inference takes on Triton's server, beside the figure of the package that it was deployed from.

    bash tests/deploy/triton_environment.sh && python benchmarks/triton_server.py [MODEL ...]

Models of the example projects in every format that is served on the processor, at batch 1, on the sample that the
package timed, one client. p50 of the package; the server's own compute time of an inference (`compute_infer`), and what
it adds (queue, inputs, outputs); the request as the client sees it, by HTTP and by gRPC. Last, the rows a second that
eight requests at a time get, with Triton's dynamic batching and without.

The server is PyTriton's, whose backends are scripts of its Python backend: of `compute_infer`, some 0.2 ms is the way
to that process and back, which the backends of NVIDIA's containers do not have. Those of ONNX and TorchScript run the
requests of a batch one after the other: what a batch saves there is the way alone.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import models
from costs import table

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the tests' server

import pytest_navigator as nav  # noqa: E402
from pytest_navigator.package.container.reader import open_package  # noqa: E402
from pytest_navigator.package.query.strategies import figures_of  # noqa: E402
from pytest_navigator.samples.npz import load_npz  # noqa: E402
from tests.deploy.triton_server import tritonserver  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from tests.deploy.asking import Client

CELLS = {
    "onnx": "OnnxCPU",
    "torchscript-trace": "TorchScriptCPU",
    "torch-exportedprogram": "TorchExportedProgramCPU",
}
HEADINGS = (
    "model",
    "format",
    "package p50 (ms)",
    "compute_infer (ms)",
    "server adds (ms)",
    "HTTP p50 (ms)",
    "gRPC p50 (ms)",
    "rows/s of 8",
    "not batched",
)
RUN = "-q -p no:cacheprovider --nav-package=out.nav --nav-runtimes=cpu --nav-profile-seconds=3"
ALONE = "-alone"  # ends the name of a model that joins no requests
AT_A_TIME = 8


def main() -> None:
    """Make packages, deploy them, measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("models", nargs="*", default=["linear", "cnn", "transformer"])
    parser.add_argument("--requests", type=int, default=300)
    arguments = parser.parse_args()
    python = Path(os.environ.get("NAV_TRITON_PYTHON") or ROOT / ".venv-triton" / "bin" / "python")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        packages = {name: packed(folder / name, name) for name in arguments.models}
        for path in packages.values():
            deploy(path, folder / "repository")
        (folder / "server").mkdir()
        with tritonserver(python, folder / "repository", folder / "server") as client:
            rows = [row for path in packages.values() for row in measured(path, client, arguments.requests)]
    print(table(HEADINGS, rows))


def packed(folder: Path, name: str) -> Path:
    """Return the package of a model."""
    models.write_project(folder, name)
    command = [sys.executable, "-m", "pytest", *RUN.split(), f"--nav-formats={','.join(CELLS)}"]
    subprocess.run(command, cwd=folder, check=True)
    return folder / "out.nav"


def deploy(path: Path, repository: Path) -> None:
    """Deploy each format twice: with dynamic batching, and without."""
    alone = nav.triton.ONNXModelConfig(max_batch_size=1)
    with nav.load(path) as package, warnings.catch_warnings(action="ignore"):
        for key, runner in CELLS.items():
            for ending, config in (("", None), (ALONE, alone)):
                nav.triton.model_repository.add_model_from_package(
                    repository, f"{path.parent.name}-{key}{ending}", package, format=key, runtime=runner, config=config
                )


def measured(path: Path, client: Client, requests: int) -> Iterator[list[str]]:
    """Return a row a format."""
    sample = timed_sample(path)
    with open_package(path) as package:
        for key, runner in CELLS.items():
            figure = next(f for f in figures_of(package.results, [(key, runner)]) if f.batch_size == 1)
            name = f"{path.parent.name}-{key}"
            client.timed(name, sample, "http", requests // 10 + 1)
            before = client.statistics(name)
            seconds = [client.timed(name, sample, protocol, requests) for protocol in ("http", "grpc")]
            compute, added = spent(before, client.statistics(name))
            rates = [client.rate(name + ending, sample, requests, AT_A_TIME) for ending in ("", ALONE)]
            times = (figure.p50_latency, compute, added, *(1e3 * each for each in seconds))
            yield [path.parent.name, key, *(f"{each:.3f}" for each in times), *(f"{rate:.0f}" for rate in rates)]


def timed_sample(path: Path) -> dict[str, np.ndarray]:
    """Return the row that a package timed."""
    with open_package(path) as package, tempfile.TemporaryDirectory() as folder:
        (name,) = [name for name in package.files() if name.startswith("model_input/profiling/")]
        signature = package.results.signature
        return load_npz(package.extract([name], Path(folder))[0], signature.inputs, signature.batch_dim)


def spent(before: dict[str, Any], after: dict[str, Any]) -> tuple[float, float]:
    """Return the ms an inference of computing, and of what the server does beside it."""

    def mean(*kinds: str) -> float:
        found = [(after["inference_stats"][kind], before["inference_stats"][kind]) for kind in kinds]
        return sum((int(a["ns"]) - int(b["ns"])) / (int(a["count"]) - int(b["count"])) for a, b in found) / 1e6

    return mean("compute_infer"), mean("queue", "compute_input", "compute_output")


if __name__ == "__main__":
    main()
