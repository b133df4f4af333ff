from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy_framework import NumpyFramework

from pytest_navigator.core.records import TensorSpec
from pytest_navigator.errors import ConfigError, SourceError
from pytest_navigator.samples.reading import Limits, batch_size, read_loader
from pytest_navigator.samples.signatures import (
    Run,
    check_output_axes,
    infer_inputs,
    infer_outputs,
    optimal_batch_size,
    resized,
    row,
    trt_profile,
    with_constant_batch,
)
from pytest_navigator.samples.structure import call_of, flatten_call


def ones(*shape, dtype="float32"):
    return np.ones(shape, dtype)


def read(loader, batch_dim=0):
    def flatten(sample):
        return flatten_call(call_of(sample, "python"), (), None, NumpyFramework())

    return read_loader(loader, flatten, Limits(), 0, batch_dim)


def inputs_of(*shapes, batch_dim=0, dynamic_axes=None, unbatched=()):
    """Infer from samples given as dicts of shapes."""
    samples = read([{name: ones(*shape) for name, shape in sample.items()} for sample in shapes], batch_dim)
    return infer_inputs(samples, batch_dim, dynamic_axes, unbatched)


def outputs_of(model, *shapes, batch_dim=0):
    """Infer from a model that takes and gives dicts, run on batches and their first rows."""
    batches = [{name: ones(*shape) for name, shape in sample.items()} for sample in shapes]
    specs = inputs_of(*shapes, batch_dim=batch_dim)
    runs = [Run(f"sample {i}", batch_size(a, batch_dim), a, model(a)) for i, a in enumerate(batches)]
    if batch_dim is not None:
        rows = [row(arrays, specs, batch_dim) for arrays in batches]
        runs += [Run(f"sample {i} at batch 1", 1, arrays, model(arrays)) for i, arrays in enumerate(rows)]
    return infer_outputs(runs, specs, batch_dim)


def test_the_batch_axis_is_dynamic_even_if_it_never_varied():
    assert inputs_of({"x": (3, 5)}) == (TensorSpec("x", (-1, 5), "float32", {0: "batch"}, True),)


def test_without_a_batch_only_what_varied_is_dynamic():
    (spec,) = inputs_of({"x": (3, 5)}, {"x": (3, 6)}, batch_dim=None)
    assert spec == TensorSpec("x", (3, -1), "float32", {1: "x_1"}, False)


def test_another_batch_axis():
    (spec,) = inputs_of({"x": (7, 3)}, {"x": (9, 2)}, batch_dim=1)
    assert (spec.shape, spec.axes, spec.batched) == ((-1, -1), {0: "x_0", 1: "batch"}, True)


def test_axes_of_equal_sizes_share_the_first_ones_symbol():
    specs = inputs_of({"ids": (2, 7), "mask": (2, 7), "z": (2, 9)}, {"ids": (2, 8), "mask": (2, 8), "z": (2, 7)})
    assert [spec.axes for spec in specs] == [{0: "batch", 1: "ids_1"}, {0: "batch", 1: "ids_1"}, {0: "batch", 1: "z_1"}]


def test_an_input_whose_size_is_not_the_batchs_is_not_batched():
    x, table, scalar = inputs_of({"x": (2, 5), "table": (4, 5), "s": ()}, {"x": (3, 5), "table": (4, 5), "s": ()})
    assert (x.batched, table.batched, scalar.batched) == (True, False, False)
    assert (table.shape, scalar.shape) == ((4, 5), ())


def test_an_input_that_is_declared_unbatched_is_not_though_it_has_the_batchs_size():
    table, x = inputs_of({"table": (3, 3), "x": (3, 5)}, unbatched=["table"])
    assert (table.batched, table.axes, x.batched) == (False, {}, True)
    table, x = inputs_of({"table": (3, 3), "x": (2, 5)}, {"table": (3, 3), "x": (1, 5)}, unbatched=["table"])
    assert (table.shape, x.axes) == ((3, 3), {0: "batch"})


def test_a_batch_axis_can_be_made_a_constant_one():
    x, table = inputs_of({"x": (1, 5), "table": (4, 5)}, {"x": (1, 6), "table": (4, 5)})
    assert with_constant_batch([x, table], 0) == (TensorSpec("x", (1, -1), "float32", {1: "x_1"}, True), table)
    assert with_constant_batch([table], None) == (table,)


def test_an_axis_that_always_has_the_batchs_size_is_not_the_batch():
    (spec,) = inputs_of({"x": (2, 2)}, {"x": (3, 3)})
    assert spec.axes == {0: "batch", 1: "x_1"}


def test_symbols_are_identifiers_and_distinct():
    specs = inputs_of({"a.b": (1, 2), "a b": (1, 3)}, {"a.b": (1, 3), "a b": (1, 5)})
    assert [spec.axes[1] for spec in specs] == ["a_b_1", "a_b_1_"]


@pytest.mark.parametrize(
    ("dynamic_axes", "axes"),
    [
        ({"x": {1: "seq"}}, [{0: "batch", 1: "seq"}, {0: "batch"}]),
        ({"x": [1]}, [{0: "batch", 1: "x_1"}, {0: "batch"}]),
        ({"x": (0, 1)}, [{0: "batch", 1: "x_1"}, {0: "batch"}]),
        ({"x": {0: "n", 1: "seq"}}, [{0: "n", 1: "seq"}, {0: "n"}]),
        ({"x": {1: "seq"}, "y": {1: "width"}}, [{0: "batch", 1: "seq"}, {0: "batch", 1: "width"}]),
        ({"x": {1: "y_1"}, "y": [1]}, [{0: "batch", 1: "y_1"}, {0: "batch", 1: "y_1_"}]),
    ],
)
def test_the_users_dynamic_axes_win(dynamic_axes, axes):
    specs = inputs_of({"x": (2, 7), "y": (2, 4)}, {"x": (3, 8), "y": (3, 4)}, dynamic_axes=dynamic_axes)
    assert [spec.axes for spec in specs] == axes
    assert [spec.shape for spec in specs] == [tuple(-1 if i in a else 4 for i in range(2)) for a in axes]


@pytest.mark.parametrize(
    ("dynamic_axes", "message"),
    [
        ({}, r"dynamic_axes lacks axis 1 of input 'ids', whose size varies in the loader \(7 to 8\)"),
        ({"ids": {0: "batch"}}, "dynamic_axes lacks axis 1 of input 'ids'"),
        ({"idz": [1]}, r"lacks axis 1 of input 'ids'.*; 'idz' is no input \(inputs: ids, y\)"),
        ({"ids": [2]}, r"input 'ids' has no axis 2, its shape is \(2, 7\)"),
        ({"ids": [-1]}, "has no axis -1"),
        ({"ids": {"1": "seq"}}, "has no axis '1'"),
        (
            {"ids": {1: "s"}, "y": {1: "s"}},
            r"calls axis 1 of input 'ids' and axis 1 of input 'y' 's', but sample 0 has",
        ),
    ],
)
def test_dynamic_axes_that_the_loader_disproves_are_an_error(dynamic_axes, message):
    with pytest.raises(ConfigError, match=message):
        inputs_of({"ids": (2, 7), "y": (2, 4)}, {"ids": (3, 8), "y": (3, 4)}, dynamic_axes=dynamic_axes)


def test_dynamic_axes_may_name_outputs_too_and_are_checked():
    inputs, outputs = [TensorSpec("ids", (-1, -1), "int64")], [TensorSpec("logits", (-1, 7), "float32")]

    check_output_axes({"ids": {0: "n"}, "logits": {0: "n"}}, inputs, outputs)
    check_output_axes({"logits": [0, 1]}, inputs, outputs)
    check_output_axes(None, inputs, outputs)
    with pytest.raises(ConfigError, match="unknown input or output in dynamic_axes 'logit'; did you mean 'logits'"):
        check_output_axes({"logit": {0: "n"}}, inputs, outputs)
    with pytest.raises(ConfigError, match=r"'logits' has no axis 2, its shape is \(-1, 7\)"):
        check_output_axes({"logits": [2]}, inputs, outputs)


def test_outputs_follow_batch_and_inputs():
    def model(arrays):
        x = arrays["ids"]
        return {"hidden": np.zeros((*x.shape, 4)), "pooled": x[:, 0], "turned": x.T, "n": np.array(1), "lang": ones(3)}

    hidden, pooled, turned, n, lang = outputs_of(model, {"ids": (2, 7)}, {"ids": (3, 5)})
    assert hidden == TensorSpec("hidden", (-1, -1, 4), "float64", {0: "batch", 1: "ids_1"}, True)
    assert pooled == TensorSpec("pooled", (-1,), "float32", {0: "batch"}, True)
    assert turned == TensorSpec("turned", (-1, -1), "float32", {0: "ids_1", 1: "batch"}, False)
    assert n == TensorSpec("n", (), "int64")
    assert lang == TensorSpec("lang", (3,), "float32")


def test_outputs_of_a_loader_of_single_rows_are_batched():
    (spec,) = outputs_of(lambda a: {"y": a["x"]}, {"x": (1, 5)})
    assert spec == TensorSpec("y", (-1, 5), "float32", {0: "batch"}, True)


def test_the_batch_symbol_of_the_user_is_the_outputs_too():
    specs = inputs_of({"x": (2, 5)}, dynamic_axes={"x": {0: "n"}})
    runs = [Run("sample 0", 2, {"x": ones(2, 5)}, {"y": ones(2)}), Run("row", 1, {"x": ones(1, 5)}, {"y": ones(1)})]
    assert infer_outputs(runs, specs, 0)[0].axes == {0: "n"}


def test_sizes_that_no_input_has_get_their_own_symbol():
    def model(arrays):
        x = arrays["x"]
        return {"a": ones(len(x), 2 * x.shape[1]), "b": ones(2 * x.shape[1])}

    a, b = outputs_of(model, {"x": (2, 3)}, {"x": (2, 4)})
    assert a.axes == {0: "batch", 1: "a_1"}
    assert b.axes == {0: "a_1"}


def test_outputs_without_a_batch():
    (spec,) = outputs_of(lambda a: {"y": a["x"].sum(0)}, {"x": (2, 3)}, {"x": (4, 5)}, batch_dim=None)
    assert spec == TensorSpec("y", (-1,), "float32", {0: "x_1"}, False)


def test_empty_and_string_outputs_are_recorded():
    empty, text = outputs_of(lambda a: {"e": ones(len(a["x"]), 0), "t": np.array("a" * len(a["x"]))}, {"x": (2, 3)})
    assert empty == TensorSpec("e", (-1, 0), "float32", {0: "batch"}, True)
    assert text == TensorSpec("t", (), "str")


@pytest.mark.parametrize(
    ("at_one", "message"),
    [
        (ones(5), r"output 'y' has shape \(5,\) on sample 0 at batch 1, \(2, 5\) on sample 0: not as many axes"),
        (ones(1, 5, dtype="float64"), "output 'y' is float64 on sample 0 at batch 1, float32 on sample 0"),
    ],
)
def test_an_output_of_another_rank_or_type_is_an_error(at_one, message):
    with pytest.raises(SourceError, match=message):
        outputs_of(lambda a: {"y": a["x"] if len(a["x"]) > 1 else at_one}, {"x": (2, 5)})


def test_other_outputs_are_an_error():
    with pytest.raises(SourceError, match="gives the outputs z on sample 0 at batch 1, y on sample 0"):
        outputs_of(lambda a: {"yz"[len(a["x"]) == 1]: a["x"]}, {"x": (2, 5)})


def test_a_row_keeps_its_axis_and_what_is_not_batched():
    specs = inputs_of({"x": (2, 3), "table": (5, 3)}, {"x": (4, 3), "table": (5, 3)})
    arrays = {"x": np.arange(12).reshape(4, 3), "table": ones(5, 3)}
    found = row(arrays, specs, 0, index=2)
    assert found["x"].tolist() == [[6, 7, 8]]
    assert found["table"] is arrays["table"]
    assert row(arrays, specs, None) == arrays


@pytest.mark.parametrize(("size", "rows"), [(1, [0]), (2, [0, 1]), (3, [0, 1, 2]), (7, [0, 1, 2, 0, 1, 2, 0])])
def test_a_batch_of_another_size_repeats_the_real_rows_in_turn(size, rows):
    specs = (TensorSpec("x", (4, -1), "int64", {1: "batch"}, True), TensorSpec("s", (), "int64"))
    x = np.arange(12).reshape(4, 3)
    found = resized({"x": x, "s": np.array(5)}, specs, 1, size)
    np.testing.assert_array_equal(found["x"], x[:, rows])
    assert found["s"] == 5


@pytest.mark.parametrize(("largest", "usual"), [(1, 1), (2, 2), (8, 8), (16, 16), (64, 32), (128, 64), (512, 256)])
def test_the_usual_batch_size_is_model_navigators(largest, usual):
    assert optimal_batch_size(largest) == usual


def test_the_profile_of_the_loader_is_model_navigators():
    shapes = [{"x": (64, 5), "t": (3,), "s": ()}, {"x": (2, 9), "t": (4,), "s": ()}, {"x": (2, 6), "t": (9,), "s": ()}]
    samples = read([{name: ones(*shape) for name, shape in sample.items()} for sample in shapes])
    assert trt_profile(samples, infer_inputs(samples, 0), 0) == {
        "x": {"min": [1, 5], "opt": [32, 6], "max": [64, 9]},
        "t": {"min": [3], "opt": [4], "max": [9]},
    }


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3)), min_size=1, max_size=6))
def test_equal_symbols_always_mean_equal_sizes(sizes):
    shapes = [{"x": (batch, a), "y": (batch, b, a)} for batch, a, b in sizes]
    specs = inputs_of(*shapes)
    for sample in shapes:
        found: dict[str, int] = {}
        for spec in specs:
            assert len(spec.shape) == len(sample[spec.name])
            for axis, size in enumerate(sample[spec.name]):
                if axis in spec.axes:
                    assert found.setdefault(spec.axes[axis], size) == size
                else:
                    assert spec.shape[axis] == size
