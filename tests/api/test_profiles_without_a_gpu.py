"""TensorRT profiles that do not fit the model are refused where nothing can build an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

import pytest_navigator as nav
from pytest_navigator.core.steps import Status

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("profile", "told"),
    [
        ({"inputs": {0: (1, 2, 3)}}, "unknown input 'inputs'; did you mean 'input'?"),
        ({"input": {1: (4, 5, 6)}}, "axis 1 of 'input' is 5 in the model, not [4, 5, 6]"),
        ({"input": {0: (1, 2, 4)}}, "goes up to 4, but batches of 8 are to be measured"),
    ],
)
def test_a_profile_that_does_not_fit_fails_its_conversion_without_a_gpu(
    profile: dict[str, Any], told: str, tmp_path: Path
) -> None:
    package = nav.torch.optimize(
        torch.nn.Linear(5, 7).eval(),
        [torch.ones(3, 5)],
        target_formats=("trt-fp32",),
        runners=("OnnxCPU", "TensorRT"),
        custom_configs=[nav.TensorRTConfig(trt_profiles=profile)],
        optimization_profile=nav.OptimizationProfile(
            batch_sizes=[1, 8], window_size=2, min_trials=1, max_trials=1, stabilization_windows=1
        ),
        workspace=tmp_path / "workspace",
    )
    made = package.results.made("trt-fp32")

    assert made is not None
    assert made.status is Status.FAILED
    assert told in made.message
