"""`nav.profile` of a pipeline whose modules have formats: each way that it can run, and the chosen mix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

import pytest_navigator as nav
from pytest_navigator.errors import ConfigError
from pytest_navigator.pipelines.swapped import Swapped
from tests.pipelines.test_optimize import Pipeline, batch, config, store

if TYPE_CHECKING:
    from pathlib import Path

    import torch

QUICK = {"window_size": 3, "seconds": 0.5}
__all__ = ["store"]


@pytest.mark.timeout(200)
def test_a_pipeline_is_measured_with_each_format_of_its_modules_and_with_the_chosen_mix(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline = Pipeline()
    nav.wrap(pipeline, ["encoder", "unet"])
    nav.optimize(pipeline, [batch(2), batch(3)], config())
    nav.load_optimized()
    capsys.readouterr()

    found = nav.profile(pipeline, [batch(2)], report=tmp_path / "profile.yaml", **QUICK)

    titles = ["eager", "onnx/OnnxCPU", "best"]
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == titles
    assert "best: encoder onnx/OnnxCPU, unet onnx/OnnxCPU" in lines
    assert [way.title for way in found.ways] == titles
    eager, onnx, best = found.ways
    assert eager.modules == {"encoder": "eager", "unet": "eager"}
    assert onnx.modules == best.modules == {"encoder": "onnx/OnnxCPU", "unet": "onnx/OnnxCPU"}
    # 4 ms of sleep in each call, of which there are four: a format has none.
    assert eager.samples[0].p50_latency > 16
    assert eager.shares["unet"] > eager.shares["encoder"] > 0.1
    assert onnx.shares["unet"] < eager.shares["unet"]
    report = yaml.safe_load((tmp_path / "profile.yaml").read_text())
    assert list(report["models"]) == ["eager", "onnx", "best"]
    assert report["models"]["onnx"]["runners"]["OnnxCPU"]["modules"] == onnx.modules
    assert pipeline.unet.forward.calls == 0  # what was loaded before is back in its place

    nothing, *more = nav.profile(lambda x: x, [batch(2)], report=None, **QUICK).ways
    assert (nothing.name, nothing.modules, more) == ("eager", {}, [])
    with pytest.raises(ConfigError, match="nothing is stored for the modules of this function"):
        nav.profile(lambda x: x, [batch(2)], target_formats="onnx", report=None)

    for asked in ({"runners": "TorchCPU"}, {"target_formats": ("torch",)}):
        ways = nav.profile(pipeline, [batch(2)], report=None, **asked, **QUICK).ways
        assert [way.title for way in ways] == ["eager", "best"]
    with pytest.raises(ConfigError, match=r"unknown format 'onxx'.*onnx"):
        nav.profile(pipeline, [batch(2)], target_formats="onxx", report=None)


@pytest.mark.timeout(200)
def test_a_format_that_fails_is_told_and_the_others_are_measured(store: Path) -> None:
    pipeline = Pipeline()
    nav.wrap(pipeline, ["encoder"])
    nav.optimize(pipeline, [batch(2), batch(3)], config())

    def failing(x: torch.Tensor) -> torch.Tensor:
        if isinstance(pipeline.encoder.forward, Swapped):
            raise RuntimeError("not with a format")
        return pipeline(x)

    eager, onnx, best = nav.profile(failing, [batch(2)], report=None, **QUICK).ways

    assert eager.samples
    assert (onnx.problem, onnx.samples) == ("RuntimeError: not with a format", {})
    assert best.problem == onnx.problem
