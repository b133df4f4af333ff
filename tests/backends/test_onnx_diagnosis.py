"""Faults that are planted in ONNX files, and what a diagnosis says of each."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import diagnosed
import numpy as np
import onnx
import pytest
from diagnosed import Suite, image, rounding, transformer
from onnx import helper, numpy_helper

from pytest_navigator.backends.exchange.from_onnx_diagnosis import FromOnnxDiagnosis, OpenVINODiagnosis
from pytest_navigator.backends.exchange.onnx_diagnosis import OnnxDiagnosis
from pytest_navigator.backends.onnx import probing
from pytest_navigator.backends.openvino.format import OpenVINOConfig, OpenVINOFormat
from pytest_navigator.backends.openvino.model import capabilities
from pytest_navigator.backends.tensorrt.format import TensorRTFormat
from pytest_navigator.backends.torch.exportedprogram import TorchExportConfig, TorchExportedProgramFormat
from pytest_navigator.backends.torch.program_values import PROGRAM
from pytest_navigator.comparison.divergence import EXPORT, FUSION, RUNTIME, SPREAD, line
from pytest_navigator.configuration.onnx_config import OnnxConfig, OnnxTraceExportConfig
from pytest_navigator.configuration.tensorrt_config import TensorRTConfig
from pytest_navigator.errors import NotApplicable

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_navigator.comparison.divergence import Divergence

    Fault = Callable[[Any], None]


def nodes(model: Any, kind: str) -> list[Any]:
    return [node for node in model.graph.node if node.op_type == kind]


def producer(model: Any, name: str) -> Any:
    return next(node for node in model.graph.node if name in node.output)


def with_attribute(kind: str, index: int, **values: Any) -> Fault:
    def plant(model: Any) -> None:
        node = nodes(model, kind)[index]
        kept = [each for each in node.attribute if each.name not in values]
        del node.attribute[:]
        node.attribute.extend([*kept, *(helper.make_attribute(name, value) for name, value in values.items())])

    return plant


def with_inputs(kind: str, index: int, change: Callable[[list[str]], list[str]]) -> Fault:
    def plant(model: Any) -> None:
        node = nodes(model, kind)[index]
        changed = change(list(node.input))
        del node.input[:]
        node.input.extend(changed)

    return plant


def with_constant(kind: str, index: int, place: int, change: Callable[[np.ndarray], np.ndarray]) -> Fault:
    """Give one node another constant, whoever else reads the one that it had."""

    def plant(model: Any) -> None:
        node = nodes(model, kind)[index]
        held = {each.name: each for each in model.graph.initializer}
        name = node.input[place]
        array = (
            numpy_helper.to_array(held[name])
            if name in held
            else numpy_helper.to_array(producer(model, name).attribute[0].t)
        )
        changed = np.ascontiguousarray(change(array)).astype(array.dtype).reshape(array.shape)
        model.graph.initializer.append(numpy_helper.from_array(changed, f"{name}_wrong"))
        node.input[place] = f"{name}_wrong"

    return plant


def through_half(value: Callable[[Any], str]) -> Fault:
    """Round a value to half precision and back, where it is made."""

    def plant(model: Any) -> None:
        name = value(model)
        node = producer(model, name)
        node.output[list(node.output).index(name)] = f"{name}_exact"
        place = list(model.graph.node).index(node) + 1
        down = helper.make_node("Cast", [f"{name}_exact"], [f"{name}_half"], to=onnx.TensorProto.FLOAT16)
        up = helper.make_node("Cast", [f"{name}_half"], [name], to=onnx.TensorProto.FLOAT)
        up.metadata_props.extend(node.metadata_props)
        model.graph.node.insert(place, up)
        model.graph.node.insert(place, down)

    return plant


def half(array: np.ndarray) -> np.ndarray:
    return array.astype("float16")


GELU = with_attribute("Gelu", 2, approximate="tanh")
EPS = with_attribute("LayerNormalization", 3, epsilon=1e-3)

# What is wrong, the places that are blamed, and what is in the line of the first one.
IN_TRANSFORMER: dict[str, tuple[tuple[Fault, ...], list[str], str]] = {
    "gelu by tanh": ((GELU,), ["layers.2.mlp gelu"], "gelu(self.up(x))"),
    "eps of a layer norm": ((EPS,), ["layers.1.n2 layer_norm"], "self.n2(x)"),
    "axis of a softmax": ((with_attribute("Softmax", 3, axis=-2),), ["layers.3.att softmax"], "softmax(q"),
    "weights by half precision": (
        (with_constant("MatMul", 4, 1, half),),
        ["layers.0.mlp.up linear"],
        "self.up(x)",
    ),
    "two at once": ((GELU, EPS), ["layers.1.n2 layer_norm", "layers.2.mlp gelu"], "self.n2(x)"),
    "a cast in the middle": (
        (through_half(lambda model: nodes(model, "Softmax")[1].output[0]),),
        ["layers.1.att softmax"],
        "softmax(q",
    ),
    "a constant": ((with_constant("Div", 2, 1, lambda c: c * 1.001),), ["layers.2.att div"], "** 0.5"),
    "a bias that is not added": (
        (with_inputs("Add", -2, lambda names: [names[0], names[0]]),),
        ["layers.3.mlp.down linear"],
        "self.down",
    ),
}
IN_IMAGE: dict[str, tuple[tuple[Fault, ...], list[str], str]] = {
    "a pad's value": ((with_constant("Pad", 0, 2, lambda c: c * 0),), ["pad"], "functional.pad"),
    "a pad's sides": (
        (with_constant("Pad", 0, 1, lambda c: np.where(c, [0, 0, 2, 2, 0, 0, 0, 0], 0)),),
        ["pad"],
        "functional.pad",
    ),
    "pads of a convolution": ((with_attribute("Conv", 0, pads=[0, 0, 2, 2]),), ["first conv2d"], "self.first"),
    "a dropped bias": ((with_inputs("Conv", 1, lambda names: names[:2]),), ["second conv2d"], "self.second"),
    "eps of a batch norm": (
        (with_attribute("BatchNormalization", 0, epsilon=1e-3),),
        ["norm _native_batch_norm_legit_no_training"],
        "self.norm",
    ),
    "a transposition": ((with_attribute("Transpose", 0, perm=[0, 1, 2, 3]),), ["transpose"], "x.transpose"),
    "operands of a difference": ((with_inputs("Sub", 0, lambda names: names[::-1]),), ["sub_8"], "x - x.mean"),
    "the axis of a mean": ((with_constant("ReduceMean", 0, 1, lambda axes: axes * 0 + 2),), ["mean"], "x.mean"),
    "bounds of a clip": ((with_constant("Clip", 0, 2, lambda bound: bound * 0.99),), ["clamp"], "y.clamp"),
    "the order of a concatenation": ((with_inputs("Concat", 0, lambda names: names[::-1]),), ["cat"], "torch.cat"),
    "one use of shared weights": ((with_constant("MatMul", 1, 1, half),), ["shared linear"], "self.shared(y)"),
    "the axis of a sum": ((with_constant("ReduceSum", 0, 1, lambda axes: axes * 0 + 3),), ["output__0 sum"], ".sum(2)"),
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Suite]:
    made = {"transformer": transformer, "image": image}
    return {name: Suite(subject(), tmp_path_factory.mktemp(name)) for name, subject in made.items()}


def found_in(suite: Suite, folder: Path, *faults: Fault, **changes: Any) -> Divergence:
    return OnnxDiagnosis().compare(suite.planted(folder, *faults).question(**changes))


def places(found: Divergence) -> list[str]:
    """Return what is blamed, without lines."""
    return [place.partition(" at ")[0] for place in (found.place, *found.others)]


def line_of_code(found: Divergence) -> str:
    file, _, number = found.location.partition(":")
    assert file == Path(diagnosed.__file__).name
    return Path(diagnosed.__file__).read_text(encoding="utf-8").splitlines()[int(number) - 1]


@pytest.mark.parametrize("name", [*IN_TRANSFORMER, *IN_IMAGE])
def test_the_operation_is_named_with_its_module_and_line(name: str, exported: dict[str, Suite], tmp_path: Path) -> None:
    model, table = ("transformer", IN_TRANSFORMER) if name in IN_TRANSFORMER else ("image", IN_IMAGE)
    faults, wrong, code = table[name]
    found = found_in(exported[model], tmp_path, *faults)
    assert found.verdict == EXPORT
    assert places(found) == wrong, line(found)
    assert code in line_of_code(found)
    assert found.ratio is None or found.ratio > 100


@pytest.mark.parametrize("name", ["transformer", "image"])
def test_where_nothing_is_wrong_nothing_is_blamed(name: str, exported: dict[str, Suite], tmp_path: Path) -> None:
    found = found_in(exported[name], tmp_path)
    assert (found.verdict, found.value) == (SPREAD, ""), line(found)


def test_the_script_computes_the_place_again(exported: dict[str, Suite], tmp_path: Path) -> None:
    found = found_in(exported["transformer"], tmp_path, GELU)
    told = subprocess.run([sys.executable, tmp_path / found.script], capture_output=True, text=True, check=True).stdout
    assert f"largest difference: {found.error:.3g}" in told
    assert (found.inputs, found.output) == (("float32[2, 16, 256]",), "float32[2, 16, 256]")
    kept = {path.name for path in (tmp_path / found.evidence).iterdir()}
    assert kept == {"inputs.npz", "expected.npz", "actual.npz", "segment.onnx"}


def test_what_the_time_does_not_suffice_for_is_said(exported: dict[str, Suite], tmp_path: Path) -> None:
    found = found_in(exported["transformer"], tmp_path, GELU, seconds=-1.0)
    assert "cut short after -1 s: 0 of 86 values were compared" in line(found)


def test_values_that_do_not_fit_into_one_session_come_in_groups(exported: dict[str, Suite], tmp_path: Path) -> None:
    suite = exported["transformer"].planted(tmp_path, GELU, EPS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probing, "AT_ONCE", 100_000)
        found = OnnxDiagnosis().compare(suite.question())
    assert places(found) == ["layers.1.n2 layer_norm", "layers.2.mlp gelu"]


def test_weights_in_a_file_of_their_own_are_found_and_go_into_the_part_that_is_left(
    exported: dict[str, Suite], tmp_path: Path
) -> None:
    faults, wrong, _ = IN_TRANSFORMER["weights by half precision"]
    suite = exported["transformer"].planted(tmp_path, *faults)
    model = onnx.load(suite.artifact)
    onnx.save(model, suite.artifact, save_as_external_data=True, location="model.onnx.data")
    found = OnnxDiagnosis().compare(suite.question())
    assert places(found) == wrong
    told = subprocess.run([sys.executable, tmp_path / found.script], capture_output=True, text=True, check=True).stdout
    assert f"largest difference: {found.error:.3g}" in told
    assert [path.name for path in suite.artifact.parent.glob(".part*")] == []


def test_without_the_program_nothing_tells_what_a_file_should_compute(
    exported: dict[str, Suite], tmp_path: Path
) -> None:
    suite = exported["transformer"].planted(tmp_path, GELU)
    suite.artifact.with_name(PROGRAM).unlink()
    with pytest.raises(NotApplicable, match=r"made by pytorch .* without an ExportedProgram"):
        OnnxDiagnosis().compare(suite.question())


def test_an_exported_program_of_the_suite_serves_as_well(exported: dict[str, Suite], tmp_path: Path) -> None:
    suite = exported["transformer"].planted(tmp_path, GELU)
    suite.artifact.with_name(PROGRAM).unlink()
    other = Suite(suite.subject, tmp_path, TorchExportedProgramFormat(), TorchExportConfig())
    variants = {each.variant.key: each.variant for each in (suite, other)}
    assert places(OnnxDiagnosis().compare(suite.question(variants=variants))) == ["layers.2.mlp gelu"]


def test_an_optimizer_that_fuses_wrongly_is_told_from_a_wrong_export(tmp_path: Path) -> None:
    suite = Suite(rounding(), tmp_path)
    entry = ["optimization.enable_cast_chain_elimination", "1"]
    options = {"custom_args": {"session_options": {"add_session_config_entry": entry}}}
    variant = replace(suite.variant, parameters={**suite.variant.parameters, **options})
    found = OnnxDiagnosis().compare(suite.question(variants={variant.key: variant}))
    assert found.verdict == FUSION
    assert "x.half()" in line_of_code(found)
    assert "right with graph_optimization_level = ORT_DISABLE_ALL, and where _to_copy is an output too" in line(found)
    told = subprocess.run([sys.executable, tmp_path / found.script], capture_output=True, text=True, check=True).stdout
    without, optimized = (float(row.rpartition(": ")[2]) for row in told.splitlines())
    assert without * 100 < optimized == pytest.approx(found.error, rel=0.01)


def test_a_few_values_that_are_enough_are_found_by_halving() -> None:
    assert probing.bisected("abcdefgh", lambda names: "f" in names) == ["f"]
    assert probing.bisected("abcd", lambda names: {"a", "d"} <= set(names)) == list("abcd")


BFLOAT16 = pytest.mark.skipif("BF16" not in capabilities(), reason="this processor has no bfloat16")


class Perturbed(OpenVINODiagnosis):
    """A runtime that computes one operation otherwise."""

    def run(self, *arguments: Any) -> dict[str, np.ndarray]:
        found = dict(super().run(*arguments))
        return {name: array * 1.001 if name == "gelu_2" else array for name, array in found.items()}


def converted(suite: Suite, form: Any, config: Any, way: Any) -> Divergence:
    """Return what is said of a format that is made from the suite's ONNX file."""
    variant = form.variants(config, [suite.variant])[-1]
    variants = {each.key: each for each in (suite.variant, variant)}
    runner = form.runner_specs[0].record()
    return way().compare(suite.question(key=variant.key, variants=variants, runner=runner, cell=f"{variant.key}-cpu"))


MADE_FROM_ONNX = [
    pytest.param(OpenVINOFormat(), OpenVINOConfig(), OpenVINODiagnosis, id="openvino"),
    pytest.param(OpenVINOFormat(), OpenVINOConfig(precision="fp16"), OpenVINODiagnosis, id="openvino-fp16"),
    pytest.param(TensorRTFormat(), TensorRTConfig(precision="fp32"), FromOnnxDiagnosis, id="trt"),
]


@pytest.mark.parametrize(("form", "config", "way"), MADE_FROM_ONNX)
def test_what_is_made_from_a_wrong_onnx_file_has_its_place(
    form: Any, config: Any, way: Any, exported: dict[str, Suite], tmp_path: Path
) -> None:
    found = converted(exported["transformer"].planted(tmp_path, GELU), form, config, way)
    assert (found.verdict, places(found)) == (EXPORT, ["layers.2.mlp gelu"])
    assert "onnx is wrong in ONNX Runtime too" in line(found)


def test_an_engine_of_a_right_onnx_file_is_to_blame_itself(exported: dict[str, Suite]) -> None:
    found = converted(exported["transformer"], TensorRTFormat(), TensorRTConfig(precision="fp32"), FromOnnxDiagnosis)
    assert (found.verdict, found.value) == (RUNTIME, "")
    assert line(found).startswith("first divergence: runtime: onnx is right in ONNX Runtime")


@pytest.mark.parametrize(
    ("precision", "way", "wrong"),
    [
        ("fp32", OpenVINODiagnosis, ""),
        ("fp16", OpenVINODiagnosis, ""),
        ("fp32", Perturbed, "layers.2.mlp gelu"),
        pytest.param("bf16", OpenVINODiagnosis, "", marks=BFLOAT16),
    ],
)
def test_every_edge_of_what_openvino_runs_is_cut(
    precision: str, way: Any, wrong: str, exported: dict[str, Suite]
) -> None:
    found = converted(exported["transformer"], OpenVINOFormat(), OpenVINOConfig(precision=precision), way)
    assert (found.verdict, places(found)) == (RUNTIME if wrong else SPREAD, [wrong]), line(found)
    assert found.compared == 114


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Suite:
    config = OnnxConfig(opset=20, export_engine=OnnxTraceExportConfig())
    return Suite(transformer(), tmp_path_factory.mktemp("traced"), config=config)


@pytest.mark.parametrize(
    ("fault", "wrong"),
    [
        (GELU, "layers.2.mlp Gelu+MatMul+Add at diagnosed.py:"),
        (EPS, "layers.1 Add+LayerNormalization at diagnosed.py:"),
        (with_attribute("Softmax", 3, axis=-2), "layers.3.att "),
        (None, ""),
    ],
)
def test_a_file_by_torchscripts_exporter_has_the_module_and_its_operators(
    fault: Fault | None, wrong: str, traced: Suite, tmp_path: Path
) -> None:
    suite = traced.planted(tmp_path, *([fault] if fault else []))
    way, question = OnnxDiagnosis(), suite.question()
    assert way.asks_model(question)
    question.references.mkdir()
    way.capture(suite.subject.source, question)
    found = way.compare(question)
    assert len(places(found)) == 1
    assert found.place.startswith(wrong), line(found)
