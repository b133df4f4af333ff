"""What `verify_func` may return, and what it may be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pytest_navigator.api.given import is_true
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
