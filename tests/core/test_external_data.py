"""Which files the weights of an ONNX file are in, as it is read without ONNX."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pytest_navigator.core.digests import digest_of, files_of, size_of
from pytest_navigator.core.external_data import external_data

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def written(path: Path, locations: Sequence[str], **metadata: str) -> Path:
    """Write a model with a weight in each of some files, the first one in an attribute."""
    weights = [numpy_helper.from_array(np.ones(1000, "f4"), f"w{index}") for index in range(len(locations))]
    for weight, location in zip(weights, locations, strict=True):
        data = path.parent / location
        data.parent.mkdir(parents=True, exist_ok=True)
        data.write_bytes(weight.raw_data)
        onnx.external_data_helper.set_external_data(weight, location, 0, len(weight.raw_data))
        weight.ClearField("raw_data")
    nodes = [helper.make_node("Constant", [], ["c"], value=weight) for weight in weights[:1]]
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1000])
    nodes.append(helper.make_node("Sum", ["c", *(weight.name for weight in weights[1:])], ["y"]))
    model = helper.make_model(helper.make_graph(nodes, "g", [], [y], weights[1:]))
    helper.set_model_props(model, metadata)
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize(
    "locations",
    [
        ["model.onnx.data"],
        ["weights.bin", "other.bin"],
        ["inner/weights.bin", "same.bin", "same.bin"],
        ["n" * 200, "größer.bin"],
    ],
)
def test_the_files_of_a_model_are_those_that_its_weights_are_in(tmp_path: Path, locations: list[str]) -> None:
    path = written(tmp_path / "model.onnx", locations)
    parts = sorted({tmp_path / each for each in locations})
    assert external_data(path) == parts
    assert files_of(path) == [path, *parts]
    assert size_of(path) == path.stat().st_size + 4000 * len(parts)


def test_the_digest_of_a_model_follows_its_weights_wherever_they_are(tmp_path: Path) -> None:
    path = written(tmp_path / "model.onnx", ["inner/weights.bin"])
    before = digest_of(path)
    (tmp_path / "inner/weights.bin").write_bytes(b"others")
    assert digest_of(path) != before


def test_what_is_not_there_or_outside_of_the_folder_is_no_part(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    path = written(tmp_path / "inner/model.onnx", ["../outside.bin", "gone.bin"], location="Berlin")
    (tmp_path / "inner/gone.bin").unlink()
    assert external_data(path) == []
    assert files_of(path) == [path]


def test_an_empty_file_has_no_parts(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").touch()
    assert files_of(tmp_path / "model.onnx") == [tmp_path / "model.onnx"]
