"""Every key of Model Navigator's configuration file, in every form in which its documentation writes it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import yaml

import pytest_navigator as nav
from pytest_navigator.backends.exchange.onnx import OnnxFormat
from pytest_navigator.backends.executorch.format import ExecuTorchFormat
from pytest_navigator.backends.onnx.quantization.format import OnnxQuantizedFormat
from pytest_navigator.backends.openvino.format import OpenVINOFormat
from pytest_navigator.backends.torch.torchscript import TorchScriptConfig, TorchScriptFormat
from pytest_navigator.configuration.nav_config_file import KEYS, FileConfig, read
from pytest_navigator.configuration.onnx_config import OnnxConfig, OnnxTraceExportConfig
from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Read = Callable[[object], FileConfig]

DOCUMENTED = """
container_version: 22.07
gpus: ['all']
model_version: 1
target_formats: ['tf-trt', 'tf-savedmodel', 'onnx', 'trt', 'torchscript', 'torch-trt']
tensorrt_precisions: ['fp16', 'fp32']
tensorrt_precisions_mode: hierarchy
tensorrt_max_workspace_size: 4294967296
atol: ['1e-05']
rtol: ['1e-05']
max_batch_size: 128
workspace_path: navigator_workspace
override_workspace: false
"""
"""The defaults of the document, but for those that mean a container (launch_mode) or another opset."""

ALL_KEYS = """
model_name model_path config_path workspace_path output_package override_workspace container_version
framework_docker_image triton_docker_image gpus verbose random_seed model_format model_version output_path launch_mode
override_conversion_container inputs outputs target_formats onnx_opsets tensorrt_precisions tensorrt_precisions_mode
tensorrt_explicit_precision tensorrt_sparse_weights tensorrt_max_workspace_size atol rtol max_batch_size min_shapes
opt_shapes max_shapes value_ranges dtypes engine_count_per_device
"""

EXAMPLE = """
target_formats: ["onnx",]
onnx_opsets: [13]
inputs:
    image__0:
      name: image__0
      shape: [-1, 3, -1, -1]
      dtype: float32
outputs:
    output__0:
      name: output__0
      shape: [-1, 1000]
      dtype: float32
atol:
    output__0: 0.01
rtol:
    output__0: 0.1
max_shapes:
    image__0: [128, 3, 600, 800]
value_ranges:
    image__0: [0., 1.]
dtypes:
    image__0: float32
"""


@pytest.fixture
def written(tmp_path: Path) -> Read:
    def write_and_read(content: object) -> FileConfig:
        path = tmp_path / "config.yaml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return read(path)

    return write_and_read


def test_every_documented_key_is_known() -> None:
    assert set(KEYS) - {"pytest_navigator", "batch_dim", "unbatched", "quantization"} == set(ALL_KEYS.split())


def test_the_documents_example_is_read(written: Read) -> None:
    found = written(EXAMPLE)

    assert found.inputs is not None
    assert [(spec.name, spec.shape, spec.dtype) for spec in found.inputs] == [("image__0", (-1, 3, -1, -1), "float32")]
    assert found.max_shapes == {"image__0": (128, 3, 600, 800)}
    assert found.value_ranges == {"image__0": (0.0, 1.0)}
    assert found.dtypes == {"image__0": "float32"}
    config = found.nav_config([OnnxFormat()])
    assert config.formats == (OnnxConfig(opset=(13,)),)
    assert (config.atol, config.rtol) == ({"output__0": 0.01}, {"output__0": 0.1})


def test_the_documented_defaults_are_accepted(written: Read) -> None:
    found = written(DOCUMENTED)

    assert found.target_formats is None
    assert found.max_batch_size == 128
    assert found.atol == found.rtol == {"": 1e-5}


def test_an_empty_file_says_nothing(written: Read) -> None:
    found = written("# nothing\n")

    assert found == FileConfig(path=found.path)
    assert found.nav_config([OnnxFormat()]) == FileConfig().nav_config()
    assert found.max_batch_size == 128


@pytest.mark.parametrize(
    ("key", "forms", "expected"),
    [
        ("atol", [{"": 1e-5, "out0": 1e-4}, ["1e-5", "out0=1e-4"], "1e-5 out0=1e-4", ["out0:1e-4", "1e-5"]],
         {"": 1e-5, "out0": 1e-4}),
        ("rtol", [1e-5, "1e-5", ["1e-5"], [0.00001]], {"": 1e-5}),
        ("min_shapes", [{"x": [1, 3]}, {"x": "1,3"}, ["x=1,3"], "x=1,3"], {"x": (1, 3)}),
        ("max_shapes", [{"x:0": [4], "y": [5]}, "x:0=4 y=5"], {"x:0": (4,), "y": (5,)}),
        ("value_ranges", [{"x": [0, 1], "": [-1.5, 255]}, ["x=0,1", "-1.5,255"], "x=0,1 -1.5,255"],
         {"x": (0, 1), "": (-1.5, 255)}),
        ("value_ranges", [{"x": [False, True]}], {"x": (0, 1)}),
        ("value_ranges", [{"x": ["1e-5", "1e3"]}, "x=1e-5,1e3"], {"x": (1e-5, 1000.0)}),
        ("dtypes", [{"x": "float32", "": "int8"}, ["x=f4", "int8"], "int8 x=float32"], {"x": "float32", "": "int8"}),
        ("onnx_opsets", [[13, 14], "13 14", "13,14"], (13, 14)),
        ("tensorrt_precisions", ["fp16 fp32", ["fp16", "fp32"]], ("fp16", "fp32")),
        ("target_formats", [["onnx", "torchscript"], "onnx torchscript"], ("onnx", "torchscript")),
        ("verbose", [True, "yes"], True),
        ("random_seed", [7, "7"], 7),
        ("model_name", ["resnet"], "resnet"),
        ("batch_dim", [1, "1"], 1),
        ("batch_dim", [None, "none"], None),
        ("unbatched", [["x", "y"], "x y", "x,y"], ("x", "y")),
    ],
)  # fmt: skip
def test_every_form_of_a_value_is_taken(written: Read, key: str, forms: list[Any], expected: object) -> None:
    for form in forms:
        found = getattr(written({key: form}), key)
        assert found == expected
        assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"max_batchsize": 8}, "unknown key 'max_batchsize'; did you mean 'max_batch_size'?"),
        ({"max_batch_size": 0}, "max_batch_size: 0 is not a positive whole number"),
        ({"max_batch_size": "many"}, "max_batch_size: 'many' is not a positive whole number"),
        ({"verbose": 3}, "verbose: 3 is not a boolean"),
        ({"batch_dim": -1}, "batch_dim: -1 is not a whole number of 0 or more"),
        ({"batch_dim": "rows"}, "batch_dim: 'rows' is not a whole number of 0 or more"),
        ({"unbatched": ["x", "x"]}, "unbatched: ['x', 'x']: names are needed, each once"),
        ({"random_seed": -1}, "random_seed: -1 is not a whole number of 0 or more"),
        ({"model_format": "onx"}, "model_format: unknown value 'onx'; did you mean 'onnx'?"),
        ({"model_name": ["a"]}, "model_name: ['a'] is no text"),
        ({"atol": "small"}, "atol: 'small' is not a number"),
        ({"atol": {"x": -1}}, "atol: x: -1 is no tolerance"),
        ({"atol": ["1e-5", "1e-4"]}, "atol: the one without a name comes twice"),
        ({"rtol": [[1]]}, "rtol: [[1]]: a number, name=number, or a mapping"),
        ({"min_shapes": {"x": [1, -1]}}, "min_shapes: x: [1, -1] is no shape of whole numbers from 0 on"),
        ({"max_shapes": "x=1,-1"}, "max_shapes: x: '1,-1' is no shape"),
        ({"opt_shapes": "1,3"}, "opt_shapes: '1,3' is for no input"),
        ({"value_ranges": {"x": [1, 0]}}, "value_ranges: x: [1, 0] is no range"),
        ({"value_ranges": {"x": 1}}, "value_ranges: x: 1 is no range"),
        ({"value_ranges": "x=0,nan"}, "value_ranges: x: '0,nan' is no range"),
        ({"dtypes": {"x": "flota32"}}, "dtypes: x: 'flota32' is no type of numpy; did you mean 'float32'?"),
        ({"onnx_opsets": [13, 13]}, "onnx_opsets: [13, 13]: whole numbers are needed, each once"),
        ({"inputs": "x:1:flt"}, "inputs: 'x:1:flt': 'flt' is no type"),
        ({"tensorrt_precisions": ["int4"]}, "tensorrt_precisions: unknown value 'int4'"),
        ({"tensorrt_precisions_mode": "both"}, "tensorrt_precisions_mode: unknown value 'both'"),
        ({"tensorrt_max_workspace_size": 0}, "tensorrt_max_workspace_size: 0"),
        ({"launch_mode": "podman"}, "launch_mode: unknown value 'podman'"),
        ({"container_version": "23.01"}, "no image is chosen by a version"),
        ({"override_conversion_container": True}, "no image of a container is built"),
        ({"framework_docker_image": "--privileged"}, "'--privileged' is no name of an image"),
        ({"triton_docker_image": "a"}, "does not set up a Triton Inference Server"),
        ({"gpus": [0]}, "chooses no GPUs; the environment variable CUDA_VISIBLE_DEVICES does"),
        ({"engine_count_per_device": ["gpu=2"]}, "does not set up a Triton Inference Server"),
        ({"config_path": "b.yaml"}, "a configuration file names no other one"),
        ({"tensorrt_precisions": ["fp16"], "target_precisions": ["fp32"]}, "target_precisions is the older name of"),
        ("atol: 1\natol: 2\n", "the key 'atol' comes twice"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_named_with_its_file_and_key(written: Read, content: object, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        written(content)

    assert message in str(raised.value)
    assert "config.yaml" in str(raised.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.yaml: No such file"):
        read(tmp_path / "absent.yaml")


def test_the_tolerance_that_is_not_said_is_the_documented_one_for_the_same_outputs(written: Read) -> None:
    config = written({"atol": {"logits": 1e-3}}).nav_config()

    assert (config.atol, config.rtol) == ({"logits": 1e-3}, {"logits": 1e-5})


def test_opsets_alone_leave_every_format_that_can_be_made(written: Read) -> None:
    found = written({"onnx_opsets": [13]})

    assert found.nav_config([TorchScriptFormat(), OnnxFormat()]).formats == ("torchscript", OnnxConfig(opset=(13,)))
    assert found.nav_config([TorchScriptFormat()]).formats is None


def test_a_format_that_cannot_be_made_is_left_to_be_refused_by_its_name(written: Read) -> None:
    assert written({"target_formats": "tf-savedmodel"}).nav_config([OnnxFormat()]).formats == ("tf-savedmodel",)


def test_a_packages_own_file_repeats_its_format(written: Read) -> None:
    parameters = {
        "opset": 17,
        "engine": "trace",
        "engine_named": True,
        "dynamic_axes": {"x": {"0": "n"}},
        "device": None,
    }
    content = {"target_formats": ["onnx"], "onnx_opsets": [17], "atol": {"y": 1e-6}}
    content |= {"pytest_navigator": {"key": "onnx", "parent": None, "parameters": parameters}}

    config = written(content).nav_config([TorchScriptFormat(), OnnxFormat()])

    expected = OnnxConfig(opset=(17,), export_engine=OnnxTraceExportConfig(), dynamic_axes={"x": {0: "n"}})
    assert config.formats == (expected,)
    assert config.rtol is None


def test_a_packages_torchscript_is_repeated_with_its_kind(written: Read) -> None:
    (made,) = TorchScriptFormat().variants(TorchScriptConfig(jit_type="trace", strict=False), [])
    content = {"target_formats": ["torchscript"], "pytest_navigator": {"parameters": made.parameters}}

    config = written(yaml.safe_dump(content, sort_keys=False)).nav_config([TorchScriptFormat()])

    assert config.formats == (TorchScriptConfig(jit_type="trace", strict=False),)


def test_parameters_of_another_program_are_named(written: Read) -> None:
    content = {"target_formats": ["torchscript"], "pytest_navigator": {"parameters": {"jit_type": "guess"}}}

    with pytest.raises(ConfigError, match=r"pytest_navigator: parameters: TorchScriptConfig\.jit_type"):
        written(content).nav_config([TorchScriptFormat()])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"launch_mode": "docker"}, "config.yaml: launch_mode: docker: no image is built or guessed; name one"),
        (
            {"launch_mode": "local", "framework_docker_image": "my/tf:1"},
            "config.yaml: framework_docker_image: my/tf:1 contradicts",
        ),
    ],
)
def test_an_image_and_a_way_to_launch_that_contradict_each_other_are_named(
    written: Read, content: object, message: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        written(content).nav_config()

    assert message in str(raised.value)


@pytest.mark.parametrize("mode", [{}, {"launch_mode": "docker"}])
def test_an_image_is_where_every_format_runs(written: Read, mode: dict[str, str]) -> None:
    found = written({"framework_docker_image": "my/tf:1", **mode}).nav_config().interpreters

    assert found is not None
    command = " ".join(found["*"])
    assert command.startswith("docker run --rm -i -v {workspace}:{workspace} --user ")
    assert command.endswith(" my/tf:1 python")


HOW = nav.QuantizationConfig(calibration_method="percentile", percentile=99.9, samples=8, exclude=("head", "b"))


@pytest.mark.parametrize(
    "said",
    [
        "{calibration_method: percentile, percentile: 99.9, samples: 8, exclude: [head, b]}",
        "calibration_method=percentile percentile=99.9 samples=8 exclude=head,b",
        "[calibration_method=percentile, percentile=99.9, samples=8, 'exclude=head,b']",
    ],
)
def test_a_quantization_is_that_of_the_target_formats_that_have_one(written: Read, said: str) -> None:
    found = written(f"target_formats: [onnx, onnx-int8]\nquantization: {said}\n")
    assert found.nav_config([OnnxFormat(), OnnxQuantizedFormat()]).formats == (
        "onnx",
        nav.OnnxQuantizedConfig(precision="int8", quantization=HOW),
    )


def test_each_of_the_target_formats_takes_what_it_knows_of_a_quantization(written: Read) -> None:
    found = written("target_formats: [onnx-int8, onnx-int4, executorch, openvino-bf16]\nquantization: {samples: 8}\n")
    assert found.nav_config([OnnxQuantizedFormat(), ExecuTorchFormat(), OpenVINOFormat()]).formats == (
        nav.OnnxQuantizedConfig(precision="int8", quantization=nav.QuantizationConfig(samples=8)),
        nav.OnnxQuantizedConfig(precision="int4"),
        "executorch",
        nav.OpenVINOConfig(precision="bf16"),
    )


@pytest.mark.parametrize(
    ("formats", "said", "problem"),
    [
        ("onnx-int8", "{sample: 8}", "unknown field 'sample'; did you mean 'samples'?"),
        ("onnx-int8", "{samples: none}", "samples: "),
        ("onnx-int8", "{calibration_method: minmaks}", "did you mean 'minmax'?"),
        ("onnx-int8", "{percentile: 99.9}", 'is of calibration_method="percentile"'),
        ("onnx-int8", "samples", "'samples': write {samples: 8, exclude: [head]}, or samples=8 exclude=head"),
        ("onnx-int8", "samples=8 samples=9", "samples comes twice"),
        ("onnx-int8", "{percentile: x, calibration_method: percentile}", "percentile: 'x' is no number"),
        ("onnx-int4", "{samples: 8}", "quantization.samples=8 is not possible with precision=('int4',)"),
        ("onnx-int4, onnx-fp16", "{samples: 8}", "quantization.samples=8 is not possible with precision=('int4',)"),
        ("executorch", "{samples: 8}", "is of no use: none of the target formats is quantized"),
        ("openvino-bf16", "{samples: 8}", "quantization.samples=8 is not possible with precision=('bf16',)"),
        ("onnx", "{samples: 8}", "is of no use: none of the target formats is quantized; name one that is: onnx-int8"),
    ],
)
def test_a_quantization_that_cannot_be_says_what_can(written: Read, formats: str, said: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=rf"config.yaml: quantization.*{re.escape(problem)}"):
        written(f"target_formats: [{formats}]\nquantization: {said}\n").nav_config(
            [OnnxFormat(), OnnxQuantizedFormat(), ExecuTorchFormat(), OpenVINOFormat()]
        )
