"""`--nav-resume` with models that are named: what is unchanged is reused, a changed file runs anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from blackbox import status
from model_files import linear

if TYPE_CHECKING:
    from blackbox import Nav


def started(pytester: pytest.Pytester, nav: Nav, model: str, *arguments: str) -> dict[str, str]:
    """Run the checks of a model that pass; return when each step was started."""
    result = nav(f"--nav-model={model}", "--nav-package=again.nav", "--nav-in-process", *arguments, formats="")
    result.assert_outcomes(passed=2)
    steps: dict[str, Any] = status(pytester.path / "again.nav")["pytest_navigator"]["steps"]
    return {name: step["started"] for name, step in steps.items()}


def run_again(before: dict[str, str], after: dict[str, str]) -> set[str]:
    assert before.keys() == after.keys()
    return {name for name in before if before[name] != after[name]}


def test_an_unchanged_file_is_described_again_and_not_compared_again(pytester: pytest.Pytester, nav: Nav) -> None:
    linear(pytester.path / "linear.onnx")
    before = started(pytester, nav, "linear.onnx")
    assert run_again(before, started(pytester, nav, "linear.onnx", "--nav-resume")) == {"source"}
    assert run_again(before, started(pytester, nav, "linear.onnx")) == set(before)


def test_a_changed_file_runs_anew(pytester: pytest.Pytester, nav: Nav) -> None:
    linear(pytester.path / "linear.onnx")
    before = started(pytester, nav, "linear.onnx")
    linear(pytester.path / "linear.onnx", opset=17)
    assert run_again(before, started(pytester, nav, "linear.onnx", "--nav-resume")) == set(before)


def test_other_random_data_runs_anew(pytester: pytest.Pytester, nav: Nav) -> None:
    linear(pytester.path / "linear.onnx")
    before = started(pytester, nav, "linear.onnx")
    (pytester.path / "nav.yaml").write_text("value_ranges: {x: [2, 3]}\n")
    after = started(pytester, nav, "linear.onnx", "--nav-resume", "--nav-config=nav.yaml")
    assert run_again(before, after) == set(before)


def test_a_package_is_reused_until_it_is_another_one(pytester: pytest.Pytester, nav: Nav) -> None:
    pytest.importorskip("torch")
    conftest = """
        import pytest, torch

        @pytest.fixture(scope="session")
        def nav_model() -> torch.nn.Module:
            return torch.nn.Linear(5, {width}).eval()

        @pytest.fixture(scope="session")
        def nav_dataloader():
            return [torch.ones(n, 5) for n in (1, 3)]
        """
    first = "--nav-package=linear.nav", "--nav-in-process", "--nav-workspace=first", "conftest.py"
    pytester.makeconftest(conftest.format(width=7))
    assert nav(*first).ret == 0
    before = started(pytester, nav, "linear.nav")
    assert run_again(before, started(pytester, nav, "linear.nav", "--nav-resume")) == {"source"}
    pytester.makeconftest(conftest.format(width=8))
    assert nav(*first).ret == 0
    assert run_again(before, started(pytester, nav, "linear.nav", "--nav-resume")) == set(before)
