"""The loader of an OptimizationProfile whose sample has sizes that no sample of the model's loader has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

import pytest_navigator as nav

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("shape", "said"),
    [
        (
            (2, 16),
            "OptimizationProfile.dataloader: axis 1 of x is 16, in nav_dataloader 4 to 6: not every format takes it",
        ),
        ((9, 5), ""),
    ],
    ids=["length", "rows"],
)
def test_a_sample_outside_of_the_sizes_of_the_loader_is_said(shape: tuple[int, int], said: str, tmp_path: Path) -> None:
    profile = nav.OptimizationProfile(
        dataloader=[np.ones(shape, np.float32)], window_size=2, min_trials=1, max_trials=1, stabilization_windows=1
    )
    samples = [np.ones((3, length), np.float32) for length in (4, 6)]

    package = nav.python.optimize(lambda x: x * 2, samples, optimization_profile=profile, workspace=tmp_path / "run")

    assert package.results.source is not None
    assert package.results.source.message == said
