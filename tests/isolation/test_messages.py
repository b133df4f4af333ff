from __future__ import annotations

import os
import re
from itertools import pairwise

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pytest_navigator.backends.onnx.names import rename
from pytest_navigator.errors import StepFailed
from pytest_navigator.formats.exporting import exporter, failure
from pytest_navigator.formats.ways import Way, Ways, first_that_makes
from pytest_navigator.isolation.breakdowns import broke_down
from pytest_navigator.isolation.causes import error_line
from pytest_navigator.isolation.messages import decode, encode, error_fields, error_from

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
dtypes = st.one_of(
    hnp.scalar_dtypes(),
    hnp.unicode_string_dtypes(),
    hnp.byte_string_dtypes(),
    st.sampled_from([np.dtype(ml_dtypes.bfloat16), np.dtype(ml_dtypes.float8_e4m3fn), np.dtype(ml_dtypes.int4)]),
)


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray:
    """Any type and shape, also without elements, of rank 0 or not contiguous; the content is any bytes."""
    dtype = draw(dtypes)
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4))
    if dtype.kind in "USmM":
        array = draw(hnp.arrays(dtype, shape))
    else:
        array = draw(hnp.arrays(np.int8, shape, elements=st.integers(0, 1))).astype(dtype)
    return array.T if draw(st.booleans()) else array


def through(content, sent):
    parts = encode(content, sent)
    received = iter(list(parts))
    return decode(lambda: next(received))


@settings(deadline=None)
@given(st.dictionaries(st.text(), plain, max_size=3), st.dictionaries(st.text(), arrays(), max_size=3))
def test_a_message_arrives_as_it_was_sent(content, sent):
    content.pop("arrays", None)

    result, received = through(content, sent)

    assert result == content
    assert list(received) == list(sent)
    for name, array in sent.items():
        assert received[name].dtype == array.dtype
        assert received[name].shape == array.shape
        assert received[name].tobytes() == array.tobytes()
        assert received[name].flags.writeable


def test_no_arrays_are_not_an_empty_dict_of_arrays():
    assert through({}, None) == ({}, None)
    assert through({}, {}) == ({}, {})


def test_special_values_keep_their_bits():
    array = np.array([np.nan, -np.inf, -0.0, 1e-45], dtype=np.float32)

    assert through({}, {"x": array})[1]["x"].tobytes() == array.tobytes()


@pytest.mark.parametrize("dtype", [object, [("a", "f4")]])
def test_elements_that_are_not_bytes_are_refused_before_anything_is_sent(dtype):
    with pytest.raises(TypeError, match=r"array 'x' has the type .* convert it"):
        encode({}, {"x": np.zeros(2, dtype)})


def test_content_that_is_not_plain_is_refused_before_anything_is_sent():
    with pytest.raises(TypeError, match="float32"):
        encode({"x": np.float32(1)})


def test_a_traceback_leaves_out_the_first_frames_of_the_file_that_is_named():
    def fail():
        raise ValueError("wrong")

    with pytest.raises(ValueError) as caught:
        fail()

    assert "in fail" in error_fields(caught.value)["detail"]
    assert error_fields(caught.value, frames_of=__file__)["detail"] == "ValueError: wrong\n"


def test_an_error_whose_text_begins_with_an_empty_line_keeps_its_first_real_line():
    error = error_from(error_fields(ValueError("\n  a table\nof numbers")))

    assert isinstance(error, StepFailed)
    assert error.message == "ValueError: a table"


def test_an_error_whose_text_ends_like_a_traceback_is_told_by_its_last_line():
    text = "The following operation failed.\nTraceback of TorchScript:\n  x = ...\nRuntimeError: shape '[3]' is invalid"

    assert error_fields(RuntimeError(text))["message"] == "RuntimeError: shape '[3]' is invalid"


def test_an_error_of_a_keras_layer_is_its_cause_and_the_layer() -> None:
    text = "Exception encountered when calling Dense.call().\n\n\x1b[1mwrong\nshape\x1b[0m\n\nArguments received by ..."
    assert error_line(ValueError(text)) == "ValueError: wrong shape (in Dense.call())"


def test_an_error_in_a_tf_function_is_the_end_of_its_traceback() -> None:
    text = 'in user code:\n\n    File "model.py", line 3, in call  *\n        x @ w\n\n    ValueError: no such shape\n'
    assert error_line(ValueError(text)) == "ValueError: no such shape"


def chained(*errors: Exception) -> Exception:
    """Return the first error, raised from the second, and so on."""
    for outer, inner in pairwise(errors):
        outer.__cause__ = inner
    return errors[0]


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (chained(RuntimeError("cannot load"), KeyError("w")), "RuntimeError: cannot load (caused by KeyError: 'w')"),
        (chained(RuntimeError("a: too small"), ValueError("too small")), "RuntimeError: a: too small"),
        (
            chained(RuntimeError("broken"), ValueError("failed to resolve torch.ops.shop.clip.default")),
            "the operator 'shop::clip' is not registered in the process that runs the model",
        ),
        (
            RuntimeError("\nUnknown builtin op: shop::clip.\nCould not find any similar ops"),
            "the operator 'shop::clip' is not registered in the process that runs the model",
        ),
        (
            RuntimeError("Op type not registered 'ShopClip' in binary running on host. Make sure ..."),
            "the operator 'ShopClip' is not registered in the process that runs the model",
        ),
        (
            RuntimeError("Unknown type name '__torch__.torch.classes.shop.Stack':"),
            "the class 'shop.Stack' of torch.classes is not registered in the process that runs the model",
        ),
        (
            ValueError("Graph execution error:\n\nDetected at node X defined at (most recent call last):\n"
                       "<stack traces unavailable>\nshapes do not fit\n\t [[{{node X}}]] [Op:__inference_9]"),
            "ValueError: shapes do not fit",
        ),
        (
            RuntimeError("Got invalid dimensions for input: x for the following indices\n index: 0 Got: 1 Expected: 2"
                         "\n Please fix either the inputs/outputs or the model."),
            "RuntimeError: Got invalid dimensions for input: x for the following indices: index: 0 Got: 1 Expected: 2",
        ),
    ],
)  # fmt: skip
def test_the_innermost_cause_is_told(error: Exception, line: str) -> None:
    assert error_line(error) == line


def test_what_fails_in_a_graph_is_told_with_the_line_of_the_model() -> None:
    text = (
        "no overload for aten.sub. Tried overloads:\nname Tensor\n\nOriginal traceback:\n"
        'File "flat.py", line 91, in forward\n    found = f()\n'
        '  File "model.py", line 13, in forward\n    bias = 1.0 - mask\n'
        '  File "torch/functional.py", line 1, in f\n    return g()\n'
    )
    message = failure("torch.onnx.export", RuntimeError(text)).message
    assert message.startswith("torch.onnx.export: no overload for aten.sub. Tried overloads: name Tensor")
    assert message.endswith(" (at model.py:13: bias = 1.0 - mask)")


def test_a_long_error_of_an_exporter_keeps_its_end_where_the_sizes_are():
    text = f"Cannot reshape {'a very long name of a node ' * 50}: input shape (3, 7), requested shape (4, 5)"
    message = failure("torch.onnx.export", RuntimeError(text)).message
    assert message.startswith("torch.onnx.export: Cannot reshape a very long name")
    assert message.endswith("input shape (3, 7), requested shape (4, 5)")
    assert len(message) < 500


def test_an_error_of_ours_is_not_printed_as_the_exporters():
    with pytest.raises(StepFailed) as caught, exporter("tf2onnx"):
        rename(None, {})
    assert re.fullmatch(
        r"pytest_navigator itself failed while it used tf2onnx, which tells nothing of the model: AttributeError: "
        r"'NoneType' .* \(at backends/onnx/names\.py:\d+: .+\); please report it, with format\.log",
        caught.value.message,
    )
    assert broke_down(caught.value.kind, caught.value.message)


def test_an_error_of_others_is_the_exporters():
    with pytest.raises(StepFailed, match=r"^torch\.export: 'GONE'"), exporter("torch.export"):
        os.environ["GONE"]


@pytest.mark.parametrize("made", [True, False])
def test_after_an_error_of_ours_the_next_way_is_tried_and_without_an_artifact_it_is_a_failure(made):
    def attempt(way: Way) -> str:
        if way.engine == "first":
            with exporter("first"):
                rename(None, {})
        if not made:
            raise StepFailed("there is no operator for it")
        return way.engine

    ways = Ways((Way("first"), Way("second")))
    if made:
        assert first_that_makes(ways, attempt).value == "second"
        return
    with pytest.raises(StepFailed, match=r"itself failed .*; by second: there is no operator for it$") as caught:
        first_that_makes(ways, attempt)
    assert broke_down(caught.value.kind, caught.value.message)
