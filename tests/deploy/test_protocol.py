"""The codec of the Open Inference Protocol: what a client sends arrives, and what is wrong is said."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from pytest_navigator.core.records import Signature, TensorSpec
from pytest_navigator.deploy.protocol.datatypes import DATATYPES
from pytest_navigator.deploy.protocol.errors import RequestError
from pytest_navigator.deploy.protocol.metadata import ServedModel, model_metadata
from pytest_navigator.deploy.protocol.requests import InferRequest, RequestedOutput, decode
from pytest_navigator.deploy.protocol.responses import encode
from pytest_navigator.errors import ConfigError
from pytest_navigator.samples.npz import dtype_name, dtype_of
from tests.deploy import protocol_client as client
from tests.deploy.serving import ROOT

NUMBERS = [name for name, datatype in DATATYPES.items() if datatype != "BYTES"]


def signature(inputs: list[TensorSpec], outputs: list[TensorSpec] | None = None) -> Signature:
    return Signature(tuple(inputs), tuple(outputs or inputs), {}, {}, 0, "numpy")


def open_spec(array: np.ndarray, name: str = "x") -> TensorSpec:
    return TensorSpec(name, (-1,) * array.ndim, dtype_name(array.dtype))


def sent(array: np.ndarray, **how: Any) -> np.ndarray:
    body, headers = client.request({"x": array}, **how)
    return decode(body, headers.get(client.HEADER), signature([open_spec(array)])).inputs["x"]


def got(array: np.ndarray, *, binary: bool) -> np.ndarray:
    model = ServedModel("m", signature([open_spec(array)]), "onnx/OnnxCPU")
    answer = encode(InferRequest({}, (RequestedOutput("x", binary),)), {"x": array}, model)
    return client.response(answer.body, answer.headers)["x"]


def same(found: np.ndarray, array: np.ndarray) -> bool:
    return found.dtype == array.dtype and found.shape == array.shape and found.tobytes() == array.tobytes()


SHAPES = arrays.array_shapes(min_dims=0, max_dims=4, min_side=1, max_side=4)


@st.composite
def numbers(draw: st.DrawFn) -> np.ndarray:
    """Draw an array of any type that the protocol has, of finite numbers."""
    name = draw(st.sampled_from(NUMBERS))
    if name != "bfloat16":
        elements = {"allow_nan": False, "allow_infinity": False} if "float" in name else None
        return draw(arrays.arrays(np.dtype(name), SHAPES, elements=elements))
    return draw(arrays.arrays(np.float32, SHAPES, elements={"min_value": -1000, "max_value": 1000})).astype(
        ml_dtypes.bfloat16
    )


# What numpy's arrays of text can hold: they cut off zeros at the end.
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)


@given(array=numbers(), how=st.sampled_from(["binary", "flat", "nested"]))
def test_numbers_arrive_as_they_were_sent(array: np.ndarray, how: str) -> None:
    assert same(sent(array, binary=how == "binary", nested=how == "nested" and array.ndim > 0), array)


@given(array=numbers(), binary=st.booleans())
def test_numbers_are_got_as_the_model_gave_them(array: np.ndarray, binary: bool) -> None:
    assert same(got(array, binary=binary), array)


@given(array=arrays.arrays("U8", SHAPES, elements=TEXTS), dtype=st.sampled_from(["str", "bytes"]), binary=st.booleans())
def test_text_goes_there_and_comes_back(array: np.ndarray, dtype: str, binary: bool) -> None:
    text = np.char.encode(array, "utf-8") if dtype == "bytes" else array
    arrived = sent(text, binary=binary)

    assert (arrived.dtype.kind, arrived.tolist()) == (text.dtype.kind, text.tolist())
    assert [each.decode() for each in got(text, binary=binary).ravel().tolist()] == array.ravel().tolist()


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_whole_numbers_that_no_float_has_arrive_exactly(dtype: str) -> None:
    array = np.array([0, np.iinfo(dtype).max - 1, np.iinfo(dtype).min], dtype)

    assert same(sent(array), array)
    assert same(sent(array[None], nested=True), array[None])


@pytest.mark.parametrize("value", [-1, 2**64, 0.5, True, None, "1", [1, 2]])
def test_what_is_no_uint64_is_refused(value: Any) -> None:
    body = json.dumps({"inputs": [entry("x", [2], "UINT64", [1, value])]}).encode()

    with pytest.raises(RequestError, match=r"UINT64|no regular list"):
        decode(body, None, signature([TensorSpec("x", (-1,), "uint64")]))


def test_not_a_number_and_infinity_pass_through() -> None:
    array = np.array([np.nan, np.inf, -np.inf], np.float32)

    assert same(sent(array), array)
    assert same(got(array, binary=False), array)


def test_a_byte_that_is_neither_0_nor_1_is_true() -> None:
    header = json.dumps({"inputs": [entry("x", [3], "BOOL", parameters={"binary_data_size": 3})]}).encode()

    arrived = decode(header + b"\0\1\7", str(len(header)), signature([TensorSpec("x", (-1,), "bool")])).inputs["x"]

    assert arrived.view(np.uint8).tolist() == [0, 1, 1]


def test_numbers_that_do_not_lie_at_a_multiple_of_their_size_are_copied_to_one() -> None:
    for padding in range(8):
        body, headers = client.request({"x": np.arange(3.0)}, binary=True, id="i" * padding)
        arrived = decode(body, headers[client.HEADER], signature([TensorSpec("x", (-1,), "float64")])).inputs["x"]
        assert arrived.flags.aligned
        assert arrived.tolist() == [0, 1, 2]


PAIR = signature(
    [TensorSpec("x", (-1, 4), "float32", {0: "batch"}, True), TensorSpec("n", (-1,), "int64", {0: "batch"}, True)],
    [TensorSpec("y", (-1, 4), "float32"), TensorSpec("t", (-1,), "bytes")],
)


def entry(name: str, shape: Any, datatype: str, data: Any = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "shape": shape, "datatype": datatype, **({} if data is None else {"data": data}), **more}


X, N = entry("x", [1, 4], "FP32", [1, 2, 3, 4]), entry("n", [1], "INT64", [7])


def test_inputs_come_in_any_order_and_in_both_forms_at_once() -> None:
    binary = {key: value for key, value in {**X, "parameters": {"binary_data_size": 16}}.items() if key != "data"}
    header = json.dumps({"inputs": [N, binary], "id": "seven"}).encode()

    found = decode(header + np.arange(4, dtype=np.float32).tobytes(), str(len(header)), PAIR)

    assert list(found.inputs) == ["x", "n"]
    assert found.inputs["x"].tolist() == [[0, 1, 2, 3]]
    assert found.inputs["n"].tolist() == [7]
    assert found.id == "seven"


@pytest.mark.parametrize(
    ("asked", "outputs"),
    [
        ({}, [("y", False), ("t", False)]),
        ({"outputs": []}, [("y", False), ("t", False)]),
        ({"parameters": {"binary_data_output": True}}, [("y", True), ("t", True)]),
        ({"outputs": [{"name": "t"}, {"name": "y"}]}, [("t", False), ("y", False)]),
        ({"outputs": [{"name": "t", "parameters": {"binary_data": True}}]}, [("t", True)]),
        (
            {
                "parameters": {"binary_data_output": True, "priority": 3},
                "outputs": [{"name": "t", "parameters": {"binary_data": False}}, {"name": "y"}],
            },
            [("t", False), ("y", True)],
        ),
    ],
)
def test_outputs_are_those_that_are_asked_for_in_their_order_and_form(
    asked: dict[str, Any], outputs: list[Any]
) -> None:
    found = decode(json.dumps({"inputs": [X, N], **asked}).encode(), None, PAIR)

    assert [(each.name, each.binary) for each in found.outputs] == outputs


def with_x(**changes: Any) -> dict[str, Any]:
    return {"inputs": [{**X, **changes}, N]}


WRONG: dict[str, tuple[Any, str]] = {
    "nothing": (b"", "the request is no JSON"),
    "no JSON": (b"{", "the request is no JSON"),
    "no text": (b"\xff\xfe\xfd", "the request is no JSON"),
    "levels": (b"[" * 100_000, "the request is no JSON"),
    "digits": (b'{"inputs": ' + b"1" * 5000 + b"}", "the request is no JSON"),
    "a list": ([], 'the request is a list: an object with "inputs" is needed'),
    "no inputs": ({}, "input 'x' is missing (the model's inputs: x, n)"),
    "inputs by name": ({"inputs": {"x": X}}, '"inputs" is not a list of objects'),
    "one is missing": ({"inputs": [X]}, "input 'n' is missing"),
    "another name": ({"inputs": [{**X, "name": "X"}]}, "unknown input 'X'; did you mean 'x'? (valid: n, x)"),
    "no name": ({"inputs": [{}]}, "unknown input ''"),
    "a number as its name": ({"inputs": [{**X, "name": 1}]}, '"name" is 1: a text is needed'),
    "twice": ({"inputs": [X, X]}, "input 'x' is there twice"),
    "another type": (with_x(datatype="FP64"), "input 'x' is FP64, FP32 is needed"),
    "no type": (with_x(datatype=""), "input 'x' is of no datatype, FP32 is needed"),
    "no shape": (with_x(shape=None), "input 'x': its shape is no list of whole numbers"),
    "a negative size": (with_x(shape=[-1, 4]), "input 'x': its shape is no list of whole numbers"),
    "a size that is true": (with_x(shape=[True, 4]), "input 'x': its shape is no list of whole numbers"),
    "an axis less": (with_x(shape=[4]), "input 'x' has the shape [4], the model takes [-1, 4]"),
    "another size": (with_x(shape=[1, 3], data=[1, 2, 3]), "input 'x' has the shape (1, 3), the model takes (-1, 4)"),
    "an empty array": (with_x(shape=[0, 4], data=[]), "the runtime does not take an empty array"),
    "two batch sizes": (with_x(shape=[2, 4], data=[0] * 8), "input 'n' has 1 in axis 0 (batch), 'x' has 2"),
    "a size that nothing has": (
        with_x(shape=[2**62, 4]),
        "its data has the shape [4], [4611686018427387904, 4] is said",
    ),
    "a size of thousands of digits": (with_x(shape=[10**4000, 10**4000]), "input 'x': its shape is no list of whole"),
    "many axes": (with_x(shape=[1] * 100_000), "input 'x' has the shape [1, 1, 1, "),
    "data of many levels": (with_x(data=json.loads("[" * 500 + "1" + "]" * 500)), "its data has the shape [1, 1, 1, "),
    "no data": (with_x(data="AAAA"), "input 'x' has no \"data\""),
    "too few values": (with_x(data=[1, 2, 3]), "its data has the shape [3], [1, 4] is said"),
    "nested otherwise": (with_x(data=[[1, 2], [3, 4]]), "its data has the shape [2, 2], [1, 4] is said"),
    "rows of two lengths": (with_x(data=[[1, 2, 3], [4]]), "its data is no regular list"),
    "text": (with_x(data=["1", "2", "3", "4"]), "is among values that are no FP32"),
    "null": (with_x(data=[1, None, 3, 4]), "is among values that are no FP32"),
    "true": (with_x(data=[True, True, True, True]), "True is among values that are no FP32"),
    "true among numbers": (with_x(data=[1, True, 3, 4]), "True is among values that are no FP32"),
    "a number that no float has": (with_x(data=[1, 2, 3, 10**400]), "input 'x' has a value that is outside of FP32"),
    "a type that no encoding has": (with_x(datatype="\ud800"), "input 'x' is \\ud800, FP32 is needed"),
    "too large": (with_x(data=[1, 2, 3, 1e300]), "input 'x' has a value that is outside of FP32"),
    "a fraction": ({"inputs": [X, {**N, "data": [0.5]}]}, "0.5 is among values that are no INT64"),
    "beyond int64": ({"inputs": [X, {**N, "data": [2**63]}]}, "input 'n' has a value that is outside of INT64"),
    "beyond all": ({"inputs": [X, {**N, "data": [2**70]}]}, "has a value that is outside of INT64"),
    "another output": ({"inputs": [X, N], "outputs": [{"name": "z"}]}, "unknown output 'z'"),
    "an output twice": ({"inputs": [X, N], "outputs": [{"name": "y"}] * 2}, "output 'y' is there twice"),
    "outputs by name": ({"inputs": [X, N], "outputs": "y"}, '"outputs" is not a list of objects'),
    "parameters": ({"inputs": [X, N], "parameters": [1]}, 'the "parameters" of the request are no object'),
    "an id that is none": ({"inputs": [X, N], "id": 7}, '"id" is 7: a text is needed'),
    "classification": (
        {"inputs": [X, N], "outputs": [{"name": "y", "parameters": {"classification": 3}}]},
        "output 'y': there is no classification here",
    ),
    "shared memory": (with_x(parameters={"shared_memory_region": "r"}), "input 'x': there is no shared memory here"),
    "binary without the header": (
        with_x(parameters={"binary_data_size": 16}),
        "input 'x' has binary data, and the request has no header Inference-Header-Content-Length",
    ),
}


@pytest.mark.parametrize(("content", "message"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_with_a_request_is_said(content: Any, message: str) -> None:
    with pytest.raises(RequestError) as raised:
        decode(content if isinstance(content, bytes) else json.dumps(content).encode(), None, PAIR)

    said = json.dumps(raised.value.content(), ensure_ascii=False).encode().decode()
    assert message in json.loads(said)["error"]
    assert raised.value.status == 400
    assert len(said) < 300


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (["a", None], "None is no text"),
        (["a", 1], "1 is no text"),
        (["a", ["b"]], "no regular list|is no text"),
        (["a", "\ud800"], "takes text in UTF-8"),
        (["a", "b\0"], "ends with a zero byte"),
    ],
)
@pytest.mark.parametrize("dtype", ["str", "bytes"])
def test_what_is_wrong_with_text_is_said(data: list[Any], message: str, dtype: str) -> None:
    body = json.dumps({"inputs": [entry("x", [2], "BYTES", data)]}).encode()

    with pytest.raises(RequestError, match=message):
        decode(body, None, signature([TensorSpec("x", (-1,), dtype)]))


def binary(sizes: list[Any], rest: bytes, spec: TensorSpec, shape: list[int] | None = None) -> tuple[bytes, str]:
    datatype = DATATYPES[spec.dtype]
    inputs = [entry(spec.name, shape or [2], datatype, parameters={"binary_data_size": size}) for size in sizes]
    header = json.dumps({"inputs": inputs}).encode()
    return header + rest, str(len(header))


FLOATS, STRINGS, BYTES = (TensorSpec("x", (-1,), dtype) for dtype in ("float32", "str", "bytes"))


@pytest.mark.parametrize(
    ("spec", "sizes", "rest", "message"),
    [
        (FLOATS, [8], b"1234567", "binary_data_size is 8, 7 B are left"),
        (FLOATS, [8], b"123456789", "1 B of binary data are left over"),
        (FLOATS, [4], b"1234", "has 4 B of binary data, the shape [2] of FP32 is 8 B"),
        (FLOATS, [-8], b"12345678", "binary_data_size is -8"),
        (FLOATS, ["8"], b"12345678", "binary_data_size is 8, 8 B are left"),
        (FLOATS, [None], b"12345678", "input 'x' has no \"data\""),
        (BYTES, [5], b"\1\0\0\0a", "its binary data has 1 elements, its shape says 2"),
        (BYTES, [6], b"\1\0\0\0a\1", "ends within an element"),
        (BYTES, [9], b"\1\0\0\0a\xff\xff\xff\xff", "ends within an element"),
        (BYTES, [10], b"\1\0\0\0a\1\0\0\0\0", "ends with a zero byte"),
        (STRINGS, [10], b"\1\0\0\0a\1\0\0\0\xff", "takes text in UTF-8"),
    ],
)
def test_what_is_wrong_with_binary_data_is_said(spec: TensorSpec, sizes: list[Any], rest: bytes, message: str) -> None:
    body, length = binary(sizes, rest, spec)

    with pytest.raises(RequestError) as raised:
        decode(body, length, signature([spec]))

    assert message in str(raised.value)
    assert raised.value.status == 400


@pytest.mark.parametrize("length", ["", "0", "-1", "1e2", "x", "99999", "²", "9" * 5000])
def test_a_length_of_the_header_that_cannot_be_is_refused(length: str) -> None:
    with pytest.raises(RequestError, match="a number of bytes from 1 to the"):
        decode(json.dumps({"inputs": [X, N]}).encode(), length, PAIR)


def test_one_long_text_among_many_short_ones_does_not_take_all_memory() -> None:
    count = 100_000
    rest = b"\0\0\0\0" * (count - 1) + (2**20).to_bytes(4, "little") + b"a" * 2**20
    body, length = binary([len(rest)], rest, STRINGS, [count])

    with pytest.raises(RequestError, match="are too much at once") as raised:
        decode(body, length, signature([STRINGS]))

    assert raised.value.status == 413


@pytest.mark.parametrize("dtype", ["float32", "int8", "uint64", "bool", "bfloat16"])
def test_one_long_text_among_numbers_does_not_take_all_memory(dtype: str) -> None:
    data = ["a" * 100_000, *[0] * 2000]
    body = json.dumps({"inputs": [entry("x", [len(data)], DATATYPES[dtype], data)]}).encode()
    tracemalloc.start()

    with pytest.raises(RequestError, match=r"'aaa[a']* is among values that are no"):
        decode(body, None, signature([TensorSpec("x", (-1,), dtype)]))

    assert tracemalloc.get_traced_memory()[1] < 10 * len(body)
    tracemalloc.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="its address space cannot be limited")
def test_a_request_for_which_there_is_no_memory_is_refused() -> None:
    code = """if True:
        import resource
        from pytest_navigator.deploy.protocol.errors import RequestError
        from pytest_navigator.deploy.protocol.requests import decode
        from pytest_navigator.core.records import Signature, TensorSpec
        signature = Signature((TensorSpec("x", (-1, -1), "float32"),), (), {}, {}, 0, "numpy")
        body = b'{"inputs": [{"name": "x", "data": [' + b"[]," * 2_000_000 + b"1]}]}"
        room = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize() + 2**25
        resource.setrlimit(resource.RLIMIT_AS, (room, room))
        try:
            decode(body, None, signature)
        except RequestError as error:
            print(error.status, error)
    """
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)

    assert ran.stdout == "413 there is not the memory for what the request says: send less at once\n"


PLAIN = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5)
KEYS = st.sampled_from(
    ["inputs", "outputs", "parameters", "name", "shape", "datatype", "data", "binary_data_size", "x"]
)
ANYTHING = st.recursive(
    PLAIN, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=20
)


@given(content=ANYTHING, length=st.none() | st.integers(0, 50).map(str))
def test_whatever_is_sent_is_either_read_or_refused(content: Any, length: str | None) -> None:
    for body in (
        json.dumps(content),
        json.dumps({"inputs": [content, {**X, "data": content}, {**N, "shape": content}]}),
    ):
        with pytest.raises(RequestError):
            decode(body.encode(), length, PAIR)


def test_bytes_that_are_no_text_are_refused_in_json_only() -> None:
    array = np.array([b"\xff"])

    assert got(array, binary=True).tolist() == [b"\xff"]
    with pytest.raises(RequestError, match=r"ask for it with .*binary_data"):
        got(array, binary=False)


@pytest.mark.parametrize("dtype", ["complex64", "float8_e4m3fn", "datetime64[s]"])
def test_a_type_that_the_protocol_has_no_name_for_is_refused(dtype: str) -> None:
    with pytest.raises(ConfigError, match=f"output 'y' is .*{dtype[:5]}.*has no name"):
        ServedModel("m", signature([FLOATS], [TensorSpec("y", (-1,), dtype)]), "onnx/OnnxCPU")


def test_every_type_has_a_name_that_leads_back_to_it() -> None:
    for name in NUMBERS:
        assert client.TYPES[DATATYPES[name]] == dtype_of(name)


def test_the_metadata_are_the_signature() -> None:
    found = model_metadata(ServedModel("pair", PAIR, "onnx/OnnxCPU"))

    assert found == {
        "name": "pair",
        "versions": ["1"],
        "platform": "onnx/OnnxCPU",
        "inputs": [
            {"name": "x", "datatype": "FP32", "shape": [-1, 4]},
            {"name": "n", "datatype": "INT64", "shape": [-1]},
        ],
        "outputs": [
            {"name": "y", "datatype": "FP32", "shape": [-1, 4]},
            {"name": "t", "datatype": "BYTES", "shape": [-1]},
        ],
    }
