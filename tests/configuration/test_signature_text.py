"""Inputs and outputs as people write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pytest_navigator.configuration.signature_text import (
    annotation_path,
    as_text,
    missing,
    read_annotation,
    specs,
    with_batch,
)
from pytest_navigator.core.records import TensorSpec
from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

FASTPITCH = "input__0:-1,-1:int64 input__1:-1,1:int64"
"""From Model Navigator's documentation, as its two annotated outputs with one name are."""

ANNOTATION = """
inputs:
    input__0:
      name: input__0
      shape: [-1, -1]
      dtype: int64
outputs:
    output__2:
      name: output__2
      shape: [-1, -1]
      dtype: float16
    output__3:
      name: output__2
      shape: [-1, -1]
      dtype: float16
"""


def triples(tensors: tuple[TensorSpec, ...]) -> list[tuple[str, tuple[int, ...], str]]:
    return [(spec.name, spec.shape, spec.dtype) for spec in tensors]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (FASTPITCH, [("input__0", (-1, -1), "int64"), ("input__1", (-1, 1), "int64")]),
        (FASTPITCH.split(), [("input__0", (-1, -1), "int64"), ("input__1", (-1, 1), "int64")]),
        ("image__0=-1,3,-1,-1:float32", [("image__0", (-1, 3, -1, -1), "float32")]),
        ("serving_x:0:-1,3:float32", [("serving_x:0", (-1, 3), "float32")]),
        ("threshold::float32", [("threshold", (), "float32")]),
        ("x:4:bfloat16 y:4:f4 z:4:torch.float16 w:4:str", [
            ("x", (4,), "bfloat16"), ("y", (4,), "float32"), ("z", (4,), "float16"), ("w", (4,), "str")
        ]),
        ({"b": {"name": "b", "shape": [2], "dtype": "bool"}}, [("b", (2,), "bool")]),
    ],
)  # fmt: skip
def test_every_form_is_taken(text: object, expected: object) -> None:
    assert triples(specs(text, "--nav-inputs")) == expected


@given(
    st.lists(
        st.tuples(
            st.from_regex(r"[A-Za-z/][\w.:/]{0,8}[\w/]", fullmatch=True),
            st.lists(st.one_of(st.just(-1), st.integers(1, 9999)), max_size=5),
            st.sampled_from(["float32", "int64", "bfloat16", "bool", "uint8"]),
        ),
        min_size=1,
        max_size=4,
        unique_by=lambda triple: triple[0],
    )
)
def test_what_is_written_is_what_is_read(tensors: list[tuple[str, list[int], str]]) -> None:
    text = " ".join(f"{name}:{','.join(map(str, shape))}:{dtype}" for name, shape, dtype in tensors)
    mapping = {name: {"shape": shape, "dtype": dtype} for name, shape, dtype in tensors}

    read = specs(text, "here")

    assert sorted(triples(read)) == sorted((name, tuple(shape), dtype) for name, shape, dtype in tensors)
    assert specs(as_text(read), "here") == read
    assert specs(mapping, "here") == read


def test_indices_at_the_end_of_the_names_say_the_order() -> None:
    assert [spec.name for spec in specs("b__1:1:int8 a__0:1:int8", "here")] == ["a__0", "b__1"]
    assert [spec.name for spec in specs("b__1:1:int8 a__1:1:int8", "here")] == ["b__1", "a__1"]
    assert [spec.name for spec in specs("b:1:int8 a:1:int8", "here")] == ["b", "a"]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("x", "'x' is no name with a shape and a type; write name:shape:dtype, like input__0:"),
        ("x:1,a:float32", "'1,a' is no shape"),
        ("x:-2:float32", "axis 0 has the size -2"),
        ("x:1:flota32", "'flota32' is no type of numpy; did you mean 'float32'?"),
        ("x:1:object", "no tensor has the type 'object'"),
        ("x:1:int8 x:2:int8", "'x' comes twice"),
        ("", "nothing is named"),
        (7, "7 is neither text, a list of texts nor a mapping"),
        ({"x": {"shape": [1]}}, "x: {'shape': [1]} has no shape and dtype; write {shape: "),
        ({"x": {"shape": "1,2", "dtype": "int8"}}, "x: shape: '1,2' is no list of whole numbers"),
        ({"x": {"shape": [1], "dtype": "int8", "shpe": 1}}, "unknown key 'shpe'; did you mean 'shape'?"),
        ({"x": {"shape": [1], "dtype": None}}, "None"),
    ],
)
def test_what_is_wrong_is_named_with_what_to_write(value: object, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        specs(value, "--nav-inputs")

    assert str(raised.value).startswith("--nav-inputs: ")
    assert message in str(raised.value)


def test_the_batch_is_axis_0_where_it_is_dynamic() -> None:
    found = with_batch(specs("x:-1,3:float32 y:-1:int64 z:1,-1:int64 w::int64", "here"))

    assert [spec.batched for spec in found] == [True, True, False, False]
    assert [spec.axes for spec in found] == [{0: "batch"}, {0: "batch"}, {1: "z_1"}, {}]


def test_the_batch_has_the_name_that_the_file_has_for_it_in_the_first_input() -> None:
    one, other = TensorSpec("a", (-1,), "int8", {0: "unk__1"}), TensorSpec("b", (-1,), "int8", {0: "unk__2"})

    assert [spec.axes for spec in with_batch([one, other])] == [{0: "unk__1"}, {0: "unk__1"}]


def test_what_is_another_axis_too_is_not_the_batch() -> None:
    table, keys = TensorSpec("t", (-1, -1), "int8", {0: "n", 1: "k"}), TensorSpec("k", (-1,), "int8", {0: "k"})

    assert [spec.batched for spec in with_batch([table, keys])] == [True, False]


def test_an_annotation_file_is_beside_the_model(tmp_path: Path) -> None:
    model = tmp_path / "model.pt"
    (tmp_path / "model.pt.yaml").write_text(ANNOTATION)

    inputs, outputs = read_annotation(model)

    assert inputs is not None
    assert outputs is not None
    assert triples(inputs) == [("input__0", (-1, -1), "int64")]
    assert [spec.name for spec in outputs] == ["output__2", "output__3"]


def test_without_an_annotation_nothing_is_said(tmp_path: Path) -> None:
    assert read_annotation(tmp_path / "model.pt") == (None, None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("inptus: x", "unknown key 'inptus'; did you mean 'inputs'?"),
        ("max_batch_size: 8", "belong into --nav-config"),
        ("- inputs", "lines of the form `key: value` are needed"),
        ("inputs: {x: {shape: [1], dtype: int8}, x: {shape: [2], dtype: int8}}", "the key 'x' comes twice"),
        ("inputs: [", "is no YAML"),
    ],
)
def test_a_wrong_annotation_is_named(tmp_path: Path, content: str, message: str) -> None:
    model = tmp_path / "model.pt"
    annotation_path(model).write_text(content)

    with pytest.raises(ConfigError) as raised:
        read_annotation(model)

    assert str(annotation_path(model)) in str(raised.value)
    assert message in str(raised.value)


def test_the_text_for_a_model_without_a_signature_can_be_pasted(tmp_path: Path) -> None:
    model = tmp_path / "model.pt"
    lines = missing(model, ["image__0", "mask__1"]).splitlines()

    annotation_path(model).write_text("\n".join(lines[1:-1]))

    inputs, outputs = read_annotation(model)
    assert inputs == specs(lines[-1].partition('--nav-inputs="')[2].partition('"')[0], "here")
    assert outputs == specs(lines[-1].partition('--nav-outputs="')[2].partition('"')[0], "here")
    assert yaml.safe_load("\n".join(lines[1:-1]))["inputs"].keys() == {"image__0", "mask__1"}
    assert str(annotation_path(model)) in lines[0]
