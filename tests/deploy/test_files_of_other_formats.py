"""A format whose files are another one's is deployed as that one; batches that it does not take are never made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

import pytest_navigator as nav
from pytest_navigator.api.opening import Place, threads_of
from pytest_navigator.deploy.recorded import RecordedRunner
from pytest_navigator.errors import ConfigError
from tests.deploy.copied_formats import CopiedConfig

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copied")
    made = nav.torch.optimize(
        torch.nn.Linear(4, 3).eval(),
        [torch.ones(4, 4), torch.zeros(2, 4)],
        target_formats=("copied",),
        custom_configs=[CopiedConfig()],
        optimization_profile=nav.OptimizationProfile(batch_sizes=(1, 4), max_trials=3),
        workspace=folder / "workspace",
        target_device="cpu",
    )
    made.save(folder / "copied.nav")
    return folder / "copied.nav"


def deployed(path: Path, key: str, folder: Path, **keywords: object) -> str:
    with nav.load(path) as package:
        model = nav.triton.model_repository.add_model_from_package(folder, "m", package, format=key, **keywords)
    return (model / "config.pbtxt").read_text("utf-8")


def test_tritons_backend_is_that_of_the_file(package: Path, tmp_path: Path) -> None:
    text = deployed(package, "copied", tmp_path)
    assert 'backend: "onnxruntime"' in text
    assert "intra_op_thread_count" in text
    assert "max_batch_size: 4" in text
    assert (tmp_path / "m" / "1" / "model.onnx").is_file()


def test_a_runner_takes_the_options_of_the_runtime_and_its_file_is_loaded_as_what_it_is(package: Path) -> None:
    with nav.load(package) as opened, opened.get_runner("copied", threads=1) as runner:
        assert runner.infer({"input__0": torch.ones(2, 4).numpy()})["output__0"].shape == (2, 3)
        assert type(opened.get_model("copied")).__name__ == "ModelProto"
        assert threads_of(None, Place.of(opened, runner, "").kind, 2) == 2
    assert threads_of(None, "torchscript", 2) is None


@pytest.mark.parametrize(("key", "largest"), [("copied", 4), ("copied-most", 3), ("copied-some", 1)])
def test_requests_are_joined_up_to_what_the_artifact_takes(package: Path, key: str, largest: int) -> None:
    with nav.load(package) as opened:
        assert RecordedRunner(opened.results, key, "CopiedCPU").largest_batch == largest
        adapter = nav.pytriton.PyTritonAdapter(opened, format=key)
        assert (adapter.batching, adapter.config.max_batch_size) == ((True, largest) if largest > 1 else (False, 0))


def test_triton_joins_nothing_for_a_format_of_some_sizes_alone(package: Path, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="copied-some takes batches of 1 or 4 alone"):
        text = deployed(package, "copied-some", tmp_path / "some")
    assert "max_batch_size: 0" in text or "max_batch_size" not in text
    assert "max_batch_size: 3" in deployed(package, "copied-most", tmp_path / "most")


@pytest.mark.parametrize(
    ("key", "problem"),
    [
        ("copied-some", "max_batch_size=8: copied-some takes batches of 1 or 4 alone"),
        ("copied-most", "max_batch_size=8: copied-most takes batches of up to 3 rows"),
    ],
)
def test_batches_that_it_does_not_take_are_refused(package: Path, tmp_path: Path, key: str, problem: str) -> None:
    from pytest_navigator.cli import main

    with pytest.raises(ConfigError, match=problem):
        deployed(package, key, tmp_path, config=nav.triton.ONNXModelConfig(max_batch_size=8))
    assert main(["serve", str(package), f"--format={key}", "--max-batch-size=8"]) == 2
