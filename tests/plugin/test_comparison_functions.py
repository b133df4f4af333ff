"""A comparison of the user's own: what a failure of it, or in it, says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackbox import Fake
    from blackbox import Nav

FUNCTIONS = """
def near(expected, actual):
    if len(expected) != 1 and abs(expected - actual).max() > 1e-3:
        return "the boxes moved"

def broken(expected, actual):
    return {}["missing"]

def rejects(expected, actual):
    raise AssertionError("it was asked")
"""


@pytest.fixture
def compared(dense: Fake, nav: Nav, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pytest.RunResult]:
    """Run a format under a comparison function; it gives twice what the model does, or another shape."""

    def run(function: str, code: str = "") -> pytest.RunResult:
        monkeypatch.setenv("COLUMNS", "500")
        project = dense("scale=2.0", comparisons=f"{{'fake': {{'output__0': {function}}}}}")
        conftest = project.path / "conftest.py"
        conftest.write_text(FUNCTIONS + conftest.read_text())
        module = project.path / "fake_format.py"
        module.write_text(module.read_text() + code)
        return nav("-k", "correctness and fake", formats="")

    return run


def test_a_failure_names_the_sample(compared: Callable[..., pytest.RunResult]) -> None:
    compared("near").stdout.fnmatch_lines(
        ["FAILED *test_correctness[[]fake-cpu[]] - output__0: the boxes moved (sample 0)"]
    )


def test_an_exception_names_function_output_and_sample(compared: Callable[..., pytest.RunResult]) -> None:
    result = compared("broken")
    result.stdout.fnmatch_lines(
        [
            "FAILED *test_correctness[[]fake-cpu[]] - output__0: function broken raised KeyError: 'missing' (sample 0)",
        ]
    )
    assert 'return {}["missing"]' in result.stdout.str()


def test_a_function_is_not_asked_about_an_output_of_another_shape(compared: Callable[..., pytest.RunResult]) -> None:
    shorter = "\nFakeCPU.infer = lambda self, feed: {'output__0': self.infer_quietly(feed)[:, :3]}\n"
    result = compared("rejects", shorter)
    result.stdout.fnmatch_lines(
        ["FAILED *test_correctness[[]fake-cpu[]] - output__0: shape (3,3) where the source has (3,7) (sample 0)"]
    )
    assert "it was asked" not in result.stdout.str()
