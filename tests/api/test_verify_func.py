"""What `verify_func` may return, and what it may be."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import pytest_navigator as nav
from pytest_navigator.api.given import is_true
from pytest_navigator.errors import ConfigError
from tests.api.scripts import output

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (True, True),
        (np.bool_(True), True),
        ((np.zeros(3) < 1e-3).all(), True),
        (np.array(True), True),
        (np.bool_(False), False),
        (np.array([True, True]), False),
        (np.float32(1), False),
        (1, False),
        ("yes", False),
        (None, False),
    ],
)
def test_true_is_true_whatever_array_library_says_it(answer: object, expected: bool) -> None:
    assert is_true(answer) is expected


@pytest.mark.parametrize(("library", "make"), [("torch", "tensor"), ("jax.numpy", "array"), ("tensorflow", "constant")])
def test_a_boolean_tensor_without_axes_is_one(library: str, make: str) -> None:
    made = getattr(pytest.importorskip(library), make)

    assert is_true(made(True))
    assert [is_true(made(value)) for value in (False, [True], 1.0)] == [False, False, False]


def test_a_format_is_verified_by_a_boolean_of_numpy(tmp_path: Path) -> None:
    script = """
import numpy as np
import pytest_navigator as nav

def near(found, expected):
    return np.all([np.abs(f["output__0"] - e["output__0"]).max() < 1e-3 for f, e in zip(found, expected)])

profile = nav.OptimizationProfile(batch_sizes=[2], window_size=5)
package = nav.python.optimize(abs, [np.ones((2, 3), np.float32)], verify_func=near, optimization_profile=profile)
print(package.is_verified("python", "cpu"))
"""
    assert output(script, tmp_path)[-1] == "True"


@pytest.mark.parametrize(
    "wrong",
    [5, "near", lambda found: True, lambda found, expected, atol: True],
    ids=["number", "text", "one", "three"],
)
def test_what_cannot_be_called_with_both_outputs_is_refused_before_anything_runs(
    wrong: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigError, match=r"^verify_func=.*: a function of two arguments is needed"):
        nav.python.optimize(abs, [np.ones((2, 3), np.float32)], verify_func=wrong)
    assert not list(tmp_path.iterdir())


def test_one_that_ends_the_process_has_failed_and_the_caller_lives(tmp_path: Path) -> None:
    package = nav.python.optimize(
        abs,
        [np.ones((2, 3), np.float32)],
        verify_func=lambda found, expected: sys.exit(3),
        workspace=tmp_path / "work",
        optimization_profile=nav.OptimizationProfile(batch_sizes=[1], window_size=5),
    )

    assert package.get_formats_status() == {"python": True}
    assert not package.is_verified("python", "cpu")
