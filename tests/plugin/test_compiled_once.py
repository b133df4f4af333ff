"""A model is compiled once for all steps of its cell, and by a cache once for all runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_navigator.core.plain import load
from pytest_navigator.core.records import Outcome

if TYPE_CHECKING:
    from pathlib import Path

    from blackbox import Nav

COMPILING = """
import pytest, torch
from pytest_navigator import NavConfig, TorchConfig

nav_config = NavConfig(formats=[TorchConfig({custom})], runtimes=("TorchCompileCPU",))

class Model(torch.nn.Module):
    def __init__(self, width=7):
        super().__init__()
        self.linear = torch.nn.Linear(5, width)

    def forward(self, x):
        return torch.relu(self.linear(x))

@pytest.fixture(scope="{scope}"{params})
def nav_model(request):
    return Model(getattr(request, "param", 7)).eval()

@pytest.fixture(scope="session")
def nav_dataloader():
    return [torch.randn(size, 5) for size in (3, 4, 6)]
"""
QUICK = "custom_args={'backend': 'aot_eager'}"
GRAPHS = 2  # One for a single row, one for all other sizes


def written(pytester: pytest.Pytester, custom: str = QUICK, scope: str = "session", params: str = "") -> None:
    pytester.makeconftest(COMPILING.format(custom=custom, scope=scope, params=params))


def run(nav: Nav, *args: str) -> pytest.RunResult:
    return nav(*args, "--nav-profile-seconds=0.2", "--nav-runtimes=TorchCompileCPU", formats="torch", profile=True)


def graphs(folder: Path, step: str) -> list[tuple[int, int]]:
    """Return how many graphs steps have compiled, and how many of these were known, in the order of their names."""
    records = [load(path, Outcome) for path in sorted(folder.glob(f"navigator_workspace/*/.steps/{step}*.json"))]
    return [(found["graphs"], found["cached"]) for record in records if (found := record.data["compilation"])]


def test_what_is_checked_is_not_compiled_again_to_be_timed(pytester: pytest.Pytester, nav: Nav) -> None:
    written(pytester)

    result = run(nav)

    result.assert_outcomes(passed=4)
    assert graphs(pytester.path, "correctness") == [(GRAPHS, 0)]
    assert graphs(pytester.path, "profile") == [(0, 0), (0, 0)]
    result.stdout.fnmatch_lines([f"compiled: torch-compile-cpu: {GRAPHS} graphs in *s"])


def test_a_model_that_its_fixture_builds_again_is_compiled_again(pytester: pytest.Pytester, nav: Nav) -> None:
    written(pytester, scope="function")

    result = run(nav)

    result.assert_outcomes(passed=4)
    assert all(count for count, _ in graphs(pytester.path, "profile"))


def test_models_of_one_class_are_compiled_each(pytester: pytest.Pytester, nav: Nav) -> None:
    written(pytester, params=", params=[7, 8, 9]")

    result = run(nav)

    result.assert_outcomes(passed=12)
    assert graphs(pytester.path, "correctness") == [(GRAPHS, 0)] * 3


@pytest.mark.slow
def test_what_an_earlier_run_has_compiled_comes_from_the_cache_unless_it_is_damaged(
    pytester: pytest.Pytester, nav: Nav, tmp_path: Path
) -> None:
    written(pytester, custom="")
    run(nav, f"--nav-cache={tmp_path}").assert_outcomes(passed=4)
    assert graphs(pytester.path, "correctness") == [(GRAPHS, 0)]

    result = run(nav, f"--nav-cache={tmp_path}")

    result.assert_outcomes(passed=4)
    assert graphs(pytester.path, "correctness") == [(GRAPHS, GRAPHS)]
    result.stdout.fnmatch_lines([f"compiled: torch-compile-cpu: {GRAPHS} graphs in *s, {GRAPHS} of them from a cache"])

    for path in tmp_path.glob("compiled-*/**/*.so"):
        path.write_bytes(b"damaged")
    result = run(nav, f"--nav-cache={tmp_path}")

    result.assert_outcomes(passed=4)
    assert graphs(pytester.path, "correctness") == [(GRAPHS, 0)]
    result.stdout.fnmatch_lines(["WARNING: *compiled-* is damaged: it was not used"])
