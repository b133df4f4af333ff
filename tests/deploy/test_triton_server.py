"""What is written into a model repository is loaded and answered by Triton's own server."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import pytest

import pytest_navigator as nav
from pytest_navigator.api.triton.model_repository import add_model_from_package
from tests.deploy.asking import Client, ServerError
from tests.deploy.recorded_samples import assert_answered, samples
from tests.deploy.triton_server import tritonserver

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

MODELS = {
    "states-onnx": ("onnx", "OnnxCPU"),
    "states-torchscript": ("torchscript-trace", "TorchScriptCPU"),
    "states-python": ("torch-exportedprogram", "TorchExportedProgramCPU"),
}
"""Model in the repository -> the format of its package, the runner; the last one is a Python model."""

ALL_VERSIONS_AND_A_DELAY = nav.triton.ONNXModelConfig(
    version_policy="all", batcher=nav.triton.DynamicBatcher(max_queue_delay_microseconds=50_000)
)
LATEST = "2"  # which answers where no version is asked for
ONE_ROW = {"tokens": np.ones((1, 5, 4), np.float32)}


@pytest.fixture(scope="module")
def repository(served: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every model in two versions, and those whose configuration somebody has changed, called wrong-..."""
    repository = tmp_path_factory.mktemp("repository")
    with nav.load(served / "states.nav") as package, warnings.catch_warnings(action="ignore"):
        for model, (key, runner) in MODELS.items():
            for version in (1, 2):
                strategy = nav.SelectedRuntimeStrategy(key, runner)
                add_model_from_package(
                    repository, model, package, version, strategy, warmup=True, config=ALL_VERSIONS_AND_A_DELAY
                )
        for model in ("states-onnx", "states-torchscript"):
            changed = add_model_from_package(repository, f"wrong-{model}", package, format=MODELS[model][0])
            text = (changed / "config.pbtxt").read_text()
            (changed / "config.pbtxt").write_text(text.replace('"tokens"', '"token"'))
    with nav.load(served / "points.nav") as package, warnings.catch_warnings(action="ignore"):
        add_model_from_package(repository, "points", package, warmup=True)
    with nav.load(served / "kinds.nav") as package:
        add_model_from_package(repository, "kinds", package)
    return repository


@pytest.fixture(scope="module")
def server(triton_python: Path, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("server")
    with tritonserver(triton_python, repository, folder, verbose=True) as client:
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
        assert_answered(served / "states.nav", *MODELS[model], sample, answer)


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


def test_a_model_without_a_batch_axis_is_answered_in_its_own_shapes(server: Client) -> None:
    points = np.arange(10, dtype=np.float32).reshape(5, 2)

    answer = server.infer("points", {"points": points, "scale": np.full(1, 3, np.float32)})

    assert answer["scaled"].tolist() == (points * 3).tolist()
    assert answer["largest"].tolist() == [9.0]


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_numbers_of_every_type_come_back(server: Client, served: Path, tmp_path: Path, protocol: str) -> None:
    sample = samples(served / "kinds.nav", tmp_path)[0]

    answer = server.infer("kinds", sample.inputs, protocol)

    assert len(answer) == 8
    for name, array in sample.outputs.items():
        assert answer[name].dtype == array.dtype
        np.testing.assert_array_equal(answer[name], array)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("sample", ["batch_1", "batch_4"])
def test_a_model_of_dynamic_axes_is_warmed_up(server: Client, model: str, sample: str) -> None:
    assert f"model '{model}' instance {model}_0_0 is running warmup sample '{sample}'" in server.log.read_text()


@pytest.mark.parametrize("model", ["states-onnx", "states-torchscript"])
def test_a_configuration_that_is_not_the_files_own_is_not_loaded(server: Client, model: str) -> None:
    with pytest.raises(ServerError, match="has no available versions"):
        server.infer(f"wrong-{model}", {"token": ONE_ROW["tokens"]})
