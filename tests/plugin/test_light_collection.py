"""Collecting tests costs next to nothing: what a step needs is imported by the step."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.real_processes

CONFTEST = """
import sys
import pytest

@pytest.fixture(scope="session")
def nav_model() -> "torch.nn.Module":
    import torch

    return torch.nn.Linear(5, 7).eval()

@pytest.fixture(scope="session")
def nav_dataloader():
    return []

def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line("imported: " + " ".join(name for name in sys.modules if "." not in name))
    ours = [name for name in sys.modules if name.startswith("pytest_navigator.")]
    terminalreporter.write_line("ours: " + " ".join(ours))
"""
HEAVY = {"torch", "onnx", "onnxruntime", "tensorflow", "jax", "numpy", "ml_dtypes", "yaml", "psutil", "cattrs"}


@pytest.fixture
def imported(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """What a run imports that only collects: packages and our modules, active and inactive."""
    # Other plugins of this environment import what they like.
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile("def test_user(): pass")
    return {
        f"{state}, {what}": set(names)
        for state, arguments in (("active", ["--nav"]), ("inactive", []))
        for what, names in _collected(pytester, arguments).items()
    }


def _collected(pytester: pytest.Pytester, arguments: Sequence[str]) -> dict[str, list[str]]:
    result = pytester.runpytest_subprocess("-p", "pytest_navigator.plugin", "--collect-only", *arguments)
    assert result.ret == 0
    lines = (line.partition(": ") for line in result.outlines)
    return {head: tail.split() for head, _, tail in lines if head in ("imported", "ours")}


def test_collection_imports_no_framework_and_nothing_else_that_is_heavy(imported: dict[str, set[str]]) -> None:
    assert HEAVY & imported["active, imported"] == set()
    assert "pytest_navigator.plugin.session" in imported["active, ours"]


def test_only_what_collection_needs_is_imported_of_ours_and_of_one_framework(imported: dict[str, set[str]]) -> None:
    active = imported["active, ours"]
    assert len(active) <= 80
    backends = {name.split(".")[2] for name in active if name.startswith("pytest_navigator.backends.")}
    assert backends == {"builtin", "exchange", "tensorrt", "torch"}


def test_without_an_option_of_ours_only_the_options_are_imported(imported: dict[str, set[str]]) -> None:
    assert imported["inactive, ours"] == {
        *(f"pytest_navigator.{name}" for name in ("plugin", "errors", "_version", "configuration")),
        *(f"pytest_navigator.plugin.{name}" for name in ("options", "hookspec", "_bytecode")),
        *(f"pytest_navigator.configuration.{name}" for name in ("options", "rules")),
        *("pytest_navigator.core", "pytest_navigator.core.kinds"),  # what `--nav-device` takes
    }
