"""LiteRT: what TensorFlow's converter makes of a SavedModel, and what it gives back, type by type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import pytest

from pytest_navigator import LiteRTConfig, QuantizationConfig
from pytest_navigator.backends.litert.files import fitted, in_file
from pytest_navigator.backends.litert.format import LiteRTFormat
from pytest_navigator.backends.litert.shapes import shapes_of
from pytest_navigator.core.records import LoaderRecord, Signature, TensorSpec
from pytest_navigator.core.variants import Variant
from pytest_navigator.devices.requirements import missing
from pytest_navigator.errors import ConfigError, InputError, StepFailed
from pytest_navigator.formats.base import LoaderData

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_navigator.backends.litert.runner import LiteRTRunner

pytest.importorskip("ai_edge_litert")
tf = pytest.importorskip("tensorflow")

SAVED = Variant("tf-savedmodel", "tf-savedmodel", None, "model.savedmodel", {"signature": "serving_default"})
BATCH = {0: "batch"}
INT8 = LiteRTConfig(precision="int8")
Convert: TypeAlias = "Callable[..., tuple[LiteRTRunner, dict[str, Any]]]"


def signature_of(inputs: dict[str, str], outputs: dict[str, str], columns: int = 4) -> Signature:
    sides = [
        tuple(TensorSpec(name, (-1, columns), dtype, BATCH, True) for name, dtype in side.items())
        for side in (inputs, outputs)
    ]
    return Signature(sides[0], sides[1], {"args": [], "kwargs": []}, {"dict": []}, 0, "tensorflow")


@pytest.fixture
def convert(tmp_path: Path) -> Convert:
    """Convert a function of x and others to files for the batches; the runner is not yet activated."""

    def convert(
        function: Any,
        kinds: dict[str, str],
        said: dict[str, str] | None = None,
        outputs: dict[str, str] | None = None,
        config: LiteRTConfig | None = None,
        sizes: tuple[int, ...] = (3, 2),
        columns: int = 4,
        samples: list[dict[str, np.ndarray]] | None = None,
    ):
        specs = {name: tf.TensorSpec((None, 4), kind, name=name) for name, kind in kinds.items()}
        model = tf.Module()
        model.call = tf.function(function, autograph=False).get_concrete_function(**specs)
        tf.saved_model.save(model, str(tmp_path / "model.savedmodel"), signatures={"serving_default": model.call})
        signature = signature_of(said or kinds, outputs or {"y": "float32"}, columns)
        batches = [
            {name: np.linspace(0, 9, 4 * rows).reshape(rows, 4).astype(kind) for name, kind in (said or kinds).items()}
            for rows in sizes
        ]
        data = LoaderData(
            batches[0],
            batches if samples is None else samples,
            LoaderRecord(max_batch_size=max(sizes), asked_batches=(5,)),
        )
        form, variant = LiteRTFormat(), LiteRTFormat().variants(config or LiteRTConfig(), [SAVED])[-1]
        path = tmp_path / variant.key / variant.file
        path.parent.mkdir()
        form.check_fit(variant, data.record, signature)
        found = form.convert(tmp_path / "model.savedmodel", data, signature, variant, path)
        return form.runner_specs[0].load()(path, signature, variant.parameters), found

    return convert


def dense(x: Any) -> dict[str, Any]:
    return {"y": x @ tf.reshape(tf.linspace(-1.0, 1.0, 512), (4, 128)) @ tf.ones((128, 4))}


@pytest.mark.parametrize(
    ("said", "in_file", "told"),
    [
        ("float32", "float32", ""),
        ("float16", "float16", ""),
        ("bool", "bool", ""),
        ("uint8", "uint8", ""),
        ("int64", "int64", ""),
        ("int64", "int32", "; input x is int32 in the file (int64 in the model)"),
    ],
)
def test_inputs_and_outputs_have_the_types_of_the_model_whatever_those_of_the_file(
    convert: Convert, said: str, in_file: str, told: str
) -> None:
    runner, found = convert(lambda x: {"y": tf.identity(x)}, {"x": in_file}, {"x": said}, {"y": said})
    assert found["note"] == f"it takes batches of 1, 2, 3, 5 alone{told}"
    assert found["batch_sizes"] == [1, 2, 3, 5]
    x = np.array([[0, 1, 0, 2], [3, 0, 5, 1]]).astype(said)
    with runner:
        (y,) = runner.infer({"x": x}).values()
        assert (y.dtype, y.tolist()) == (x.dtype, x.tolist())
        if in_file == "int32":
            with pytest.raises(InputError, match=f"input 'x' has {2**40 + 5}, and the file takes int32 for its int64"):
                runner.infer({"x": x + 2**40})


def test_each_batch_has_a_file_and_any_other_one_is_an_error_with_those_there_are(convert: Convert) -> None:
    runner, _ = convert(dense, {"x": "float32"})
    x = np.random.default_rng(0).standard_normal((7, 4)).astype("float32")
    with runner:
        wanted = dense(x)["y"].numpy()
        for rows in (1, 2, 3, 5):
            np.testing.assert_allclose(runner.infer({"x": x[:rows]})["y"], wanted[:rows], atol=1e-4)
        with pytest.raises(InputError, match=r"takes x \(7, 4\).*made for: batch1: \(1, 4\); batch2: \(2, 4\)"):
            runner.bind({"x": x})
        assert runner.settings()["files"] == "batch1, batch2, batch3, batch5"


def test_names_decide_and_not_the_order_of_the_file(convert: Convert) -> None:
    kinds = {"b": "float32", "a": "float32"}
    runner, _ = convert(lambda b, a: {"z": b - a, "y": b * a}, kinds, outputs=dict.fromkeys("yz", "float32"))
    ones = np.ones((1, 4), "float32")
    with runner:
        found = runner.infer({"a": ones, "b": 3 * ones})
    assert {name: array[0, 0] for name, array in found.items()} == {"y": 3, "z": 2}


def test_int8_keeps_float_inputs_and_outputs_and_says_how_much_of_it_is_int8(convert: Convert) -> None:
    runner, found = convert(dense, {"x": "float32"}, config=INT8)
    assert (found["quantized"]["quantized"], found["quantized"]["total"]) == (2, 2)
    assert found["quantized"]["samples"] == 2
    x = np.linspace(0, 9, 12).reshape(3, 4).astype("float32")
    with runner:
        (y,) = runner.infer({"x": x}).values()
    wanted = dense(x)["y"].numpy()
    assert y.dtype == np.float32
    assert 0 < np.abs(y - wanted).max() < 0.1 * np.abs(wanted).max()


def test_a_model_with_nothing_to_quantize_fails(convert: Convert) -> None:
    with pytest.raises(StepFailed, match="there is nothing to quantize"):
        convert(lambda x: {"y": x + 1}, {"x": "float32"}, config=INT8)


def test_operators_that_litert_has_not_are_named(convert: Convert) -> None:
    with pytest.raises(StepFailed, match=r"LiteRT has no operator for Betainc: only TensorFlow's own \(Flex\)"):
        convert(lambda x: {"y": tf.math.betainc(x, x, x)}, {"x": "float32"})


def test_text_is_refused_by_its_name(convert: Convert) -> None:
    with pytest.raises(StepFailed, match="'x' is text"):
        convert(lambda x: {"y": x}, {"x": "string"}, {"x": "str"})


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"calibration_method": "entropy"}, "LiteRT's quantizers find ranges by 'minmax' alone"),
        ({"calibration_method": "percentile", "percentile": 99.0}, "by 'minmax' alone"),
        ({"search": "accuracy"}, "the format litert-int8 has no search"),
    ],
)
def test_what_no_converter_can_do_is_refused(asked: dict[str, Any], text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        LiteRTConfig(precision="int8", quantization=QuantizationConfig(**asked))


@pytest.mark.parametrize("asked", [{"per_channel": False}, {"symmetric": True}, {"exclude": ["up"]}])
def test_what_tensorflows_converter_cannot_do_is_refused(convert: Convert, asked: dict[str, Any]) -> None:
    config = LiteRTConfig(precision="int8", quantization=QuantizationConfig(**asked))
    (name,) = asked
    with pytest.raises(StepFailed, match=rf"QuantizationConfig\({name}=.*is not for TensorFlow's converter"):
        convert(dense, {"x": "float32"}, config=config)


def test_other_axes_have_files_of_their_own_up_to_a_number() -> None:
    signature = signature_of({"x": "float32"}, {"y": "float32"}, -1)
    batches = [{"x": np.zeros((2, columns), "f4")} for columns in (4, 7, 7, 0)]
    assert shapes_of(LoaderData(batches[0], batches), signature) == {
        "batch1": {"x": [1, 4]},
        "batch1-2": {"x": [1, 7]},
        "batch2": {"x": [2, 4]},
        "batch2-2": {"x": [2, 7]},
    }
    with pytest.raises(StepFailed, match="no more than 16 are made"):
        shapes_of(LoaderData(batches[0], [{"x": np.zeros((2, size), "f4")} for size in range(1, 10)]), signature)


@pytest.mark.parametrize(("size", "rows"), [(1, [[0], [1], [2]]), (2, [[0, 1], [2, 0]]), (5, [[0, 1, 2, 0, 1]])])
def test_samples_are_cut_into_the_batches_of_a_file_and_filled_up(size: int, rows: list[list[int]]) -> None:
    samples = [{"x": np.arange(3), "w": np.zeros(2)}, {"x": np.arange(3), "w": np.zeros(4)}]
    found = fitted(samples, {"x": [size], "w": [2]}, ["x"], 0)
    assert [part["x"].tolist() for part in found] == rows


def test_where_pytorchs_converter_is_missing_the_conflict_and_the_way_out_are_told() -> None:
    text = missing(("litert_torch",))
    if text is None:
        pytest.skip("litert-torch is installed here")
    assert "typing-extensions below 4.13" in text
    assert "pip install pytest-navigator[litert]" in text
    assert "--nav-interpreter=litert=" in text


@pytest.mark.parametrize(
    ("samples", "text"),
    [
        ([], "there is no sample to calibrate on"),
        ([{"x": np.array([[0, np.nan, 1, 2]], "f4")}], r"x\[0, 1\] = nan"),
    ],
)
def test_what_cannot_be_calibrated_on_is_told(
    convert: Convert, samples: list[dict[str, np.ndarray]], text: str
) -> None:
    with pytest.raises(StepFailed, match=text):
        convert(dense, {"x": "float32"}, config=INT8, samples=samples)


def test_other_axes_are_told_with_the_sizes_that_were_made(convert: Convert) -> None:
    _, found = convert(lambda x: {"y": tf.nn.relu(x)}, {"x": "float32"}, columns=-1)
    assert found["note"] == "it takes batches of 1, 2, 3, 5 alone; axis 1 of input x is 4 alone"


def test_an_attribute_that_the_converter_has_not_is_an_error_with_the_nearest_one(convert: Convert) -> None:
    config = LiteRTConfig(custom_args={"optimizatoins": []})
    with pytest.raises(StepFailed, match="no attribute 'optimizatoins'; did you mean 'optimizations'"):
        convert(dense, {"x": "float32"}, config=config)


@pytest.mark.parametrize("shape", [(), (1,), (2, 3)])
def test_arrays_keep_their_shape_and_are_quantized_where_the_file_is(shape: tuple[int, ...]) -> None:
    array = np.full(shape, 0.5, "float32")
    assert in_file("x", array, {"dtype": np.float32, "quantization": (0.0, 0)}).shape == shape
    found = in_file("x", array, {"dtype": np.int8, "quantization": (0.01, -8)})
    assert (found.dtype, found.tolist()) == (np.int8, np.full(shape, 42).tolist())
