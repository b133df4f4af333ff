"""What the adapter gives is served by PyTriton itself."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import pytest_navigator as nav
from tests.deploy.asking import Client, ServerError, free_ports, ready, waited
from tests.deploy.triton_server import places

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
# The README of Model Navigator 0.8, as it stands.
DOCUMENT = """
pytriton_adapter = nav.pytriton.PyTritonAdapter(package=package, strategy=nav.MaxThroughputStrategy())
runner = pytriton_adapter.runner

runner.activate()


@batch
def infer_func(**inputs):
    return runner.infer(inputs)


with Triton() as triton:
    triton.bind(
        model_name="resnet50",
        infer_func=infer_func,
        inputs=pytriton_adapter.inputs,
        outputs=pytriton_adapter.outputs,
        config=pytriton_adapter.config,
    )
    triton.serve()
"""

SEVERAL = """
import pytest_navigator as nav
from pytriton.decorators import batch, sample
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonSecurityConfig

def bind(triton, model, decorate, package, **keywords):
    adapter = nav.pytriton.PyTritonAdapter(nav.load(package), **keywords)
    assert isinstance(adapter.config, ModelConfig) and isinstance(adapter.config.batcher, DynamicBatcher)
    assert all(isinstance(tensor, Tensor) for tensor in (*adapter.inputs, *adapter.outputs))
    runner = adapter.runner
    runner.activate()
    adapter.config.batcher.max_queue_delay_microseconds = 50_000

    @decorate
    def infer_func(**inputs):
        return runner.infer(inputs)

    triton.bind(model, infer_func, adapter.inputs, adapter.outputs, config=adapter.config, strict=True)

with Triton(security_config=TritonSecurityConfig(restricted_endpoints=[])) as triton:
    bind(triton, "states", batch, "states.nav", format="onnx", threads=1)
    bind(triton, "points", sample, "points.nav")
    triton.serve()
"""


@contextmanager
def serving(script: str, model: str, python: Path, packages: Path, folder: Path) -> Iterator[Client]:
    """Run a script that serves, beside the packages, until it has the model; ended by Ctrl-C, as people end it."""
    http, grpc, metrics = free_ports(3)
    config = {"HTTP_PORT": http, "GRPC_PORT": grpc, "METRICS_PORT": metrics, "EXIT_TIMEOUT_SECS": 5}
    config |= dict.fromkeys(("HTTP_ADDRESS", "GRPC_ADDRESS", "METRICS_ADDRESS"), "127.0.0.1")
    environment = {f"PYTRITON_TRITON_CONFIG_{name}": str(value) for name, value in config.items()}
    # The process of Triton's Python backend looks for the library of its interpreter there.
    environment["LD_LIBRARY_PATH"] = str(places(python)[1])
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            [python, "-c", script],
            cwd=packages,
            env=os.environ | environment,
            stdout=log,
            stderr=log,
            text=True,
            # A run in the background of a shell ignores SIGINT, and so would this process.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        )
    try:
        waited(lambda: ready(http, f"models/{model}"), process, folder / "server.log")
        with Client(python, folder, f"127.0.0.1:{http}", f"127.0.0.1:{grpc}") as client:
            yield client
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)


@pytest.fixture(scope="module")
def several(triton_python: Path, served: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with serving(SEVERAL, "points", triton_python, served, tmp_path_factory.mktemp("several")) as client:
        yield client


def page() -> str:
    text = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8").partition("## PyTriton")[2].partition("\n## ")[0]
    return "\n".join(re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))


def test_what_the_documents_show_serves(triton_python: Path, served: Path, tmp_path: Path) -> None:
    assert DOCUMENT in page()
    script = page().replace("out.nav", "names.nav")
    request = {"first": np.array([["Zoë "], ["Bo "]]), "last": np.array([["Å"], ["Lee"]])}

    with serving(script, "resnet50", triton_python, served, tmp_path) as client:
        found = {protocol: client.infer("resnet50", request, protocol) for protocol in ("http", "grpc")}

    assert found["http"]["name"].tolist() == found["grpc"]["name"].tolist() == [["Zoë Å"], ["Bo Lee"]]


def test_the_classes_in_place_of_pytritons_have_its_fields_and_defaults(triton_python: Path) -> None:
    script = """
import pytriton.model_config as theirs
import pytest_navigator.deploy.pytriton_classes as ours

for name in ("Tensor", "ModelConfig", "DynamicBatcher"):
    needed = {"shape": (1,), "dtype": float} if name == "Tensor" else {}
    assert repr(getattr(ours, name)(**needed)) == repr(getattr(theirs, name)(**needed)), name
"""
    ran = subprocess.run([triton_python, "-c", script], capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize(("rows", "length"), [(1, 5), (4, 5), (2, 9)])
def test_batches_of_any_size_and_length_are_answered(
    several: Client, served: Path, rows: int, length: int, protocol: str
) -> None:
    tokens = np.random.default_rng(0).normal(size=(rows, length, 4)).astype(np.float32)
    with nav.load(served / "states.nav") as package, package.get_runner("onnx") as runner:
        expected = runner.infer({"tokens": tokens})

    found = several.infer("states", {"tokens": tokens}, protocol)

    np.testing.assert_allclose(found["states"], expected["states"], atol=1e-6)
    np.testing.assert_allclose(found["score"], expected["score"][:, None], atol=1e-6)


def test_a_model_without_a_batch_axis_is_answered_in_its_own_shapes(several: Client) -> None:
    found = several.infer("points", {"points": np.ones((5, 2), np.float32), "scale": np.full(1, 3, np.float32)})

    assert found["scaled"].tolist() == [[3.0, 3.0]] * 5
    assert several.ask("config", model="points", version="")["max_batch_size"] == 0


def test_requests_that_wait_are_joined_up_to_the_largest_batch(several: Client) -> None:
    requests = [{"tokens": np.full((1, 5, 4), number, np.float32)} for number in range(16)]
    before = several.statistics("states")

    found = several.infer_many("states", requests)

    after = several.statistics("states")
    assert several.ask("config", model="states", version="")["max_batch_size"] == 4
    assert after["inference_count"] - before.get("inference_count", 0) == 16
    assert after["execution_count"] - before.get("execution_count", 0) < 16
    assert len({answer["score"].item() for answer in found}) == 16


def test_requests_of_other_lengths_at_the_same_time_are_not_mixed_up(several: Client) -> None:
    requests = [{"tokens": np.full((1, 3 + number % 3, 4), number, np.float32)} for number in range(12)]

    found = several.infer_many("states", requests)

    assert [answer["states"].shape for answer in found] == [(1, 3 + number % 3, 3) for number in range(12)]
    assert len({answer["score"].item() for answer in found}) == 12


def test_a_bad_request_gets_an_error_and_the_server_lives_on(several: Client) -> None:
    with pytest.raises(ServerError, match="unexpected shape for input 'tokens'"):
        several.infer("states", {"tokens": np.ones((1, 5, 3), np.float32)})

    assert several.infer("states", {"tokens": np.ones((1, 5, 4), np.float32)})["states"].shape == (1, 5, 3)
