"""`output_path`: the model is there afterwards, and what somebody else put there is as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pytest_navigator.errors import ConfigError, PackageError
from pytest_navigator.reporting import output_path as delivery

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    return file(tmp_path / "navigator_workspace" / "onnx" / "model.onnx", "first")


def file(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


def folder(path: Path, content: str) -> Path:
    file(path / "saved_model.pb", content)
    file(path / "variables" / "variables.index", content)
    return path


def check(target: Path) -> None:
    delivery.check(target, target.parents[1] / "navigator_workspace")


def test_the_next_run_replaces_what_an_earlier_one_wrote(artifact: Path, tmp_path: Path) -> None:
    target = tmp_path / "models" / "out.onnx"
    check(target)
    delivery.deliver(artifact, target)
    assert target.read_text() == "first"

    artifact.write_text("second", encoding="utf-8")
    check(target)
    delivery.deliver(artifact, target)

    assert target.read_text() == "second"
    assert sorted(path.name for path in target.parent.iterdir()) == [".out.onnx.pytest_navigator.json", "out.onnx"]


@pytest.mark.parametrize("earlier", ["nothing", "changed", "folder", "link"])
def test_what_no_run_wrote_stays(artifact: Path, tmp_path: Path, earlier: str) -> None:
    target = tmp_path / "models" / "out.onnx"
    if earlier == "changed":
        delivery.deliver(artifact, target)
    if earlier == "folder":
        folder(target, "mine")
    elif earlier == "link":
        target.parent.mkdir()
        target.symlink_to(file(tmp_path / "mine", "mine"))
    else:
        file(target, "mine")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    with pytest.raises(ConfigError, match=r"output_path: .*out\.onnx exists, and is not what an earlier run wrote"):
        check(target)
    with pytest.raises(PackageError, match=r"out\.onnx is not what an earlier run wrote, and stays as it is"):
        delivery.deliver(artifact, target)

    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_a_saved_model_is_a_folder(tmp_path: Path) -> None:
    target = tmp_path / "models" / "out.savedmodel"
    made = folder(tmp_path / "navigator_workspace" / "model.savedmodel", "first")
    delivery.deliver(made, target)
    file(made / "variables" / "variables.index", "second")
    (made / "saved_model.pb").unlink()

    check(target)
    delivery.deliver(made, target)

    found = {path.relative_to(target).as_posix(): path.read_text() for path in target.rglob("*") if path.is_file()}
    assert found == {"variables/variables.index": "second"}


def test_a_folder_that_somebody_added_to_stays(tmp_path: Path) -> None:
    target = tmp_path / "models" / "out.savedmodel"
    made = folder(tmp_path / "navigator_workspace" / "model.savedmodel", "first")
    delivery.deliver(made, target)
    mine = file(target / "mine.txt", "mine")

    with pytest.raises(PackageError):
        delivery.deliver(made, target)

    assert mine.read_text() == "mine"


def test_a_file_and_a_folder_take_turns(artifact: Path, tmp_path: Path) -> None:
    target = tmp_path / "models" / "out"
    made = folder(tmp_path / "navigator_workspace" / "model.savedmodel", "first")

    for source, is_folder in ((artifact, False), (made, True), (artifact, False)):
        delivery.deliver(source, target)
        assert target.is_dir() is is_folder


def test_weights_beside_the_model_come_with_it(tmp_path: Path) -> None:
    made, target = tmp_path / "onnx" / "model.onnx", tmp_path / "models" / "out.onnx"
    weight = np.arange(64, dtype=np.float32).reshape(8, 8)
    large_model(weight, made)

    delivery.deliver(made, target)

    assert sorted(path.name for path in target.parent.iterdir() if path.suffix != ".json") == [
        "out.onnx",
        "out.onnx.data",
    ]
    found, _ = onnx.load(target).graph.initializer
    np.testing.assert_array_equal(numpy_helper.to_array(found), weight)
    made.with_name("model.onnx.data").unlink()
    file(made, "a small one")
    delivery.deliver(made, target)
    assert not target.with_name("out.onnx.data").exists()


def test_weights_in_files_of_other_names_come_with_the_model(tmp_path: Path) -> None:
    made, target = tmp_path / "onnx" / "model.onnx", tmp_path / "models" / "out.onnx"
    weight = np.arange(64, dtype=np.float32).reshape(8, 8)
    large_model(weight, made, all_tensors_to_one_file=False)
    assert not made.with_name("model.onnx.data").exists()

    delivery.deliver(made, target)

    found = {each.name: numpy_helper.to_array(each) for each in onnx.load(target).graph.initializer}
    np.testing.assert_array_equal(found["w"], weight)
    np.testing.assert_array_equal(found["v"], 2 * weight)
    assert target.with_name("out.onnx.data1").exists()
    made.unlink()
    file(made, "a small one")
    delivery.deliver(made, target)
    assert not list(target.parent.glob("out.onnx.data*"))


def large_model(weight: np.ndarray, path: Path, *, all_tensors_to_one_file: bool = True) -> None:
    """Write products with matrices that are in files of their own."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 8]) for name in "xy")
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("MatMul", ["h", "v"], ["y"])]
    weights = [numpy_helper.from_array(weight, "w"), numpy_helper.from_array(2 * weight, "v")]
    graph = helper.make_graph(nodes, "product", [x], [y], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    path.parent.mkdir()
    location = "model.onnx.data" if all_tensors_to_one_file else None
    onnx.save_model(
        model,
        path,
        save_as_external_data=True,
        all_tensors_to_one_file=all_tensors_to_one_file,
        location=location,
        size_threshold=0,
    )


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("navigator_workspace/onnx/out.onnx", "inside of the workspace"),
        ("file/out.onnx", "a folder above it is a file"),
        (".x.pytest_navigator.json", "no name for a model"),
    ],
)
def test_a_path_that_cannot_be_is_told_before_the_run(
    artifact: Path, tmp_path: Path, target: str, message: str
) -> None:
    file(tmp_path / "file", "")

    with pytest.raises(ConfigError, match=message):
        delivery.check(tmp_path / target, tmp_path / "navigator_workspace")


def test_a_disk_that_refuses_is_named(artifact: Path, tmp_path: Path) -> None:
    target = file(tmp_path / "file", "") / "out.onnx"

    with pytest.raises(PackageError, match=r"output_path: cannot write .*out\.onnx"):
        delivery.deliver(artifact, target)
