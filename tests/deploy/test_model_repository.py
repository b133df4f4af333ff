"""Files in Triton's model repository: written whole, the configuration last, nothing of others lost."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pytest_navigator import triton
from pytest_navigator.api.triton import model_repository
from pytest_navigator.deploy.triton.record import Origin
from pytest_navigator.deploy.triton.repository import Version
from pytest_navigator.deploy.triton.repository import add as add_version
from pytest_navigator.errors import ConfigError, DeploymentError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONFIG = triton.ONNXModelConfig(inputs=[triton.InputTensorSpec("x", (2,), np.float32)])


@pytest.fixture
def doubled() -> onnx.ModelProto:
    """A model of one weight."""
    weight = numpy_helper.from_array(np.full((2000,), 2, np.float32), "w")
    tensors = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 2000]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Mul", ["x", "w"], ["y"])], "g", tensors[:1], tensors[1:], [weight])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@pytest.fixture
def model(tmp_path: Path, doubled: onnx.ModelProto) -> Path:
    path = tmp_path / "some.onnx"
    onnx.save(doubled, path)
    return path


@pytest.fixture
def warmed(tmp_path: Path) -> triton.ONNXModelConfig:
    """A configuration with a file of its own."""
    (tmp_path / "x.data").write_bytes(bytes(8))
    row = triton.ModelWarmupInput((2,), np.float32, "FILE", tmp_path / "x.data")
    return triton.ONNXModelConfig(inputs=CONFIG.inputs, warmup={"one": triton.ModelWarmup({"x": row})})


def tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_model_has_a_folder_for_its_version_and_a_configuration(tmp_path: Path, model: Path) -> None:
    folder = model_repository.add_model(tmp_path / "a" / "repository", "doubled", model, CONFIG)

    assert folder == tmp_path / "a" / "repository" / "doubled"
    assert tree(folder) == ["1/model.onnx", "config.pbtxt", "navigator.json"]
    assert (folder / "1" / "model.onnx").read_bytes() == model.read_bytes()
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["repository"]


def test_external_data_go_into_a_folder_with_the_model(tmp_path: Path, doubled: onnx.ModelProto) -> None:
    path = tmp_path / "large.onnx"
    onnx.save(doubled, path, save_as_external_data=True, location="large.bin", size_threshold=0)
    (tmp_path / "another.bin").write_bytes(b"of something else")

    folder = model_repository.add_model(tmp_path / "repository", "doubled", path, CONFIG)

    assert tree(folder / "1") == ["model.onnx/large.bin", "model.onnx/model.onnx"]
    onnx.checker.check_model(folder / "1" / "model.onnx" / "model.onnx")


def test_external_data_that_are_missing_are_said(tmp_path: Path, doubled: onnx.ModelProto) -> None:
    path = tmp_path / "large.onnx"
    onnx.save(doubled, path, save_as_external_data=True, location="large.bin", size_threshold=0)
    (tmp_path / "large.bin").unlink()

    with pytest.raises(ConfigError, match=r"needs the external data large\.bin, which is not there"):
        model_repository.add_model(tmp_path / "repository", "doubled", path, CONFIG)


def test_a_folder_of_a_model_in_python_is_the_version(tmp_path: Path) -> None:
    (tmp_path / "code" / "weights").mkdir(parents=True)
    (tmp_path / "code" / "model.py").write_text("class TritonPythonModel: ...", encoding="utf-8")
    (tmp_path / "code" / "weights" / "w.bin").write_bytes(b"1")
    config = triton.PythonModelConfig(inputs=CONFIG.inputs, outputs=[triton.OutputTensorSpec("y", (2,), "bool")])

    folder = model_repository.add_model(tmp_path / "repository", "coded", tmp_path / "code", config)

    assert tree(folder / "1") == ["model.py", "weights/w.bin"]


def test_files_of_warm_ups_and_states_stand_where_the_server_looks(tmp_path: Path, model: Path) -> None:
    (tmp_path / "x.data").write_bytes(bytes(8))
    (tmp_path / "start.data").write_bytes(bytes(8))
    row = triton.ModelWarmupInput((2,), np.float32, "FILE", tmp_path / "x.data")
    initial = triton.SequenceBatcherInitialState("i", (2,), np.float32, data_file=tmp_path / "start.data")
    config = triton.ONNXModelConfig(
        inputs=CONFIG.inputs,
        warmup={"one": triton.ModelWarmup({"x": row}), "two": triton.ModelWarmup({"x": row}, 2)},
        batcher=triton.SequenceBatcher(states=[triton.SequenceBatcherState("a", "b", np.float32, (2,), [initial])]),
    )

    folder = model_repository.add_model(tmp_path / "repository", "doubled", model, config)

    assert {"initial_state/start.data", "warmup/x.data"} < set(tree(folder))


def test_two_files_of_a_warm_up_with_one_name_are_refused(tmp_path: Path, model: Path) -> None:
    rows = {}
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.data").write_bytes(bytes(8))
        rows[name] = triton.ModelWarmupInput((2,), np.float32, "FILE", tmp_path / name / "x.data")
    config = triton.ONNXModelConfig(warmup={"w": triton.ModelWarmup(rows)})

    with pytest.raises(ConfigError, match=r"would both be warmup/x\.data: give them two names"):
        model_repository.add_model(tmp_path / "repository", "doubled", model, config)


def test_a_version_that_is_there_stays_unless_it_is_to_be_replaced(tmp_path: Path, model: Path) -> None:
    folder = model_repository.add_model(tmp_path / "repository", "doubled", model, CONFIG)
    model.write_bytes(b"another")

    with pytest.raises(DeploymentError, match="has a version 1; nothing was written"):
        model_repository.add_model(tmp_path / "repository", "doubled", model, CONFIG)
    before = (folder / "1" / "model.onnx").read_bytes()
    model_repository.add_model(tmp_path / "repository", "doubled", model, CONFIG, overwrite=True)

    assert before != b"another"
    assert (folder / "1" / "model.onnx").read_bytes() == b"another"
    left = [name for name in tree(tmp_path / "repository") if name != ".navigator.lock"]  # older filelocks remove it
    assert left == [f"doubled/{name}" for name in tree(folder)]


def test_another_version_stands_beside_the_first(tmp_path: Path, model: Path) -> None:
    folder = model_repository.add_model(tmp_path / "repository", "doubled", model, CONFIG)

    model_repository.add_model(tmp_path / "repository", "doubled", model, CONFIG, model_version=2)

    assert tree(folder) == ["1/model.onnx", "2/model.onnx", "config.pbtxt", "navigator.json"]


def test_a_version_that_needs_another_configuration_is_refused(tmp_path: Path, model: Path) -> None:
    folder = model_repository.add_model(tmp_path / "repository", "doubled", model, CONFIG)
    wider = triton.ONNXModelConfig(max_batch_size=8, inputs=CONFIG.inputs)

    with pytest.raises(DeploymentError, match=r"- max_batch_size: 4, \+ max_batch_size: 8\. All versions"):
        model_repository.add_model(tmp_path / "repository", "doubled", model, wider, 2)
    assert not (folder / "2").exists()
    model_repository.add_model(tmp_path / "repository", "doubled", model, wider, 2, overwrite=True)

    assert "max_batch_size: 8" in (folder / "config.pbtxt").read_text("utf-8")
    assert (folder / "1").exists()


def test_the_configuration_is_the_last_file_that_appears(tmp_path: Path, model: Path) -> None:
    folder = model_repository.add_model(tmp_path / "repository", "doubled", model, CONFIG)

    model_repository.add_model(tmp_path / "repository", "doubled", model, CONFIG, 2)

    times = {name: (folder / name).stat().st_ctime_ns for name in tree(folder)}
    assert max(times, key=times.__getitem__) == "config.pbtxt"


@pytest.mark.parametrize("name", ["", "a/b", "..", ".hidden", "-a", "a b", "ü", "a\n", "a" * 201, 5])
def test_a_name_that_is_no_folder_or_part_of_a_url_is_refused(tmp_path: Path, model: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"model_name=.* is not possible"):
        model_repository.add_model(tmp_path / "repository", name, model, CONFIG)
    assert not (tmp_path / "repository").exists()


@pytest.mark.parametrize("version", [0, -1, "1", True, 1.0])
def test_a_version_is_a_number_from_1_on(tmp_path: Path, model: Path, version: int) -> None:
    with pytest.raises(ConfigError, match=r"model_version=.*: a whole number from 1 on is needed"):
        model_repository.add_model(tmp_path / "repository", "doubled", model, CONFIG, version)


def test_a_repository_that_is_a_file_is_refused(tmp_path: Path, model: Path) -> None:
    with pytest.raises(DeploymentError, match="is a file, no model repository"):
        model_repository.add_model(model, "doubled", model, CONFIG)


def test_a_file_in_the_place_of_the_model_is_refused(tmp_path: Path, model: Path) -> None:
    (tmp_path / "doubled").write_text("mine", encoding="utf-8")

    with pytest.raises(DeploymentError, match="is a file, where the folder of the model would be"):
        model_repository.add_model(tmp_path, "doubled", model, CONFIG, overwrite=True)


def test_a_repository_that_cannot_be_written_is_said(model: Path) -> None:
    with pytest.raises(DeploymentError, match="/proc/repository cannot be written: No such file or directory"):
        model_repository.add_model("/proc/repository", "doubled", model, CONFIG)


@pytest.mark.parametrize("path", ["nothing.onnx", "empty"])
def test_a_model_that_is_not_there_is_said(tmp_path: Path, path: str) -> None:
    (tmp_path / "empty").mkdir()

    with pytest.raises(ConfigError, match=r"no such file or folder|the folder is empty"):
        model_repository.add_model(tmp_path / "repository", "doubled", tmp_path / path, CONFIG)


FULL = """
import resource, sys
import numpy as np
from pytest_navigator import triton
from pytest_navigator.api.triton import model_repository
from pytest_navigator.errors import DeploymentError

resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))
config = triton.ONNXModelConfig(inputs=[triton.InputTensorSpec("x", (2,), np.float32)])
try:
    triton.model_repository.add_model("repository", "doubled", "some.onnx", config, int(sys.argv[1]), overwrite=True)
except DeploymentError as error:
    print(error)
"""


@pytest.mark.parametrize("version", [1, 2])
def test_nothing_of_a_version_is_left_on_a_full_disk(tmp_path: Path, model: Path, version: int) -> None:
    model_repository.add_model(tmp_path / "repository", "doubled", model, CONFIG)
    before = {path: (tmp_path / path).read_bytes() for path in tree(tmp_path)}

    ran = subprocess.run(
        [sys.executable, "-c", FULL, str(version)], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert "cannot be written: File too large" in ran.stdout
    assert {path: (tmp_path / path).read_bytes() for path in tree(tmp_path)} == before


@pytest.mark.parametrize("version", [1, 2])
def test_a_version_that_cannot_be_put_in_its_place_leaves_what_was_there(
    version: int, tmp_path: Path, model: Path, warmed: triton.ONNXModelConfig
) -> None:
    folder = model_repository.add_model(tmp_path / "repository", "doubled", model, CONFIG)
    (folder / "config.pbtxt").unlink()
    (folder / "config.pbtxt").mkdir()
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    folders = {path for path in folder.rglob("*") if path.is_dir()}
    model.write_bytes(b"another")

    with pytest.raises(DeploymentError, match=r"Is a directory .*; nothing of the model was left there"):
        model_repository.add_model(tmp_path / "repository", "doubled", model, warmed, version, overwrite=True)

    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert {path for path in folder.rglob("*") if path.is_dir()} == folders


def test_a_shared_file_that_was_replaced_is_the_old_one_again(
    tmp_path: Path, model: Path, warmed: triton.ONNXModelConfig
) -> None:
    folder = model_repository.add_model(tmp_path / "repository", "doubled", model, warmed)
    (folder / "config.pbtxt").unlink()
    (folder / "config.pbtxt").mkdir()
    (tmp_path / "x.data").write_bytes(b"x" * 8)

    with pytest.raises(DeploymentError, match="nothing of the model was left there"):
        model_repository.add_model(tmp_path / "repository", "doubled", model, warmed, overwrite=True)

    assert (folder / "warmup" / "x.data").read_bytes() == bytes(8)


def at_once(repository: Path, *versions: tuple[int, str]) -> list[str]:
    """Write versions of a model in threads that are all in the middle of it at the same time; returns the errors."""
    middle = threading.Barrier(len(versions))

    def add(number: int, config: str) -> str:
        def content() -> Iterator[bytes]:
            middle.wait(10)
            yield b"model"

        try:
            add_version(repository, Version("m", number, config, {"model.onnx": content}, {}, Origin("some")))
        except DeploymentError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(len(versions)) as pool:
        return sorted(pool.map(add, *zip(*versions, strict=True)))


def test_two_versions_that_are_written_at_once_are_both_recorded(tmp_path: Path) -> None:
    assert at_once(tmp_path, (1, "same"), (2, "same")) == ["", ""]

    record = json.loads((tmp_path / "m" / "navigator.json").read_text("utf-8"))
    assert set(record["versions"]) == {"1", "2"}
    assert set(record["files"]) == {"1/model.onnx", "2/model.onnx", "config.pbtxt"}


@pytest.mark.parametrize(
    ("second", "said"), [((2, "another"), "the new one needs another"), ((1, "same"), "has a version 1")]
)
def test_of_two_that_do_not_go_together_one_is_written(second: tuple[int, str], said: str, tmp_path: Path) -> None:
    first, refused = at_once(tmp_path, (1, "same"), second)

    assert first == ""
    assert said in refused
    assert len(json.loads((tmp_path / "m" / "navigator.json").read_text("utf-8"))["versions"]) == 1
    assert len(list((tmp_path / "m").glob("*/model.onnx"))) == 1
