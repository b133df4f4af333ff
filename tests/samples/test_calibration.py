from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from pytest_navigator.errors import StepFailed
from pytest_navigator.formats.base import LoaderData
from pytest_navigator.samples.calibration import calibration_batches


class Counted:
    """Batches that are made when they are asked for."""

    def __init__(self, arrays):
        self.arrays, self.alive, self.most = arrays, 0, 0

    def __iter__(self):
        for array in self.arrays:
            self.alive += 1
            self.most = max(self.most, self.alive)
            yield {"x": array}
            self.alive -= 1


def batches_of(arrays, **quantization):
    return calibration_batches(LoaderData({}, Counted(arrays)), quantization)


def test_samples_are_read_one_at_a_time_and_in_every_walk_again():
    counted = Counted([np.full((2, 3), value, np.float32) for value in range(4)])
    found = calibration_batches(LoaderData({}, counted), {"samples": None})
    assert len(found) == 4
    for _ in range(2):
        assert [batch["x"][0, 0] for batch in found] == [0, 1, 2, 3]
    assert counted.most == 1


def test_no_more_samples_than_are_asked_for_are_read():
    found = batches_of([np.zeros(3, np.float32), np.ones(3, np.float32), np.full(3, np.nan, np.float32)], samples=2)
    assert len(found) == len(list(found)) == 2


def test_calibration_without_samples_says_what_is_missing():
    with pytest.raises(StepFailed, match="no sample to calibrate on: let nav_dataloader give at least one"):
        batches_of([], samples=None)


@pytest.mark.parametrize(
    ("dtype", "value"), [("float32", np.nan), ("float16", np.inf), (ml_dtypes.bfloat16, -np.inf), ("float64", np.nan)]
)
def test_a_sample_that_is_not_finite_is_named_with_the_place(dtype, value):
    wrong = np.zeros((2, 3), dtype)
    wrong[1, 2] = value
    with pytest.raises(StepFailed) as error:
        batches_of([np.ones((2, 3), dtype), wrong])
    assert error.value.message.startswith(f"sample 1 has 1 values of 6 that are not finite, x[1, 2] = {value}")
    assert "leave the sample out of nav_dataloader" in error.value.message


@pytest.mark.parametrize("array", [np.zeros(3, np.int64), np.array([True]), np.array(["a"]), np.float32(1)[None][0:1]])
def test_what_has_no_infinity_is_a_sample(array):
    assert len(batches_of([array])) == 1


def test_a_number_without_axes_is_looked_at():
    with pytest.raises(StepFailed, match=r"sample 0 .*, x = nan"):
        batches_of([np.array(np.nan, np.float32)])
