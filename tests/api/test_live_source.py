"""The live model of a package in the process that made it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

import pytest_navigator as nav
from pytest_navigator.errors import PackageError

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_navigator import Package

QUICK = nav.OptimizationProfile(window_size=2, min_trials=1, max_trials=1, stabilization_windows=1)


@pytest.fixture
def model() -> torch.nn.Linear:
    return torch.nn.Linear(5, 7).eval()


@pytest.fixture
def package(model: torch.nn.Linear, tmp_path: Path) -> Package:
    return nav.torch.optimize(
        model,
        [torch.ones(3, 5)],
        target_formats=("onnx",),
        runners=("OnnxCPU", "TorchCPU"),
        workspace=tmp_path / "workspace",
        optimization_profile=QUICK,
    )


def test_the_process_that_made_a_package_has_its_live_model(model: torch.nn.Linear, package: Package) -> None:
    batch = torch.ones(2, 5)

    assert package.has_source
    assert package.get_model("torch") is model
    with package.get_runner("torch") as runner:
        assert torch.equal(runner(batch), model(batch))
    assert "torch" in nav.package.profile(package, window_size=2).models


def test_a_model_that_has_learned_since_is_another_one(model: torch.nn.Linear, package: Package) -> None:
    with torch.no_grad():
        model.bias.add_(1)

    with pytest.raises(PackageError, match="another model than the package was made from"):
        package.get_runner("torch")


def test_a_package_that_is_read_has_no_live_model(package: Package, tmp_path: Path) -> None:
    package.save(tmp_path / "linear.nav")

    with nav.load(tmp_path / "linear.nav") as read, pytest.raises(PackageError, match="no package holds"):
        read.get_model("torch")
