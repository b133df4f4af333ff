"""A comparison of the user's own: what a failure of it, or in it, says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackbox import Fake, Nav

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


INFINITE = """
def masked(self, x):
    y = x @ self.weight.T + self.bias
    y[:, 2] = -np.inf
    return y

Dense.__call__ = masked
FakeCPU.infer = lambda self, feed: {"output__0": masked(self, feed["x"])}
"""
SAME = """
def same(expected, actual):
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-5)
"""


@pytest.mark.parametrize(
    ("comparison", "outcome"),
    [
        ("{'output__0': same}", {"passed": 5}),
        ("{'*': nav.unchecked('ruled out')}", {"passed": 5}),
        ("{'fake': {'output__0': same}}", {"failed": 1, "skipped": 4}),
        ("{}", {"failed": 1, "skipped": 4}),
    ],
    ids=["function", "unchecked", "one-format", "default"],
)
def test_infinity_in_the_sources_output_needs_a_comparison_of_its_own(
    dense: Fake, nav: Nav, comparison: str, outcome: dict[str, int]
) -> None:
    project = dense(comparisons=comparison)
    conftest, module = project.path / "conftest.py", project.path / "fake_format.py"
    conftest.write_text(f"import pytest_navigator as nav\nimport numpy as np\n{SAME}{conftest.read_text()}")
    module.write_text(module.read_text() + INFINITE)
    project.makepyfile(test_quality="def verify_it(nav_runner):\n    pass\n")
    result = nav("-rf", formats="")
    result.assert_outcomes(**outcome)
    if "failed" in outcome:
        text = (
            "output output__0 of the model is -inf on sample 0 at [0, 2]; where that is right, compare it by a function"
        )
        assert text in result.stdout.str()


def test_infinity_at_another_place_fails_under_any_comparison(
    dense: Fake, nav: Nav, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "500")
    project = dense(comparisons="{'output__0': lambda expected, actual: True}")
    module = project.path / "fake_format.py"
    wrong = INFINITE.replace(
        "FakeCPU.infer = lambda",
        "FakeCPU.infer = lambda self, feed: {'output__0': -masked(self, feed['x'])}\nunused = lambda",
    )
    module.write_text(module.read_text() + wrong)
    nav(formats="").stdout.fnmatch_lines(
        ["FAILED *test_correctness[[]fake-cpu[]] - output__0: inf where the source has -inf (sample 0, [[]0,2])"]
    )


def test_a_function_is_not_asked_about_an_output_of_another_shape(compared: Callable[..., pytest.RunResult]) -> None:
    shorter = "\nFakeCPU.infer = lambda self, feed: {'output__0': self.infer_quietly(feed)[:, :3]}\n"
    result = compared("rejects", shorter)
    result.stdout.fnmatch_lines(
        ["FAILED *test_correctness[[]fake-cpu[]] - output__0: shape (3,3) where the source has (3,7) (sample 0)"]
    )
    assert "it was asked" not in result.stdout.str()
