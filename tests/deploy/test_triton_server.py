"""What is written into a model repository is loaded and answered by Triton's own server."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pytest

import pytest_navigator as nav
from tests.deploy.asking import Client, ServerError
from tests.deploy.recorded_samples import assert_answered, samples
from tests.deploy.triton_server import tritonserver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

MODELS = {
    "states-onnx": ("onnx", "OnnxCPU", "onnxruntime", "model.onnx"),
    "states-torchscript": ("torchscript-trace", "TorchScriptCPU", "pytorch", "model.pt"),
}
"""Model in the repository -> the format of its package, the runner, Triton's backend and its file."""

LATEST = "2"  # which answers where no version is asked for

CONFIG = """
max_batch_size: 4
input [ { name: "tokens" data_type: TYPE_FP32 dims: [ -1, 4 ] } ]
output [
  { name: "states" data_type: TYPE_FP32 dims: [ -1, 3 ] },
  { name: "score" data_type: TYPE_FP32 dims: [ 1 ] reshape { shape: [ ] } }
]
instance_group [ { kind: KIND_CPU count: 1 } ]
dynamic_batching { max_queue_delay_microseconds: 50000 }
version_policy { all { } }
"""
ONE_ROW = {"tokens": np.ones((1, 5, 4), np.float32)}


@pytest.fixture(scope="module")
def repository(served: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every model in two versions; those that are called wrong-... have configurations that are not their files'."""
    repository = tmp_path_factory.mktemp("repository")
    with nav.load(served / "states.nav") as package:
        for model, (key, _, backend, file) in MODELS.items():
            for name, config in ((model, CONFIG), (f"wrong-{model}", CONFIG.replace('"tokens"', '"token"'))):
                for version in "12":
                    (repository / name / version).mkdir(parents=True)
                    shutil.copy(package.get_path(key), repository / name / version / file)
                (repository / name / "config.pbtxt").write_text(f'name: "{name}"\nbackend: "{backend}"{config}')
    return repository


@pytest.fixture(scope="module")
def server(triton_python: Path, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    with tritonserver(triton_python, repository, tmp_path_factory.mktemp("server")) as client:
        yield client


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize("model", MODELS)
def test_answers_are_what_the_package_recorded(
    server: Client, served: Path, tmp_path: Path, model: str, protocol: str
) -> None:
    recorded = samples(served / "states.nav", tmp_path)

    assert [sample.inputs["tokens"].shape[:2] for sample in recorded] == [(4, 5), (2, 7), (1, 5), (1, 7)]
    for sample in recorded:
        answer = server.infer(model, sample.inputs, protocol)
        assert_answered(served / "states.nav", *MODELS[model][:2], sample, answer)


@pytest.mark.parametrize("model", MODELS)
def test_versions_are_served_beside_each_other(server: Client, model: str) -> None:
    answers = [server.infer(model, ONE_ROW, version=version) for version in ("1", "2")]

    assert server.ask("metadata", model=model, version="")["versions"] == ["1", "2"]
    np.testing.assert_array_equal(answers[0]["states"], answers[1]["states"])


@pytest.mark.parametrize("model", MODELS)
def test_requests_that_wait_are_joined(server: Client, model: str) -> None:
    requests = [{"tokens": np.full((1, 5, 4), number, np.float32)} for number in range(16)]
    before = server.statistics(model, LATEST)

    answers = server.infer_many(model, requests)

    after = server.statistics(model, LATEST)
    assert after["inference_count"] - before.get("inference_count", 0) == 16
    assert after["execution_count"] - before.get("execution_count", 0) < 16
    for request, answer in zip(requests, answers, strict=True):
        np.testing.assert_allclose(answer["score"], server.infer(model, request)["score"], rtol=1e-5)


@pytest.mark.parametrize("protocol", ["http", "grpc"])
@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"tokens": np.ones((1, 5, 3), np.float32)}, "unexpected shape for input 'tokens'"),
        ({"tokens": np.ones((9, 5, 4), np.float32)}, "batch-size must be <= 4"),
        ({"tokens": np.ones((1, 5, 4), np.float64)}, "data-type"),
        ({"token": np.ones((1, 5, 4), np.float32)}, "unexpected inference input 'token'"),
    ],
    ids=["shape", "batch", "type", "name"],
)
def test_a_bad_request_gets_an_error_and_the_server_lives_on(
    server: Client, arrays: dict[str, np.ndarray], said: str, protocol: str
) -> None:
    with pytest.raises(ServerError, match=said):
        server.infer("states-onnx", arrays, protocol)

    assert server.infer("states-onnx", ONE_ROW, protocol)["states"].shape == (1, 5, 3)


@pytest.mark.parametrize("model", MODELS)
def test_a_configuration_that_is_not_the_files_own_is_not_loaded(server: Client, model: str) -> None:
    with pytest.raises(ServerError, match="has no available versions"):
        server.infer(f"wrong-{model}", {"token": ONE_ROW["tokens"]})
