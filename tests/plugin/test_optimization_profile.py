"""`NavConfig(optimization_profile=...)`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.package import open_package

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

CONFIGURED = """
from pytest_navigator.config import NavConfig
from pytest_navigator.profiling import OptimizationProfile

nav_config = NavConfig(optimization_profile=OptimizationProfile(window_size=5, min_trials=3, max_trials=3))
"""


def test_its_windows_are_measured_and_stand_in_the_package(
    linear: pytest.Pytester, nav: Callable[..., pytest.RunResult]
) -> None:
    conftest = linear.path / "conftest.py"
    conftest.write_text(conftest.read_text() + CONFIGURED)
    nav("--nav-package=out.nav", "--nav-batch-sizes=3", formats="torch", profile=True).assert_outcomes(passed=3)
    with open_package(linear.path / "out.nav") as package:
        recorded = package.status["config"]["optimization_profile"]
        (runner,) = package.status["models_status"]["torch"]["runners_status"].values()
    assert (recorded["window_size"], recorded["batch_sizes"]) == (5, [3])
    assert runner["result"]["Performance"]["profiling_results"][0]["request_count"] == 15
