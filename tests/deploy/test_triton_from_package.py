"""What stands in Triton's model repository for a package of a real run."""

from __future__ import annotations

import json
import math
import re
import shutil
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest

import pytest_navigator as nav
from pytest_navigator import triton
from pytest_navigator.api.triton import model_repository
from pytest_navigator.errors import ConfigError, PackageError
from tests.package.commands import command
from tests.package.tampered import put, tampered

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Parsed = Callable[[str], dict[str, Any]]


def deployed(package: Path, folder: Path, name: str = "m", **keywords: Any) -> Path:
    with nav.load(package) as opened:
        return model_repository.add_model_from_package(folder, name, opened, **keywords)


def config(folder: Path) -> str:
    return (folder / "config.pbtxt").read_text("utf-8")


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_an_onnx_file_is_served_as_it_was_measured(pair: Path, tmp_path: Path, parsed: Parsed) -> None:
    folder = deployed(pair, tmp_path, format="onnx")

    assert files(folder) == ["1/model.onnx", "config.pbtxt", "navigator.json"]
    found = parsed(config(folder))
    outputs = {"sum": "7", "parts__0": "5", "parts__1": "7"}
    assert found == {
        "name": "m",
        "backend": "onnxruntime",
        "max_batch_size": 3,
        "input": [{"name": n, "data_type": "TYPE_FP32", "dims": [d]} for n, d in {"x": "5", "bias": "7"}.items()],
        "output": [{"name": name, "data_type": "TYPE_FP32", "dims": [size]} for name, size in outputs.items()],
        "dynamic_batching": {},
        "instance_group": [{"kind": "KIND_CPU", "count": 1}],
        "parameters": {
            "intra_op_thread_count": {"string_value": "0"},
            "inter_op_thread_count": {"string_value": "0"},
        },
    }


def test_the_record_says_where_a_version_came_from(pair: Path, tmp_path: Path) -> None:
    folder = deployed(pair, tmp_path, format="onnx")

    (version,) = json.loads((folder / "navigator.json").read_text("utf-8"))["versions"].values()
    figure = nav.load(pair).get_best(nav.SelectedRuntimeStrategy("onnx", "OnnxCPU"))
    assert (version["source"], version["format"], version["runner"]) == ("pair.nav", "onnx", "OnnxCPU")
    assert version["latency"] > 0
    assert version["batch_size"] == 1
    assert version["verified"] is False
    assert version["tolerance"]["sum"]["max_abs"] < 1e-5
    assert version["tolerance"]["sum"]["allowed"].startswith("1e-4 of")
    assert figure.batch_size == 3


def test_a_traced_module_goes_to_the_backend_of_pytorch_with_its_threads(pair: Path, tmp_path: Path) -> None:
    folder = deployed(pair, tmp_path, format="torchscript-trace")

    assert files(folder)[0] == "1/model.pt"
    assert 'backend: "pytorch"' in config(folder)
    assert re.search(r'key: "INTRA_OP_THREAD_COUNT"\s+value \{\s+string_value: "\d+"', config(folder))


def test_what_is_bound_to_a_processor_says_what_the_server_has_to_have(pair: Path, tmp_path: Path) -> None:
    wide = {"system": "Linux", "architecture": "x86-64", "features": ["avx2"]}
    library = {"name": "PyTorch", "version": "2.13.0", "parts": 2, "later": False}
    built = {"gpu": "", "compute_capability": "", "driver": "", "cuda": "", "library": library, "processor": wide}
    own = shutil.copy(pair, tmp_path / "own.nav")
    package = tampered(own, put("steps", "export.onnx", "data", "built_with", value={**built, "on_gpu": False}))

    with pytest.warns(
        UserWarning, match=r"m: onnx runs only .*: it was built for x86-64 with avx2 on Linux with PyTor"
    ):
        deployed(package, tmp_path / "models", format="onnx")


def test_a_scripted_module_that_gives_a_dict_becomes_a_python_model(pair: Path, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="m: torchscript-script is served as a Python model: it gives neither"):
        folder = deployed(pair, tmp_path, format="torchscript-script")

    assert files(folder)[:2] == ["1/model.pt", "1/model.py"]
    source = (folder / "1" / "model.py").read_text("utf-8")
    assert "pytest_navigator" not in source
    assert "torch.jit.load(path" in source


@pytest.mark.slow
@pytest.mark.parametrize("form", ["onnx", "torchscript-trace"])
def test_axes_of_any_length_and_numbers_in_rows_are_told(
    form: str, served: Path, tmp_path: Path, parsed: Parsed
) -> None:
    folder = deployed(served / "states.nav", tmp_path, format=form)

    found = parsed(config(folder))
    assert found["input"] == [{"name": "tokens", "data_type": "TYPE_FP32", "dims": ["-1", "4"]}]
    assert found["output"] == [
        {"name": "states", "data_type": "TYPE_FP32", "dims": ["-1", "3"]},
        {"name": "score", "data_type": "TYPE_FP32", "dims": ["1"], "reshape": {}},
    ]


@pytest.mark.slow
def test_a_warm_up_has_the_shape_of_its_sample_and_one_row_in_its_file(
    served: Path, tmp_path: Path, parsed: Parsed
) -> None:
    folder = deployed(served / "states.nav", tmp_path, format="onnx", warmup=True)

    warmups = parsed(config(folder))["model_warmup"]
    assert [warmup["batch_size"] for warmup in warmups] == [1, 4]
    for warmup in warmups:
        data = warmup["inputs"]["tokens"]
        size = math.prod(map(int, data["dims"])) * 4
        assert (folder / "warmup" / data["input_data_file"]).stat().st_size == size


@pytest.mark.slow
def test_a_warm_up_of_text_has_the_length_before_each(served: Path, tmp_path: Path) -> None:
    folder = deployed(served / "names.nav", tmp_path, format="onnx", warmup=True)

    content = (folder / "warmup" / "first.data").read_bytes()
    assert content == struct.pack("<I", 5) + "Zoë ".encode()
    assert config(folder).count("TYPE_STRING") == 7


@pytest.mark.slow
def test_a_model_without_a_batch_axis_has_full_shapes(served: Path, tmp_path: Path, parsed: Parsed) -> None:
    with pytest.warns(UserWarning, match="m: ") as notices:
        folder = deployed(served / "points.nav", tmp_path, format="onnx")

    found = parsed(config(folder))
    assert "max_batch_size: 0\n" in config(folder)
    assert "dynamic_batching" not in found
    assert [spec["dims"] for spec in found["input"]] == [["-1", "2"], ["1"]]
    said = [str(notice.message) for notice in notices]
    assert any("'scale' has no axis, which Triton's backends cannot pass on" in each for each in said)
    assert any("requests are not joined into batches: the model has no batch axis" in each for each in said)
    with pytest.raises(ConfigError, match="max_batch_size=4: the model has no batch axis"):
        deployed(served / "points.nav", tmp_path, "other", format="onnx", max_batch_size=4)


def test_what_is_asked_for_stands_in_the_place_of_what_was_found(pair: Path, tmp_path: Path, parsed: Parsed) -> None:
    batcher = triton.DynamicBatcher(100, [2, 8])
    asked = triton.ONNXModelConfig(max_batch_size=16, batcher=batcher, version_policy="all")

    folder = deployed(pair, tmp_path, format="onnx", config=asked, max_batch_size=8, response_cache=True)

    found = parsed(config(folder))
    assert found["max_batch_size"] == 8
    assert found["dynamic_batching"] == {"preferred_batch_size": [2, 8], "max_queue_delay_microseconds": "100"}
    assert found["response_cache"] == {"enable": True}
    assert found["version_policy"] == {"all": {}}


def test_the_size_of_batches_of_a_configuration_counts_if_it_is_the_default(
    pair: Path, tmp_path: Path, parsed: Parsed
) -> None:
    folder = deployed(pair, tmp_path, format="onnx", config=triton.ONNXModelConfig(max_batch_size=4))

    assert parsed(config(folder))["max_batch_size"] == 4  # measured was 3


def test_a_configuration_names_the_inputs_of_the_model(pair: Path, tmp_path: Path) -> None:
    other = triton.ONNXModelConfig(inputs=[triton.InputTensorSpec(name="z", shape=(5,), dtype=np.float32)])

    with pytest.raises(ConfigError, match="config: its inputs are z, those of the model are bias, x"):
        deployed(pair, tmp_path, format="onnx", config=other)


def test_several_instances_say_what_they_cost(pair: Path, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="each instance has threads for every core"):
        folder = deployed(pair, tmp_path, format="onnx", instances={"cpu": 2})

    assert re.search(r"kind: KIND_CPU\s+count: 2", config(folder))


WRONG = {
    "a device that it was not checked on": ({"instances": {"gpu": 1}}, ConfigError, "OnnxCPU was checked on cpu alone"),
    "a device that there is none of": ({"instances": {"tpu": 1}}, ConfigError, "instances of 'tpu': cpu, gpu"),
    "preferred sizes above the largest": (
        {
            "config": triton.ONNXModelConfig(max_batch_size=9, batcher=triton.DynamicBatcher(0, [9])),
            "max_batch_size": 3,
        },
        ConfigError,
        "it prefers batches of 9, above max_batch_size=3",
    ),
    "both words for one thing": (
        {"strategy": nav.MinLatencyStrategy(), "strategies": [nav.MinLatencyStrategy()]},
        ConfigError,
        "strategy and strategies are the same keyword",
    ),
    "a strategy that is none": ({"strategy": "fastest"}, ConfigError, "not a strategy"),
    "an unknown runtime": ({"runtime": "TensorRt"}, PackageError, "unknown runtime 'TensorRt'"),
    "what nobody vouches for": ({"verified_only": True}, PackageError, "is not verified"),
    "a batch of none": ({"max_batch_size": 0}, ConfigError, "max_batch_size=0"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said_and_nothing_is_written(what: str, pair: Path, tmp_path: Path) -> None:
    keywords, kind, message = WRONG[what]

    with pytest.raises(kind, match=re.escape(message)):
        deployed(pair, tmp_path, **{"format": "onnx", **keywords})
    assert not list(tmp_path.iterdir())


def test_an_unknown_format_is_told_with_those_there_are(pair: Path, tmp_path: Path) -> None:
    with pytest.raises(PackageError, match="unknown format 'onxx'; did you mean 'onnx'"):
        deployed(pair, tmp_path, format="onxx")


def test_what_set_verified_vouches_for_is_deployed(pair: Path, tmp_path: Path) -> None:
    with nav.load(pair) as package:
        package.set_verified("onnx", "cpu")
        folder = model_repository.add_model_from_package(tmp_path, "m", package, verified_only=True)

    assert json.loads((folder / "navigator.json").read_text("utf-8"))["versions"]["1"]["verified"] is True


# On the command line.


def test_the_command_says_what_it_wrote_and_from_what(pair: Path, tmp_path: Path) -> None:
    ran = command("deploy", "triton", pair, "--repository", tmp_path, "--format=onnx", "--name=linear", "--warmup")

    assert ran.code == 0, ran.err
    first, second = ran.out.splitlines()
    assert first == f"{tmp_path}/linear/1: onnxruntime backend, batches of up to 3, instances: 1 on CPU"
    assert re.fullmatch(
        r"from: pair\.nav: onnx on OnnxCPU, p50 0\.\d+ ms at batch 1, max abs \S+ from the source", second
    )


def test_every_option_of_the_command_is_in_the_configuration(pair: Path, tmp_path: Path, parsed: Parsed) -> None:
    options = "--format=onnx --version=3 --max-batch-size=8 --preferred-batch-sizes=2,4 --max-queue-delay-us=50"
    more = "--instances=cpu=2 --response-cache --serve-versions=all --runner=OnnxCPU"

    ran = command("deploy", "triton", pair, "-r", tmp_path, *options.split(), *more.split())

    assert ran.code == 0, ran.err
    found = parsed(config(tmp_path / "pair"))
    assert (tmp_path / "pair" / "3").is_dir()
    assert found["max_batch_size"] == 8
    assert found["dynamic_batching"] == {"preferred_batch_size": [2, 4], "max_queue_delay_microseconds": "50"}
    assert found["instance_group"] == [{"kind": "KIND_CPU", "count": 2}]
    assert found["version_policy"] == {"all": {}}


def test_dynamic_batching_is_left_out_on_request(pair: Path, tmp_path: Path) -> None:
    ran = command("deploy", "triton", pair, "-r", tmp_path, "--format=onnx", "--dynamic-batching=off")

    assert ran.code == 0, ran.err
    assert "dynamic_batching" not in config(tmp_path / "pair")
    assert "max_batch_size: 3" in config(tmp_path / "pair")


def test_a_strategy_is_named(pair: Path, tmp_path: Path) -> None:
    ran = command("deploy", "triton", pair, "-r", tmp_path, "--strategy=max-throughput")

    assert ran.code == 0, ran.err
    assert " at batch 3" in ran.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--instances=tpu=1"], "a device with a number is needed, cpu=2 or gpu=1"),
        (["--instances=cpu=0"], "a device with a number is needed"),
        (["--strategy=fastest"], "unknown strategy 'fastest'"),
        (["--instances=cpu=2", "--instances=cpu=3"], "--instances=cpu=3: cpu=2 was said before"),
        (["--preferred-batch-sizes=a"], "whole numbers from 1 on are needed"),
        (
            ["--preferred-batch-sizes=8,16", "--max-batch-size=4"],
            "--preferred-batch-sizes=16 is above --max-batch-size=4",
        ),
        (["--dynamic-batching=off", "--max-queue-delay-us=5"], "are of --dynamic-batching=on"),
        (["--max-batch-size=-1"], "argument --max-batch-size: -1: a whole number from 0 on is needed"),
        (["--version=0"], "argument --version: 0: a whole number from 1 on is needed"),
        (["--name=a/b"], "model_name='a/b' is not possible"),
        (["--serve-versions=0"], "all, or a number from 1 on is needed"),
    ],
)
def test_an_option_that_is_wrong_is_said(options: list[str], message: str, pair: Path, tmp_path: Path) -> None:
    ran = command("deploy", "triton", pair, "-r", tmp_path / "repository", *options)

    assert ran.code == 2
    assert message in ran.err
    assert not (tmp_path / "repository").exists()


def test_a_largest_batch_of_none_is_no_batches(pair: Path, tmp_path: Path) -> None:
    ran = command("deploy", "triton", pair, "-r", tmp_path, "--format=onnx", "--max-batch-size=0")

    assert ", no batches, " in ran.out, ran.err
    assert "max_batch_size: 0" in config(tmp_path / "pair")


def test_a_version_that_is_there_is_replaced_by_force_alone(pair: Path, tmp_path: Path) -> None:
    arguments = ("deploy", "triton", pair, "-r", tmp_path, "--format=onnx")
    assert command(*arguments).code == 0

    again = command(*arguments)

    assert again.code == 2
    assert "has a version 1; nothing was written: give another model_version (--version), or" in again.err
    assert command(*arguments, "--force").code == 0


# A file that no run has checked.


@pytest.fixture
def square(tmp_path: Path) -> Path:
    value = onnx.helper.make_tensor_value_info
    tensors = [value(name, onnx.TensorProto.FLOAT16, ["n", "length", 3]) for name in ("x", "y")]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Mul", ["x", "x"], ["y"])], "g", tensors[:1], tensors[1:])
    path = tmp_path / "square.onnx"
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9), path)
    return path


def test_an_onnx_file_is_deployed_by_what_it_says(square: Path, tmp_path: Path, parsed: Parsed) -> None:
    ran = command("deploy", "triton", square, "-r", tmp_path / "repository", "--max-batch-size=16")

    assert ran.code == 0, ran.err
    assert ran.out.splitlines() == [
        f"{tmp_path}/repository/square/1: onnxruntime backend, batches of up to 16, instances: 1 on CPU",
        "from: square.onnx, which no run has checked",
    ]
    found = parsed(config(tmp_path / "repository" / "square"))
    assert found["input"] == [{"name": "x", "data_type": "TYPE_FP16", "dims": ["-1", "3"]}]


def test_a_file_of_one_size_of_batch_has_full_shapes(tmp_path: Path, parsed: Parsed) -> None:
    value = onnx.helper.make_tensor_value_info
    tensors = [value(name, onnx.TensorProto.FLOAT, [4, 3]) for name in ("x", "y")]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Mul", ["x", "x"], ["y"])], "g", tensors[:1], tensors[1:])
    onnx.save(onnx.helper.make_model(graph), tmp_path / "four.onnx")

    ran = command("deploy", "triton", tmp_path / "four.onnx", "-r", tmp_path / "repository")

    assert ran.code == 0, ran.err
    assert "no batches" in ran.out
    assert "note: requests are not joined into batches: the batch of 'x' is 4 always" in ran.out
    assert parsed(config(tmp_path / "repository" / "four"))["input"][0]["dims"] == ["4", "3"]
    for option, said in (("--max-batch-size=8", "max_batch_size=8"), ("--preferred-batch-sizes=2", "size=[2]")):
        refused = command("deploy", "triton", tmp_path / "four.onnx", "-r", tmp_path / "r", option)
        assert f"{said}: the batch of 'x' is 4 always" in refused.err


NOT_IN_ONNXRUNTIME = {
    "a number without an axis": (([], 1), "'t' has no axis, which Triton's backends cannot pass on"),
    "bfloat16": ((["n", 3], onnx.TensorProto.BFLOAT16), "'t' is bfloat16, which Triton's backend for this format"),
}


@pytest.mark.parametrize("what", NOT_IN_ONNXRUNTIME)
def test_a_file_that_the_backend_cannot_run_is_refused(what: str, tmp_path: Path) -> None:
    (shape, kind), message = NOT_IN_ONNXRUNTIME[what]
    value, node = onnx.helper.make_tensor_value_info, onnx.helper.make_node
    inputs, outputs = [value("x", 1, ["n", 3]), value("t", kind, shape)], [value("y", 1, ["n", 3])]
    graph = onnx.helper.make_graph(
        [node("Cast", ["t"], ["u"], to=1), node("Mul", ["x", "u"], ["y"])], "g", inputs, outputs
    )
    onnx.save(onnx.helper.make_model(graph), tmp_path / "odd.onnx")

    ran = command("deploy", "triton", tmp_path / "odd.onnx", "-r", tmp_path / "repository")

    assert ran.code == 2
    assert message in ran.err
    assert "of a package it becomes a Python model" in ran.err
    assert not (tmp_path / "repository").exists()


def of_nodes(path: Path, nodes: list[onnx.NodeProto], **outputs: list[str | int | None] | None) -> None:
    """Write a file whose input x is of (n, 3), and s of one axis."""
    value = onnx.helper.make_tensor_value_info
    inputs = [value("x", 1, ["n", 3]), value("s", onnx.TensorProto.INT64, ["n"])]
    own = [value(name, onnx.TensorProto.INT64 if name == "rows" else 1, shape) for name, shape in outputs.items()]
    opset = onnx.helper.make_opsetid("", 18)
    model = onnx.helper.make_model(onnx.helper.make_graph(nodes, "g", inputs, own), opset_imports=[opset], ir_version=9)
    onnx.save(model, path)


def test_an_output_without_a_shape_has_the_one_that_follows_from_the_graph(tmp_path: Path, parsed: Parsed) -> None:
    of_nodes(tmp_path / "m.onnx", [onnx.helper.make_node("Mul", ["x", "x"], ["y"])], y=None)

    ran = command("deploy", "triton", tmp_path / "m.onnx", "-r", tmp_path)

    assert ran.code == 0, ran.err
    assert parsed(config(tmp_path / "m"))["output"] == [{"name": "y", "data_type": "TYPE_FP32", "dims": ["3"]}]


def test_an_output_whose_axes_nobody_knows_is_refused(tmp_path: Path) -> None:
    of_nodes(tmp_path / "m.onnx", [onnx.helper.make_node("Reshape", ["x", "s"], ["y"])], y=None)

    ran = command("deploy", "triton", tmp_path / "m.onnx", "-r", tmp_path / "repository")

    assert ran.code == 2
    assert "the file does not say how many axes output 'y' has, and it does not follow from its graph" in ran.err
    assert not (tmp_path / "repository").exists()


@pytest.mark.parametrize(
    ("shape", "why"),
    [
        ([None, 2], "axis 0 of 'rows' has no name in the file; if it is the batch, say --max-batch-size=4"),
        (["found", 2], "axis 0 is not of one size: found, n; if it is the batch, say --max-batch-size=4"),
    ],
)
def test_an_axis_that_nobody_calls_the_batch_is_none(
    shape: list[str | int | None], why: str, tmp_path: Path, parsed: Parsed
) -> None:
    node = onnx.helper.make_node
    of_nodes(tmp_path / "m.onnx", [node("NonZero", ["x"], ["z"]), node("Transpose", ["z"], ["rows"])], rows=shape)

    ran = command("deploy", "triton", tmp_path / "m.onnx", "-r", tmp_path)
    asked = command("deploy", "triton", tmp_path / "m.onnx", "-r", tmp_path, "--name=asked", "--max-batch-size=8")

    assert ran.out.splitlines()[-1] == f"note: requests are not joined into batches: {why}"
    assert parsed(config(tmp_path / "m"))["output"][0]["dims"] == ["-1", "2"]
    assert asked.code == 0, asked.err
    assert parsed(config(tmp_path / "asked"))["max_batch_size"] == 8
    assert parsed(config(tmp_path / "asked"))["output"][0]["dims"] == ["2"]


def test_a_name_that_is_no_folder_is_cleaned_where_it_is_not_given(square: Path, tmp_path: Path) -> None:
    named = square.rename(tmp_path / "my net: v1.onnx")

    ran = command("deploy", "triton", named, "-r", tmp_path / "repository")

    assert ran.code == 0, ran.err
    assert (tmp_path / "repository" / "my_net_v1" / "config.pbtxt").is_file()


def test_what_is_of_packages_is_refused_for_a_file(square: Path, tmp_path: Path) -> None:
    ran = command("deploy", "triton", square, "-r", tmp_path / "repository", "--verified-only")

    assert ran.code == 2
    assert "--verified-only is of a package" in ran.err


@pytest.mark.parametrize("kind", [onnx.TensorProto.COMPLEX64, onnx.TensorProto.FLOAT8E5M2])
def test_a_type_that_triton_has_no_name_for_is_refused(kind: int, tmp_path: Path) -> None:
    tensors = [onnx.helper.make_tensor_value_info(name, kind, ["n", 3]) for name in ("x", "y")]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["x"], ["y"])], "g", tensors[:1], tensors[1:])
    onnx.save(onnx.helper.make_model(graph), tmp_path / "odd.onnx")

    ran = command("deploy", "triton", tmp_path / "odd.onnx", "-r", tmp_path / "repository")

    assert ran.code == 2
    assert "Triton cannot serve it: InputTensorSpec 'x': Triton has no name for the type" in ran.err
    assert not (tmp_path / "repository").exists()


@pytest.mark.slow
def test_a_model_in_python_computes_what_the_runner_does(served: Path, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Triton has no backend for torch-exportedprogram"):
        folder = deployed(served / "states.nav", tmp_path, format="torch-exportedprogram")

    source = (folder / "1" / "model.py").read_text("utf-8")
    assert "torch.set_num_threads(" in source
    space: dict[str, Any] = {}
    exec(source.replace("import triton_python_backend_utils as pb_utils\n", ""), space)
    feed = {"tokens": np.ones((2, 3, 4), np.float32)}
    outputs = space["infer"](space["load_model"](str(folder / "1" / "model.pt2")), feed)
    with nav.load(served / "states.nav").get_runner("torch-exportedprogram") as runner:
        expected = runner.infer(feed)
    assert outputs.keys() == expected.keys()
    assert all(np.array_equal(outputs[name], expected[name]) for name in outputs)
