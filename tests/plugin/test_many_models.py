"""Many models in one run: each costs what the first one did."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackbox import Nav

    Zoo: TypeAlias = Callable[..., None]

COUNTING = """
import sys
from pathlib import Path

import pytest


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection():
    calls = 0

    def count(frame, event, argument):
        nonlocal calls
        calls += event.endswith("call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        return (yield)
    finally:
        sys.setprofile(before)
        Path("calls.txt").write_text(str(calls))
"""
ZOO = """
import numpy as np
import pytest
from pytest_navigator import NavConfig

nav_config = {config}


@pytest.fixture(scope="session", params=range({count}))
def nav_model(request):
    def scaled(x: np.ndarray) -> np.ndarray:
        return x * request.param

    return scaled


@pytest.fixture(scope="session")
def nav_dataloader():
    return [np.ones((2, 3), np.float32)]
"""
PYTHON = "NavConfig(framework='python')"
OWN = "{{str(number): NavConfig(framework='python') for number in range({count})}}"


@pytest.fixture
def zoo(pytester: pytest.Pytester) -> Zoo:
    """Write a conftest.py with so many models."""

    def write(count: int, config: str = PYTHON, more: str = "") -> None:
        pytester.makeconftest(ZOO.format(config=config, count=count) + more)

    return write


@pytest.mark.parametrize("config", [PYTHON, OWN], ids=["one for all", "each its own"])
def test_collecting_a_model_among_many_takes_no_more_calls_than_among_few(
    pytester: pytest.Pytester, nav: Nav, zoo: Zoo, config: str
) -> None:
    costs = [_calls_of_collecting(pytester, nav, zoo, config, count) for count in (1, 11, 101)]

    few, many = (costs[1] - costs[0]) / 10, (costs[2] - costs[1]) / 90
    assert many < 1.1 * few


def _calls_of_collecting(pytester: pytest.Pytester, nav: Nav, zoo: Zoo, config: str, count: int) -> int:
    zoo(count, config.format(count=count), COUNTING)
    nav("--collect-only", "-q", formats="")
    return int((pytester.path / "calls.txt").read_text())
