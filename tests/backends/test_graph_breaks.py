"""Graph breaks of `torch.compile`: recorded with the lines of the user's code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest_navigator as nav
from pytest_navigator.comparison.facts import CorrectnessFacts
from pytest_navigator.core.facts import facts_of

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

MODEL = """
import pytest, torch

class Broken(torch.nn.Module):
    def __init__(self, breaks):
        super().__init__()
        self.linear, self.breaks = torch.nn.Linear(4, 4), breaks

    def forward(self, x):
        x = self.linear(x)
        if self.breaks:
            torch._dynamo.graph_break()
            x = self.cut(x)
        return x + 1

    def cut(self, x):
        x = x.relu()
        torch._dynamo.graph_break()
        return x.sin()

@pytest.fixture(scope="module", params=[1, 2, 0], ids=["first", "second", "whole"])
def nav_model(request):
    return Broken(request.param).eval()

@pytest.fixture(scope="module")
def nav_dataloader():
    return [torch.rand(2, 4), torch.rand(3, 4)]
"""


def places(path: Path) -> list[str]:
    with nav.load(path) as package:
        found = facts_of(package.results.correctness("torch", "TorchCompileCPU"), CorrectnessFacts).graph_breaks
    assert found is not None
    return [each.place for each in found.named]


def test_each_place_is_recorded_for_every_model_of_a_class_and_none_for_a_whole_one(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_m=MODEL)

    # One worker has all three: what the first one compiled is there when the second one is.
    ran = pytester.runpytest_subprocess(
        *("--nav-package={model}.nav", "--nav-formats=torch", "--nav-runtimes=compile-cpu", "--nav-no-profile"),
        *("-p", "no:randomly"),
    )

    assert ran.ret == 0
    cut = ["test_m.py:11", "test_m.py:17"]
    ran.stdout.fnmatch_lines([f"note: correctness.torch.TorchCompileCPU: 2 graph breaks: {cut[0]} (*), {cut[1]} (*)"])
    assert places(pytester.path / "m-first.nav") == places(pytester.path / "m-second.nav") == cut
    assert places(pytester.path / "m-whole.nav") == []
