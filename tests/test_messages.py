from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pytest_navigator.errors import StepFailed
from pytest_navigator.isolation.messages import decode
from pytest_navigator.isolation.messages import encode
from pytest_navigator.isolation.messages import error_fields
from pytest_navigator.isolation.messages import error_from
from pytest_navigator.isolation.messages import one_line

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
    assert one_line(ValueError(text)) == "ValueError: wrong shape (in Dense.call())"


def test_an_error_in_a_tf_function_is_the_end_of_its_traceback() -> None:
    text = 'in user code:\n\n    File "model.py", line 3, in call  *\n        x @ w\n\n    ValueError: no such shape\n'
    assert one_line(ValueError(text)) == "ValueError: no such shape"
