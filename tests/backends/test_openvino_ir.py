"""What an IR of OpenVINO says of itself, and which files are one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pytest_navigator.backends.files.kinds import format_of
from pytest_navigator.backends.openvino.description import describe
from pytest_navigator.backends.openvino.model import read_model
from pytest_navigator.core.records import TensorSpec
from pytest_navigator.errors import ConfigError, SourceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

openvino = pytest.importorskip("openvino")
op = pytest.importorskip("openvino.opset13")


def saved(path: Path, build: Callable[[], Any], *, half: bool = False) -> Path:
    """Write an IR whose outputs are called y, y_1, ..."""
    results, inputs = build()
    model = openvino.Model(results, inputs, "network")
    openvino.save_model(model, path, compress_to_fp16=half)
    return path


def linear() -> Any:
    x = op.parameter([-1, 5], np.float32, name="x")
    x.output(0).set_names({"x"})
    y = op.matmul(x, op.constant(np.ones((5, 70), np.float32)), False, False)
    y.output(0).set_names({"y"})
    return [y], [x]


def typed() -> Any:
    ids, mask = op.parameter([2, -1], np.int64, name="ids"), op.parameter([2, -1], np.bool_, name="mask")
    return [op.select(mask, ids, op.constant(np.int64(0)))], [ids, mask]


@pytest.fixture
def ir(tmp_path: Path) -> Path:
    return saved(tmp_path / "net.xml", linear)


def test_it_says_names_types_and_dynamic_axes(ir: Path, tmp_path: Path) -> None:
    found = describe(ir)
    assert found.inputs == (TensorSpec("x", (-1, 5), "float32", {0: "x_0"}),)
    assert found.outputs == (TensorSpec("y", (-1, 70), "float32", {0: "y_0"}),)
    assert found.precision == "fp32"
    assert found.data["ir_version"] == 11
    assert found.data["producer"] == f"OpenVINO {openvino.__version__}"

    other = describe(saved(tmp_path / "typed.xml", typed))
    assert [(spec.name, spec.dtype, spec.shape) for spec in other.inputs] == [
        ("ids", "int64", (2, -1)),
        ("mask", "bool", (2, -1)),
    ]
    assert (other.outputs[0].dtype, other.outputs[0].name[:6], other.precision) == ("int64", "Result", "")


def test_weights_of_16_bits_are_told(tmp_path: Path) -> None:
    assert describe(saved(tmp_path / "net.xml", linear, half=True)).precision == "fp16"


def test_it_is_two_files_whatever_they_are_called_and_what_else_is_in_their_folder(ir: Path) -> None:
    (ir.parent / "notes.txt").write_text("")
    (ir.parent / "other.xml").write_text("<project/>")
    for path in (ir, ir.parent):
        assert format_of(path) == "openvino"
        assert describe(path).files == {"model.xml": "net.xml", "model.bin": "net.bin"}


@pytest.mark.parametrize("start", ["", "\ufeff", "<!-- mine -->\n", "\n"])
def test_it_is_told_by_its_content(ir: Path, start: str) -> None:
    text = ir.read_text(encoding="utf-8")
    ir.with_suffix(".model").write_text(start + (text if start else text.partition("?>")[2]), encoding="utf-8")
    assert format_of(ir.with_suffix(".model")) == "openvino"


def test_a_folder_with_two_must_be_told_which(ir: Path) -> None:
    ir.with_name("again.xml").write_text(ir.read_text(encoding="utf-8"))
    with pytest.raises(ConfigError, match=r"has 2 IRs of OpenVINO \(again.xml, net.xml\): name one, .*again.xml"):
        format_of(ir.parent)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.xml", "<project/>", "is not an IR of OpenVINO: its content is something else, it starts with '<project"),
        ("a.xml", '<net name="x"/>', "is not an IR of OpenVINO"),
        ("net.bin", "", "has no more than the weights of an IR of OpenVINO: name .*net.xml"),
    ],
)
def test_what_is_none_is_refused(ir: Path, name: str, content: str, said: str) -> None:
    if content:
        ir.with_name(name).write_text(content)
    with pytest.raises(ConfigError, match=said):
        format_of(ir.with_name(name))


def without_weights(ir: Path) -> None:
    ir.with_suffix(".bin").unlink()


def resized(size: int) -> Callable[[Path], None]:
    return lambda ir: ir.with_suffix(".bin").write_bytes((ir.with_suffix(".bin").read_bytes() * 2)[:size]) and None


def replaced(old: str, new: str) -> Callable[[Path], None]:
    return lambda ir: ir.write_text(ir.read_text().replace(old, new)) and None


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (without_weights, "net.xml needs its weights net.bin, which are not there: copy them beside it"),
        (resized(1000), "net.bin has 1000 bytes, and net.xml goes with 1400: it was cut off, or is of another model"),
        (resized(2000), "net.bin has 2000 bytes, and net.xml goes with 1400"),
        (replaced('version="11"', 'version="12"'), "version 12 of the form; it is of a newer OpenVINO than 2026"),
        (replaced('version="opset1"', 'version="opset99"'), "unsupported opset: opset99; it is of a newer OpenVINO"),
        (replaced("</net>", ""), "net.xml is not a complete IR of OpenVINO: it was cut off, or changed"),
        (replaced('type="MatMul"', 'type="Mystery"'), "cannot be read as an IR of OpenVINO: .*Mystery"),
    ],
)
def test_what_is_wrong_with_it_is_said(ir: Path, spoil: Callable[[Path], None], said: str) -> None:
    spoil(ir)
    with pytest.raises(SourceError, match=said):
        describe(ir)


def test_text_is_refused_and_what_has_any_number_of_axes(tmp_path: Path) -> None:
    def text() -> Any:
        x = op.parameter([-1], openvino.Type.string, name="x")
        return [op.shape_of(x)], [x]

    def anything() -> Any:
        x = op.parameter(openvino.PartialShape.dynamic(), np.float32, name="x")
        return [op.relu(x)], [x]

    for build, said in ((text, "input 'x' is text, which"), (anything, "how many axes input 'x' has")):
        with pytest.raises(SourceError, match=said):
            describe(saved(tmp_path / "net.xml", build))


def test_what_keeps_values_from_call_to_call_is_refused(tmp_path: Path) -> None:
    x = op.parameter([1, 4], np.float32, name="x")
    total = op.add(op.read_value(op.constant(np.zeros((1, 4), "f4")), "sum"), x)
    model = openvino.Model([op.result(total)], [op.assign(total, "sum")], [x], "sum")
    openvino.save_model(model, tmp_path / "net.xml")
    with pytest.raises(SourceError, match="keeps 1 values from one call to the next"):
        describe(tmp_path / "net.xml")


def test_weights_in_int8_are_computed_with_in_float32(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    weights, scale = random.integers(-127, 128, (64, 256), np.int8), np.full((64, 1), 0.01, "f4")

    def compressed() -> Any:
        x = op.parameter([-1, 256], np.float32, name="x")
        wide = op.multiply(op.convert(op.constant(weights), np.float32), op.constant(scale))
        return [op.matmul(x, wide, False, True)], [x]

    saved(tmp_path / "model.xml", compressed)
    x = random.standard_normal((3, 256)).astype("f4")
    (found,) = read_model(str(tmp_path))([x]).values()
    np.testing.assert_allclose(found, x @ (weights * scale).T, atol=1e-4)
