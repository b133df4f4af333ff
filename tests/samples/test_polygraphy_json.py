"""What a failed comparison leaves is what Polygraphy itself reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pytest_navigator.samples.npz import dtype_of
from pytest_navigator.samples.polygraphy_json import save_inputs, save_outputs

if TYPE_CHECKING:
    from pathlib import Path

ARRAYS = {
    "float32": np.linspace(-1, 1, 6, dtype=np.float32).reshape(2, 3),
    "int64": np.array(2**62),
    "bool": np.array([True, False]),
    "text": np.array(["a", "long one"]),
    "empty": np.zeros((0, 3), np.float16),
}


def test_polygraphy_reads_the_inputs(tmp_path: Path) -> None:
    serde = pytest.importorskip("polygraphy.json")

    save_inputs(tmp_path / "a.json", [ARRAYS, {"x": np.arange(3)}])

    first, second = serde.load_json(str(tmp_path / "a.json"))
    assert list(first) == list(ARRAYS)
    for name, array in ARRAYS.items():
        assert first[name].dtype == array.dtype
        np.testing.assert_array_equal(first[name], array)
    np.testing.assert_array_equal(second["x"], np.arange(3))


def test_polygraphy_reads_the_outputs_by_runner(tmp_path: Path) -> None:
    comparator = pytest.importorskip("polygraphy.comparator")
    expected = [{"y": np.full((2, 2), i, np.float32)} for i in range(2)]

    save_outputs(tmp_path / "a.json", {"source": expected, "OnnxCPU": [ARRAYS, ARRAYS]})

    results = comparator.RunResults.load(str(tmp_path / "a.json"))
    assert list(results.keys()) == ["source", "OnnxCPU"]
    np.testing.assert_array_equal(results["source"][1]["y"], expected[1]["y"])
    assert results["source"][1].runner_name == "source"
    for name, array in results["OnnxCPU"][0].items():
        np.testing.assert_array_equal(array, ARRAYS[name])


def test_the_form_is_the_one_that_polygraphy_writes(tmp_path: Path) -> None:
    comparator = pytest.importorskip("polygraphy.comparator")
    serde = pytest.importorskip("polygraphy.json")
    outputs = [{"y": np.arange(3.0)}, {"y": np.arange(4.0)}]
    theirs = comparator.RunResults()
    theirs.add(outputs, runner_name="OnnxCPU")

    save_outputs(tmp_path / "a.json", {"OnnxCPU": outputs})
    theirs.save(str(tmp_path / "b.json"))

    assert comparator.RunResults.load(str(tmp_path / "a.json")) == theirs
    assert (tmp_path / "a.json").read_text() == "".join((tmp_path / "b.json").read_text().split())
    save_inputs(tmp_path / "c.json", outputs)
    serde.save_json(outputs, str(tmp_path / "d.json"))
    assert (tmp_path / "c.json").read_text() == "".join((tmp_path / "d.json").read_text().split())


def test_numbers_that_numpy_does_not_know_are_widened(tmp_path: Path) -> None:
    serde = pytest.importorskip("polygraphy.json")

    save_inputs(tmp_path / "a.json", [{"x": np.array([1.5, -2], dtype_of("bfloat16"))}])

    (found,) = serde.load_json(str(tmp_path / "a.json"))
    assert found["x"].dtype == np.float32
    assert found["x"].tolist() == [1.5, -2]
