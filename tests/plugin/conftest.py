"""The scenario that most tests start from: the mission's own example, in pytester's folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

LINEAR = """
import pytest, torch

@pytest.fixture(scope="session")
def nav_model() -> torch.nn.Module:
    return torch.nn.Linear(5, 7).eval()

@pytest.fixture(scope="session")
def nav_dataloader():
    return [torch.randn(3, 5) for _ in range(4)]
"""


@pytest.fixture
def linear(pytester: pytest.Pytester) -> pytest.Pytester:
    """A folder with the mission's linear model in its conftest.py."""
    pytester.makeconftest(LINEAR)
    return pytester


@pytest.fixture
def nav(pytester: pytest.Pytester) -> Callable[..., pytest.RunResult]:
    """Run pytest in this process with the checks on: one cheap format, no profile, unless the arguments say more."""

    def run(*args: str, formats: str = "torchscript-trace", profile: bool = False) -> pytest.RunResult:
        chosen = [f"--nav-formats={formats}"] if formats else []
        chosen += [] if profile else ["--nav-no-profile"]
        return pytester.runpytest("-p", "no:randomly", "--nav", "--nav-runtimes=cpu", *chosen, *args)

    return run
