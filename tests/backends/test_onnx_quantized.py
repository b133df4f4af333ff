"""What ONNX Runtime's quantizers and converters make of ONNX files, whoever has written those."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from pytest_navigator import OnnxConfig, OnnxQuantizedConfig, QuantizationConfig
from pytest_navigator.backends.exchange.onnx import OnnxFormat
from pytest_navigator.backends.onnx.quantization import schemes
from pytest_navigator.backends.onnx.quantization.format import OnnxQuantizedFormat
from pytest_navigator.core.records import Signature, TensorSpec
from pytest_navigator.core.variants import Variant
from pytest_navigator.errors import ConfigError, StepFailed, Unavailable
from pytest_navigator.formats.base import LoaderData

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

pytest.importorskip("onnxruntime")

Arrays: TypeAlias = dict[str, np.ndarray]
Make: TypeAlias = "Callable[..., tuple[Any, dict[str, Any], Callable[[Arrays], np.ndarray]]]"
KINDS = ("int8", "int8-dynamic", "int4", "fp16")
ONNX = Variant("onnx", "onnx", None, "model.onnx", {})
RANDOM = np.random.default_rng(0)


def weights(*shape: int) -> np.ndarray:
    return (RANDOM.standard_normal(shape) / np.sqrt(shape[-1])).astype(np.float32)


def node(kind: str, inputs: str, outputs: str, name: str = "", **attributes: Any) -> Any:
    return helper.make_node(kind, inputs.split(), outputs.split(), name, **attributes)


def model_of(
    parts: Sequence[Any],
    held: Mapping[str, np.ndarray],
    shapes: Mapping[str, Sequence[int | str]],
    opset: int = 18,
    ir: int = 10,
    kinds: Mapping[str, int] | None = None,
) -> Any:
    """Return a model from x to y."""
    x, y = (
        helper.make_tensor_value_info(name, (kinds or {}).get(name, TensorProto.FLOAT), shapes[name]) for name in "xy"
    )
    tensors = [numpy_helper.from_array(array, name) for name, array in held.items()]
    graph = helper.make_graph(list(parts), "g", [x], [y], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)


def layers(**more: Any) -> Any:
    """Two linear layers, the second one as a product, with module paths in the names of the nodes."""
    parts = [
        node("Gemm", "x w1 b1", "h", "/first/Gemm", transB=1),
        node("Relu", "h", "r", "/act/Relu"),
        node("MatMul", "r w2", "y", "/blocks/blocks.1/last/MatMul"),
    ]
    held = {"w1": weights(64, 32), "b1": weights(64), "w2": weights(64, 16)}
    return model_of(parts, held, {"x": ["n", 32], "y": ["n", 16]}, **more)


def convolutions(**more: Any) -> Any:
    """A convolution, a normalization that belongs into it, and another one."""
    parts = [
        node("Conv", "x w1", "c", "/c1/Conv", pads=[1, 1, 1, 1]),
        node("BatchNormalization", "c s b m v", "n", "/bn/BatchNormalization"),
        node("Relu", "n", "r"),
        node("Conv", "r w2", "y", "/c2/Conv"),
    ]
    held = {"w1": weights(8, 3, 3, 3), "w2": weights(4, 8, 3, 3)}
    held |= {name: np.abs(weights(8)) + 0.5 for name in "sbmv"}
    return model_of(parts, held, {"x": ["n", 3, 8, 8], "y": ["n", 4, 6, 6]}, **more)


def samples(*shape: int, count: int = 3) -> list[Arrays]:
    return [{"x": RANDOM.standard_normal(shape).astype(np.float32)} for _ in range(count)]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make a kind of a model; returns the file's content, what is recorded, and what runs it."""

    def make(
        model: Any, kind: str, batches: Sequence[Arrays] = (), custom_args: Mapping[str, Any] | None = None, **how: Any
    ) -> tuple[Any, dict[str, Any], Callable[[Arrays], np.ndarray]]:
        source, form = tmp_path / "float" / "model.onnx", OnnxQuantizedFormat()
        source.parent.mkdir(exist_ok=True)
        if model is not None:
            onnx.save(model, source)
        before = {path: path.read_bytes() for path in source.parent.iterdir()}
        config = OnnxQuantizedConfig(
            precision=kind, quantization=QuantizationConfig(**how), custom_args=dict(custom_args or {})
        )
        (variant,) = form.variants(config, [ONNX])
        path = tmp_path / variant.key / variant.file
        path.parent.mkdir(exist_ok=True)
        data = LoaderData(dict(batches[0]) if batches else {}, batches)
        handlers = list(logging.getLogger().handlers)
        x, y = TensorSpec("x", (-1,), "float32"), TensorSpec("y", (-1,), "float32")
        signature = Signature((x,), (y,), {"args": [], "kwargs": []}, {"leaf": "y"}, 0, "numpy")
        found: dict[str, Any] = form.convert(source, data, signature, variant, path)
        assert logging.getLogger().handlers == handlers
        assert {path: path.read_bytes() for path in source.parent.iterdir()} == before
        assert {each.name for each in path.parent.iterdir()} <= {"model.onnx", "model.onnx.data"}

        def run(feed: Arrays) -> np.ndarray:
            with form.runner_specs[0].load()(path, signature, variant.parameters) as runner:
                return runner.infer(feed)["y"]

        return onnx.load(path), found, run

    return make


def right(model: Any, feed: Arrays) -> np.ndarray:
    from onnx.reference import ReferenceEvaluator

    return np.asarray(ReferenceEvaluator(model).run(None, feed)[0])  # type: ignore[index]


def near(found: np.ndarray, expected: np.ndarray, part: float) -> bool:
    assert found.dtype == expected.dtype
    return bool(np.linalg.norm(found - expected) < part * np.linalg.norm(expected))


WITHIN = {"int8": 0.05, "int8-dynamic": 0.05, "int4": 0.25, "fp16": 2e-3}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("more", [{}, {"opset": 9, "ir": 4}, {"opset": 21}], ids=["18", "9", "21"])
def test_linear_layers_are_quantized_in_files_of_any_opset(make: Make, kind: str, more: dict[str, int]) -> None:
    model, feeds = layers(**more), samples(5, 32)
    made, found, run = make(model, kind, feeds)

    assert near(run(feeds[0]), right(model, feeds[0]), WITHIN[kind])
    assert [value.name for value in (*made.graph.input, *made.graph.output)] == ["x", "y"]
    assert made.graph.input[0].type.tensor_type.elem_type == TensorProto.FLOAT
    if kind != "fp16":
        assert {key: found["quantized"][key] for key in ("quantized", "total")} == {"quantized": 2, "total": 2}


@pytest.mark.parametrize(
    ("model", "how", "kept"),
    [
        (layers(), ["first"], "/first/Gemm"),
        (layers(), ["blocks.*.last"], "/blocks/blocks.1/last/MatMul"),
        (layers(), ["/blocks/blocks.1/last/MatMul"], "/blocks/blocks.1/last/MatMul"),
        (layers(), ["blocks"], "/blocks/blocks.1/last/MatMul"),
    ],
)
@pytest.mark.parametrize("kind", ["int8", "int8-dynamic", "int4"])
def test_what_is_excluded_stays_as_it_is(make: Make, kind: str, model: Any, how: list[str], kept: str) -> None:
    made, found, _ = make(model, kind, samples(5, 32), exclude=how)

    assert found["quantized"]["quantized"] == 1
    assert found["quantized"]["excluded"] == how
    assert found["kept"] == [kept]
    (left,) = [each for each in made.graph.node if each.name == kept]
    held = {tensor.name: tensor.data_type for tensor in made.graph.initializer}
    assert held[left.input[1]] == TensorProto.FLOAT


def test_what_is_excluded_of_float16_stays_in_float32(make: Make) -> None:
    made, _, _ = make(layers(), "fp16", exclude=["first"])
    kinds = {tensor.name: tensor.data_type for tensor in made.graph.initializer}
    assert kinds["w1"] == TensorProto.FLOAT
    assert kinds["w2"] == TensorProto.FLOAT16


@pytest.mark.parametrize("kind", KINDS)
def test_an_exclusion_that_means_nothing_is_told_the_nearest_layer(make: Make, kind: str) -> None:
    with pytest.raises(StepFailed, match=r"exclude has 'frist', which is no layer .*: did you mean 'first'\?"):
        make(layers(), kind, samples(5, 32), exclude=["frist"])


@pytest.mark.parametrize("kind", ["int8", "int8-dynamic", "int4"])
def test_excluding_everything_leaves_nothing(make: Make, kind: str) -> None:
    with pytest.raises(StepFailed, match=r"nothing is left to quantize: exclude=\['\*'\] means all 2 nodes"):
        make(layers(), kind, samples(5, 32), exclude=["*"])


def test_a_normalization_goes_into_the_convolution_before_it_is_quantized(make: Make) -> None:
    model, feeds = convolutions(), samples(2, 3, 8, 8)
    made, found, run = make(model, "int8", feeds, per_channel=True)

    assert near(run(feeds[1]), right(model, feeds[1]), 0.05)
    assert "BatchNormalization" not in {each.op_type for each in made.graph.node}
    assert (found["quantized"]["quantized"], found["quantized"]["total"]) == (2, 2)
    assert "per channel" in found["quantized"]["scheme"]


@pytest.mark.parametrize(
    "how",
    [
        {"calibration_method": "minmax", "symmetric": True},
        {"calibration_method": "percentile", "percentile": 99.9},
        {"calibration_method": "percentile", "symmetric": True},
        {"calibration_method": "entropy"},
    ],
    ids=str,
)
def test_each_method_calibrates_on_samples_of_any_size(make: Make, how: dict[str, Any]) -> None:
    model, feeds = layers(), [*samples(5, 32), *samples(2, 32)]
    made, found, run = make(model, "int8", feeds, **how)

    assert near(run(feeds[0]), right(model, feeds[0]), 0.1)
    assert found["quantized"]["samples"] == len(feeds)
    zero = {tensor.name: numpy_helper.to_array(tensor) for tensor in made.graph.initializer}["x_zero_point"]
    if how.get("symmetric"):
        assert zero in ((127, 128) if zero.dtype == np.uint8 else (0,))


def test_no_more_samples_are_calibrated_on_than_are_asked_for(make: Make) -> None:
    feeds = [*samples(5, 32, count=2), {"x": np.full((5, 32), 1e4, np.float32)}]
    made, found, _ = make(layers(), "int8", feeds, samples=2)
    scales = {tensor.name: float(numpy_helper.to_array(tensor).max()) for tensor in made.graph.initializer}
    assert found["quantized"]["samples"] == 2
    assert scales["x_scale"] < 1


@pytest.mark.parametrize(
    ("batches", "said"),
    [
        ([], "there is no sample to calibrate on"),
        ([{"x": np.full((1, 32), np.nan, np.float32)}], r"sample 0 has 32 values of 32 that are not finite, x\[0, 0\]"),
    ],
)
def test_calibration_needs_samples_with_finite_numbers(make: Make, batches: list[Arrays], said: str) -> None:
    with pytest.raises(StepFailed, match=said):
        make(layers(), "int8", batches)
    make(layers(), "int8-dynamic", batches)  # which needs none


NOTHING = {
    "int4": (convolutions(), "nothing was quantized: the model has no linear layer or product with weights"),
    "int8-dynamic": (
        model_of([node("Relu", "x", "y")], {}, {"x": ["n", 4], "y": ["n", 4]}),
        "nothing was quantized: the model has no convolution, linear layer, .* its operators are 1 Relu",
    ),
    "int8": (
        model_of([node("Softmax", "x", "y")], {}, {"x": ["n", 4], "y": ["n", 4]}),
        "nothing was quantized: the model has no convolution, linear layer, .* its operators are 1 Softmax",
    ),
    "fp16": (
        model_of(
            [node("Add", "x x", "y")],
            {},
            {"x": ["n"], "y": ["n"]},
            kinds=dict.fromkeys("xy", TensorProto.INT64),
        ),
        "nothing was converted: the model computes nothing in float32; its operators are 1 Add",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_with_nothing_to_quantize_says_so(make: Make, kind: str) -> None:
    model, said = NOTHING[kind]
    with pytest.raises(StepFailed, match=said):
        make(model, kind, samples(2, 4))


@pytest.mark.parametrize("kind", ["int8", "int8-dynamic", "int4"])
def test_a_model_that_is_quantized_already_is_refused(make: Make, kind: str) -> None:
    first, _, _ = make(layers(), kind, samples(5, 32))
    for again in ("int8", "fp16"):
        said = rf"the model is quantized already \(\w+ '.*'\): onnx-{again} is made of one in floating point"
        with pytest.raises(StepFailed, match=said):
            make(first, again, samples(5, 32))


def test_weights_that_two_layers_share_are_quantized_once(make: Make) -> None:
    parts = [node("Gemm", "x w", "h", "a", transB=1), node("Gemm", "h w", "k", "b", transB=1)]
    parts += [node("MatMul", "k w", "y", "c")]
    model = model_of(parts, {"w": weights(32, 32)}, {"x": ["n", 32], "y": ["n", 32]})
    feeds = samples(4, 32)
    for kind in KINDS:
        _, found, run = make(model, kind, feeds)
        assert near(run(feeds[0]), right(model, feeds[0]), 2 * WITHIN[kind])
        if kind != "fp16":
            assert found["quantized"]["quantized"] == 3


def test_an_embedding_that_is_the_last_layer_too_is_quantized(make: Make) -> None:
    parts = [node("Gather", "e x", "h", "emb"), node("Transpose", "e", "t", "turn", perm=[1, 0])]
    parts += [node("MatMul", "h t", "y", "head")]
    kinds = {"x": TensorProto.INT64}
    model = model_of(parts, {"e": weights(40, 32)}, {"x": ["n"], "y": ["n", 40]}, kinds=kinds)
    feeds = [{"x": np.arange(7)}]
    for kind in KINDS:
        _, found, run = make(model, kind, feeds)
        assert near(run(feeds[0]), right(model, feeds[0]), 2 * WITHIN[kind])
        if kind != "fp16":
            assert found["quantized"]["quantized"] == found["quantized"]["total"]


def branching() -> Any:
    """A product in each branch of an If, with weights of the branch's own and of the graph around it."""

    def branch(name: str, weight: str, held: list[Any]) -> Any:
        out = helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 16])
        return helper.make_graph([node("MatMul", f"h {weight}", name, f"in_{name}")], name, [], [out], held)

    own = [numpy_helper.from_array(weights(32, 16), "w_else")]
    parts = [
        node("MatMul", "x w", "h", "before"),
        node("ReduceSum", "x", "s", keepdims=0),
        node("Greater", "s zero", "up"),
        helper.make_node(
            "If",
            ["up"],
            ["y"],
            "choose",
            then_branch=branch("t", "w_then", []),
            else_branch=branch("e", "w_else", own),
        ),
    ]
    held = {"w": weights(32, 32), "w_then": weights(32, 16), "zero": np.array(0, np.float32)}
    return model_of(parts, held, {"x": ["n", 32], "y": ["n", 16]})


@pytest.mark.parametrize("kind", KINDS)
def test_branches_give_what_they_gave(make: Make, kind: str) -> None:
    model = branching()
    feeds = [{"x": sign * np.abs(weights(4, 32))} for sign in (1, -1)]
    _, found, run = make(model, kind, feeds)
    for feed in feeds:
        assert near(run(feed), right(model, feed), WITHIN[kind])
    if kind in ("int8-dynamic", "int4"):
        assert found["quantized"]["quantized"] == 3


def test_constants_that_float16_has_no_number_for_stay_finite_and_are_told(make: Make) -> None:
    parts = [
        node("Constant", "", "big", value=numpy_helper.from_array(np.array([-3.4e38, 1e-12], np.float32))),
        node("Where", "mask big x", "y"),
    ]
    mask = np.array([True, False])
    model = model_of(parts, {"mask": mask}, {"x": ["n", 2], "y": ["n", 2]})
    _, found, run = make(model, "fp16")
    assert run({"x": np.full((1, 2), 2, np.float32)}).tolist() == [[-65504.0, 2.0]]
    assert found["warnings"] == ["1 of 2 numbers of big are beyond float16 and became 65504"]


def test_float16_loads_where_an_optimization_of_onnx_runtime_would_end_the_process(make: Make) -> None:
    parts = [
        node("MatMul", "x w", "h", "a"),
        node("Transpose", "h", "t", "turn", perm=[1, 0, 2]),
        node("MatMul", "t v", "y", "b"),
    ]
    held = {"w": weights(32, 32), "v": weights(32, 8)}
    model = model_of(parts, held, {"x": ["n", 1, 32], "y": [1, "n", 8]})
    feeds = samples(3, 1, 32)
    _, _, run = make(model, "fp16")
    assert near(run(feeds[0]), right(model, feeds[0]), 2e-3)


def test_bfloat16_is_skipped_with_the_reason(make: Make) -> None:
    with pytest.raises(Unavailable, match="has no arithmetic in bfloat16 for processors, it does not load such a file"):
        make(layers(), "bf16")


def test_a_damaged_or_unknown_operator_says_what_the_quantizer_said(make: Make) -> None:
    model = layers()
    model.graph.node[1].domain, model.graph.node[1].op_type = "my.domain", "Mine"
    model.opset_import.append(helper.make_opsetid("my.domain", 1))
    with pytest.raises(StepFailed, match=r"ONNX Runtime's quantizer: .*Mine"):
        make(model, "int8", samples(5, 32))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"precision": "int9"}, "OnnxQuantizedConfig.precision=.'int9',. is not possible|precision='int9'"),
        ({"precision": ()}, "is not possible"),
        ({"precision": ("int8", "int8")}, "is not possible"),
        (
            {"precision": "int4", "quantization": QuantizationConfig(samples=3)},
            r"quantization.samples=3 is not possible with precision=\('int4',\): samples are calibrated on for int8",
        ),
        (
            {"precision": "int8-dynamic", "quantization": QuantizationConfig(calibration_method="entropy")},
            "quantization.calibration_method='entropy' is not possible",
        ),
        (
            {"precision": "fp16", "quantization": QuantizationConfig(per_channel=True)},
            "quantization.per_channel=True is not possible",
        ),
        ({"precision": "int4", "custom_args": {"blocksize": 32}}, "did you mean 'block_size'"),
        ({"precision": "int8", "custom_args": {"block_size": 32}}, "block_size=32, which is of int4"),
        ({"precision": "int8", "quantization": 3}, "quantization=3 is no QuantizationConfig"),
        ({"precision": "int8", "quantization": {"percentil": 3}}, "did you mean 'percentile'"),
    ],
)
def test_what_is_not_possible_is_refused_by_its_name(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        OnnxQuantizedConfig(**given)


def test_a_precision_is_a_variant_that_keeps_what_the_onnx_file_is_called() -> None:
    parents = OnnxFormat().variants(OnnxConfig(opset=(17, 18), custom_args={"session_options": {"a": 1}}), [])
    how = QuantizationConfig(samples=3, exclude=["a"])
    config = OnnxQuantizedConfig(precision=("int8", "int4"), quantization=how, custom_args={"block_size": 32})
    found = OnnxQuantizedFormat().variants(config, parents)

    keys = ["onnx-int8-opset17", "onnx-int4-opset17", "onnx-int8-opset18", "onnx-int4-opset18"]
    assert [variant.key for variant in found] == keys
    assert [variant.reference for variant in found] == [variant.parent for variant in found]
    assert [variant.parameters["precision"] for variant in found[:2]] == ["int8", "int4"]
    assert [variant.parameters["quantization"]["samples"] for variant in found[:2]] == [3, None]
    assert [variant.parameters["quantization"]["exclude"] for variant in found[:2]] == [["a"], ["a"]]
    assert found[0].parameters["custom_args"] == {"session_options": {"a": 1}}
    assert found[1].parameters["custom_args"] == {"session_options": {"a": 1}, "block_size": 32}
    assert found[0].runners == ("OnnxQuantizedCPU",)
    assert found[1].runners == ("OnnxQuantizedCPU", "OnnxQuantizedCUDA")


@pytest.mark.parametrize("kind", ["int8", "int8-dynamic"])
def test_weights_have_seven_bits_where_products_saturate(
    make: Make, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schemes, "saturates", lambda: True)
    made, found, _ = make(layers(), kind, samples(5, 32))
    largest = [np.abs(numpy_helper.to_array(each)).max() for each in made.graph.initializer if each.data_type == 3]
    assert max(largest[:2]) <= 64
    assert "weights in 7 bits" in found["quantized"]["scheme"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_too_large_for_one_message_has_its_weights_beside_it(
    make: Make, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pytest_navigator.backends.onnx import half, tensors
    from pytest_navigator.backends.onnx.quantization import writing

    for module in (half, tensors, writing):
        monkeypatch.setattr(module, "LARGE", 2000)
    model, feeds = layers(), samples(5, 32)
    (tmp_path / "float").mkdir()
    onnx.save(model, tmp_path / "float" / "model.onnx", save_as_external_data=True, location="model.onnx.data")
    _, _, run = make(None, kind, feeds)

    assert near(run(feeds[0]), right(layers_again(tmp_path), feeds[0]), WITHIN[kind])
    assert (tmp_path / f"onnx-{kind}" / "model.onnx.data").stat().st_size > 1000


def layers_again(folder: Path) -> Any:
    return onnx.load(folder / "float" / "model.onnx")


def test_the_same_model_gives_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    onnx.save(convolutions(), tmp_path / "convolutions.onnx")
    onnx.save(layers(), tmp_path / "layers.onnx")
    np.savez(tmp_path / "convolutions.npz", *[feed["x"] for feed in samples(2, 3, 8, 8)])
    np.savez(tmp_path / "layers.npz", *[feed["x"] for feed in samples(2, 32)])
    said = {
        subprocess.run(
            [sys.executable, "-c", AGAIN, str(tmp_path), f"made{seed}"],
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.splitlines()[-1]
        for seed in (1, 2, 3)
    }
    assert len(said) == 1


AGAIN = """
import hashlib, sys
from pathlib import Path
import numpy as np
from pytest_navigator import OnnxQuantizedConfig
from pytest_navigator.backends.onnx.quantization.format import OnnxQuantizedFormat
from pytest_navigator.core.variants import Variant
from pytest_navigator.formats.base import LoaderData

folder, name = Path(sys.argv[1]), sys.argv[2]
form, parent, digests = OnnxQuantizedFormat(), Variant("onnx", "onnx", None, "model.onnx", {}), []
for model, kinds in {"convolutions": ("int8", "int8-dynamic", "fp16"), "layers": ("int8", "int4")}.items():
    feeds = [{"x": array} for array in np.load(folder / f"{model}.npz").values()]
    for variant in form.variants(OnnxQuantizedConfig(precision=kinds), [parent]):
        path = folder / name / model / variant.key / "model.onnx"
        path.parent.mkdir(parents=True)
        form.convert(folder / f"{model}.onnx", LoaderData(feeds[0], feeds), None, variant, path)
        digests.append(hashlib.sha256(path.read_bytes()).hexdigest())
print(digests)
"""
