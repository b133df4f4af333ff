from __future__ import annotations

import json
from collections import OrderedDict, UserDict
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy_framework import NumpyFramework, Wrapped

from pytest_navigator.errors import ConfigError, SourceError
from pytest_navigator.samples.differences import difference
from pytest_navigator.samples.structure import (
    Call,
    call_of,
    flatten_call,
    flatten_output,
    model_navigator_tree,
    unflatten,
    unflatten_call,
)

A, B, C = (np.full((2, i), float(i), "float32") for i in (1, 2, 3))
FRAMEWORK = NumpyFramework()


class Boxes(NamedTuple):
    low: object
    high: object


@dataclass
class Prediction:
    scores: object
    labels: object = None


@dataclass(frozen=True)
class Counted:
    scores: object
    count: object = field(init=False, default=0)


@dataclass
class OtherArguments:
    scores: object

    def __init__(self) -> None:
        self.scores = A


def flat(sample, parameters=(), names=None, framework="torch"):
    return flatten_call(call_of(sample, framework), parameters, names, FRAMEWORK)


def names_of(sample, parameters=(), **kwargs):
    return list(flat(sample, parameters, **kwargs)[1])


def output_names(value, configured=None):
    return list(flatten_output(value, configured, FRAMEWORK)[1])


@pytest.mark.parametrize(
    ("sample", "call"),
    [
        ("x", Call("x")),
        (("x", "y"), Call("x", "y")),
        (["x", "y"], Call("x", "y")),
        ({"a": "x"}, Call(a="x")),
        (("x", {"a": "y"}), Call("x", a="y")),
        (({"a": "y"},), Call(a="y")),
        (["x", {"a": "y"}], Call("x", {"a": "y"})),
        (UserDict({"a": "x"}), Call(a="x")),
        (Call({"a": "x"}), Call({"a": "x"})),
        ((), Call()),
        (None, Call(None)),
    ],
)
def test_a_sample_is_the_arguments_of_the_call(sample, call):
    assert call_of(sample, "torch") == call
    assert call_of(sample, "jax") == call
    assert call_of(sample, "python") == call


@pytest.mark.parametrize("sample", ["x", ["x", "y"], ("x", "y"), ("x", {"a": "y"}), {"a": "x"}])
def test_a_sample_of_keras_is_one_argument(sample):
    assert call_of(sample, "tensorflow") == Call(sample)


def test_a_call_of_keras_is_taken_as_it_is():
    assert call_of(Call("x", training=False), "tensorflow") == Call("x", training=False)


def test_keyword_arguments_have_string_keys():
    with pytest.raises(SourceError, match=r"its key 1 is a int: use strings, or Call\(mapping\)"):
        call_of({1: A}, "torch")


def test_a_call_shows_its_arguments():
    assert repr(Call(1, "a", mask=None)) == "Call(1, 'a', mask=None)"
    assert Call(1) != Call(2)
    assert Call(1) != 1
    assert Call(self=1).kwargs == {"self": 1}


@pytest.mark.parametrize(
    ("sample", "parameters", "names"),
    [
        (A, (), ["input__0"]),
        (A, ("x",), ["x"]),
        ((A, B), ("x",), ["x", "input__1"]),
        ({"b": A, "a": B}, ("x", "y"), ["b", "a"]),
        ((A, {"mask": B}), ("x", "mask"), ["x", "mask"]),
        (Call({"a": A, "b": {"c": B}}), ("x",), ["a", "b__c"]),
        (Call((A, B), [C]), ("pair", "rest"), ["pair__0", "pair__1", "rest__0"]),
        (Call((A, B)), (), ["input__0", "input__1"]),
        (Call([{"a": A}, {"a": B}]), ("x",), ["x__0__a", "x__1__a"]),
        (Call([{"a": A}, {"a": B}]), (), ["input__0__0__a", "input__0__1__a"]),
        (Call({"a": A}, {"a": B}), ("x", "y"), ["x__a", "y__a"]),
        (Call(Boxes(A, B)), ("x",), ["low", "high"]),
        (Call(Prediction(A)), ("x",), ["scores"]),
        ({"a__b": A, "a": {"b": B}}, (), ["a__b", "a__b__1"]),
        ((A, {"input__0": B}), (), ["input__0", "input__0__1"]),
        ({"a": {"": A}}, (), ["a"]),
        (Call({"": A, 3: B}), (), ["input__0", "3"]),
        ((None, A, 3), ("x", "y", "z"), ["y"]),
    ],
)
def test_names_are_keys_then_parameters_then_numbers(sample, parameters, names):
    assert names_of(sample, parameters) == names


def test_configured_names_win_in_flattening_order():
    _, arrays = flat({"b": A, "a": B}, names=("ids", "mask"))
    assert list(arrays) == ["ids", "mask"]
    assert arrays["mask"] is not B
    np.testing.assert_array_equal(arrays["mask"], B)


def test_a_wrong_number_of_configured_names_is_told_with_the_found_ones():
    with pytest.raises(ConfigError, match=r"input_names has 1 names \(ids\) for 2 inputs \(b, a\)"):
        flat({"b": A, "a": B}, names=("ids",))
    with pytest.raises(ConfigError, match=r"output_names has 2 names \(x, y\) for 1 outputs \(output__0\)"):
        flatten_output(A, ("x", "y"), FRAMEWORK)


def test_configured_names_are_unique():
    with pytest.raises(ConfigError, match="input_names has 'x' more than once"):
        flat((A, B), names=("x", "x"))


def test_an_output_does_not_get_the_name_of_an_input():
    """An ONNX graph has one name space for both."""
    tree, arrays = flatten_output({"x": A, "y": B, "z": [C]}, None, FRAMEWORK, taken=["x", "z__0", "output__z__0"])
    assert list(arrays) == ["output__x", "y", "output__z__0__1"]
    assert tree["dict"][0] == ["x", {"leaf": "output__x"}]
    with pytest.raises(ConfigError, match="output_names has 'x', which an input is called"):
        flatten_output(A, ["x"], FRAMEWORK, taken=["x"])


@pytest.mark.parametrize(
    ("value", "names"),
    [
        (A, ["output__0"]),
        ((A, B), ["output__0", "output__1"]),
        ((A, (B, C)), ["output__0", "output__1", "output__2"]),
        ({"logits": A, "hidden": (B, C)}, ["logits", "hidden__0", "hidden__1"]),
        ([{"boxes": A}, {"boxes": B}], ["output__0__boxes", "output__1__boxes"]),
        ({"scores": (A, {"mask": B})}, ["scores__0", "scores__1__mask"]),
        (Prediction(A, None), ["scores"]),
        ({"a": A, "none": None}, ["a"]),
    ],
)
def test_outputs_have_the_names_of_keys_else_numbers(value, names):
    assert output_names(value) == names


def test_numbers_and_strings_are_leaves_of_outputs_and_constants_of_inputs():
    tree, arrays = flatten_output({"n": 3, "f": 0.5, "b": True, "s": "word", "none": None}, None, FRAMEWORK)
    assert {name: (array.shape, array.dtype.kind) for name, array in arrays.items()} == {
        "n": ((), "i"),
        "f": ((), "f"),
        "b": ((), "b"),
        "s": ((), "U"),
    }
    assert arrays["s"].item() == "word"
    assert ["none", {"value": None}] in tree["dict"]
    tree, arrays = flat((A, 3, "word"))
    assert tree["args"][1:] == [{"value": 3}, {"value": "word"}]
    assert list(arrays) == ["input__0"]


def test_numpy_scalars_are_arrays_without_axes():
    _, arrays = flat((np.float64(2), np.int32(3)))
    assert [(a.shape, a.dtype.name) for a in arrays.values()] == [((), "float64"), ((), "int32")]


def test_leaves_are_copies_in_native_byte_order():
    array = np.arange(3, dtype=">f4")
    _, arrays = flat(array)
    array[:] = 9
    assert arrays["input__0"].tolist() == [0, 1, 2]
    assert arrays["input__0"].dtype == np.dtype("float32")
    assert arrays["input__0"].dtype.isnative


def test_arrays_of_the_framework_are_converted_even_if_they_look_like_a_structure():
    tree, arrays = flat(Wrapped([1.0, 2.0]))
    assert tree == {"args": [{"leaf": "input__0"}], "kwargs": []}
    assert arrays["input__0"].tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("sample", "place"),
    [
        (Call([{"x": {1, 2}}]), r'args\[0\]\[0\]\["x"\] is a set'),
        ({"x": object()}, r'kwargs\["x"\] is a object'),
        (Call(Boxes(A, b"raw")), r"args\[0\]\.high is a bytes"),
        ((A, 1j), r"args\[1\] is a complex"),
        (Call({(1, 2): A}), r"args\[0\] has the key \(1, 2\), a tuple: only str and int keys"),
        (Call({True: A}), r"args\[0\] has the key True, a bool"),
        (np.array([A, None], dtype=object), r"args\[0\] is an array of Python objects"),
    ],
)
def test_what_is_not_supported_is_named_with_its_place_and_type(sample, place):
    with pytest.raises(SourceError, match=place):
        flat(sample)


def test_a_cache_in_the_output_has_a_hint():
    class DynamicCache:
        pass

    with pytest.raises(
        SourceError, match=r'output\["past"\] is a .*DynamicCache: .*; turn it off with use_cache=False'
    ):
        flatten_output({"x": A, "past": DynamicCache()}, None, FRAMEWORK)


def test_a_structure_that_contains_itself_is_an_error():
    endless: list[object] = [A]
    endless.append(endless)
    with pytest.raises(SourceError, match="nested deeper than 100: does it contain itself"):
        flat(Call(endless))


def test_an_integer_that_no_numpy_type_holds_is_an_error():
    with pytest.raises(SourceError, match="output is an array of Python objects"):
        flatten_output(2**70, None, FRAMEWORK)


@pytest.mark.parametrize("sample", [(), 5, {"x": [1, 2]}, None])
def test_a_sample_without_arrays_is_an_error(sample):
    with pytest.raises(SourceError, match=r"there is no array in (the sample: it is empty|Call\()"):
        flat(sample)


@pytest.mark.parametrize("value", [None, (), {"x": None}])
def test_an_output_without_anything_to_compare_is_an_error(value):
    with pytest.raises(SourceError, match="nothing to compare in the model's output"):
        flatten_output(value, None, FRAMEWORK)


def test_the_sources_own_classes_come_back():
    value = {"boxes": Boxes(A, B), "prediction": Prediction(C), "ordered": OrderedDict(x=A), "list": [B, (C,)]}
    tree, arrays = flatten_output(value, None, FRAMEWORK)
    back = unflatten(json.loads(json.dumps(tree)), arrays)
    assert isinstance(back["boxes"], Boxes)
    np.testing.assert_array_equal(back["boxes"].high, B)
    assert isinstance(back["prediction"], Prediction)
    assert back["prediction"].labels is None
    assert type(back["ordered"]) is dict
    assert isinstance(back["list"], list)
    assert isinstance(back["list"][1], tuple)


def test_fields_that_are_not_arguments_come_back_too():
    value = Counted(A)
    object.__setattr__(value, "count", B)
    back = unflatten(*flatten_output(value, None, FRAMEWORK))
    np.testing.assert_array_equal(back.count, B)


def local_class():
    @dataclass
    class Local:
        scores: object

    return Local(A)


@pytest.mark.parametrize(
    "kind",
    [
        f"{local_class.__module__}:{type(local_class()).__qualname__}",
        "no_such_module_at_all:Prediction",
        f"{local_class.__module__}:NoSuchClass",
        f"{local_class.__module__}:OtherArguments",
        "os:getcwd",
        "builtins:dict",
        ":Prediction",
    ],
)
def test_an_object_whose_class_is_not_here_or_is_no_record_becomes_a_dict(kind):
    tree = {"object": {"type": kind, "fields": [["scores", {"leaf": "scores"}]]}}
    assert unflatten(tree, {"scores": 1}) == {"scores": 1}


def test_what_is_not_a_node_is_an_error():
    with pytest.raises(ValueError, match="not a node of a structure"):
        unflatten({"set": []}, {})
    with pytest.raises(ValueError, match="not a node of a structure"):
        model_navigator_tree({"set": []})


def test_outputs_of_transformers_come_back_without_the_fields_that_are_none():
    outputs = pytest.importorskip("transformers.modeling_outputs")
    torch_framework = pytest.importorskip("pytest_navigator.backends.torch.source")
    torch = pytest.importorskip("torch")
    framework = torch_framework.TorchFramework()
    value = outputs.BaseModelOutput(last_hidden_state=torch.ones(2, 3), hidden_states=(torch.ones(1), torch.zeros(1)))
    tree, arrays = flatten_output(value, None, framework)
    assert list(arrays) == ["last_hidden_state", "hidden_states__0", "hidden_states__1"]
    back = unflatten(tree, arrays)
    assert isinstance(back, outputs.BaseModelOutput)
    assert back.attentions is None
    assert back.last_hidden_state.shape == (2, 3)


def test_a_batch_of_a_tokenizer_is_the_keyword_arguments():
    transformers = pytest.importorskip("transformers")
    call = call_of(transformers.BatchEncoding({"input_ids": A, "attention_mask": B}), "torch")
    assert list(call.kwargs) == ["input_ids", "attention_mask"]


@pytest.mark.parametrize(
    ("sample", "form"),
    [
        (A, "input__0"),
        ((A, B), ["input__0", "input__1"]),
        ({"a": A, "b": (B, 3)}, {"a": "a", "b": ["b__0", 3]}),
        ((A, {"mask": B}), ["input__0", {"mask": "mask"}]),
        (Call({"x": A}), [{"x": "x"}, {}]),
        (Call([A]), [["input__0"]]),
        ((A, None, True, "word"), ["input__0", None, True, None]),
        (Call(Boxes(A, B)), [{"low": "low", "high": "high"}, {}]),
    ],
)
def test_the_tree_has_model_navigators_form(sample, form):
    assert model_navigator_tree(flat(sample)[0]) == form


@pytest.mark.parametrize(
    ("here", "there", "text"),
    [
        ({"a": A}, {"a": A, "mask": B}, 'kwargs["mask"] is missing'),
        ({"a": A, "mask": B}, {"a": A}, 'kwargs["mask"] is not in sample 0'),
        (Call((A, B)), Call((A, B, C)), "args[0] is a tuple of 2, sample 0 has 3"),
        (Call((A, B)), Call([A, B]), "args[0] is a tuple of 2, sample 0 has a list of 2"),
        (Call({"x": (A,)}), Call({"x": A}), 'args[0]["x"] is a tuple of 1, sample 0 has an array'),
        ((A, 1), (A, 2), "args[1] is the constant 1, sample 0 has the constant 2"),
        ((A, 1), (A, True), "args[1] is the constant 1, sample 0 has the constant True"),
        ((A, 1), (A, 1.0), "args[1] is the constant 1, sample 0 has the constant 1.0"),
        ((A, None), (A, B), "args[1] is the constant None, sample 0 has an array"),
        (A, (A, B), "args[1] is missing"),
        (Call(Boxes(A, B)), Call(Prediction(A)), "args[0] is a test_structure.Boxes, sample 0 has a test_structure"),
        (Call(Boxes(A, (B,))), Call(Boxes(A, B)), "args[0].high is a tuple of 1, sample 0 has an array"),
        ((A, {"k": B}), ((A, B)), "args[1] is missing"),
    ],
)
def test_a_difference_is_one_line_with_its_place(here, there, text):
    found = difference(flat(here)[0], flat(there)[0])
    assert found is not None
    assert found.startswith(text)
    assert "\n" not in found


@pytest.mark.parametrize(
    ("here", "there"),
    [({"a": A, "b": B}, {"b": A, "a": C}), ((A, float("nan")), (B, float("nan"))), (OrderedDict(a=A), {"a": A})],
)
def test_equal_structures_have_no_difference(here, there):
    assert difference(flat(here)[0], flat(there)[0]) is None


def test_another_order_of_keys_matters_when_names_go_by_order():
    here, there = (flat(sample, names=("x", "y"))[0] for sample in ({"b": A, "a": B}, {"a": A, "b": B}))
    assert difference(here, there) == "kwargs[\"b\"] is named 'x', sample 0 has 'y' there: keep the order of keys"


def test_a_difference_of_outputs_starts_at_the_output():
    trees = [flatten_output(value, None, FRAMEWORK)[0] for value in ({"a": A}, A, {"a": [A]})]
    assert difference(trees[0], trees[1], "sample 2") == "output is a dict of 1, sample 2 has an array"
    assert difference(trees[2], trees[0]) == 'output["a"] is a list of 1, sample 0 has an array'


CONSTANTS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4)
LEAVES = st.builds(lambda n: np.full((n,), n, "int32"), st.integers(0, 3))
STRUCTURES = st.recursive(
    CONSTANTS | LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=3) | st.integers(), inner, max_size=3)
        | st.builds(Boxes, inner, inner)
        | st.builds(Prediction, inner, inner)
    ),
    max_leaves=8,
)


def same(a: object, b: object) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return bool(np.array_equal(a, b))
    if isinstance(a, Prediction):
        return same(vars(a), vars(b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


@given(args=st.lists(STRUCTURES, max_size=3), kwargs=st.dictionaries(st.text(max_size=3), STRUCTURES, max_size=3))
def test_any_call_comes_back_from_its_plain_data(args, kwargs):
    call = Call(A, *args, **kwargs)
    tree, arrays = flatten_call(call, ("x", "y"), None, FRAMEWORK)
    tree = json.loads(json.dumps(tree))
    back = unflatten_call(tree, arrays)
    assert same(back.args, call.args)
    assert same(back.kwargs, call.kwargs)
    assert difference(tree, tree) is None


@given(args=st.lists(STRUCTURES, max_size=3), other=st.lists(STRUCTURES, max_size=3))
def test_no_difference_means_that_the_names_are_the_same(args, other):
    here, there = (flatten_call(Call(A, *each), (), None, FRAMEWORK) for each in (args, other))
    if difference(here[0], there[0]) is None:
        assert here[1].keys() == there[1].keys()
