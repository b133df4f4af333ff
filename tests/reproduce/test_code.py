from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_navigator.core.script_parts import MakingCode
from pytest_navigator.isolation.numerics import statements
from pytest_navigator.reproduce.code import (
    NoScript,
    call_arguments,
    call_of,
    expression,
    identifiers,
    imports_of,
    keywords,
    literal,
    paths,
)
from pytest_navigator.samples.structure import unflatten, unflatten_call

NAMES = ["a", "b c", "it's", 'say "x"', "from", "x.y"]
CONSTANTS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text())
KEYS = st.one_of(st.text(), st.integers())
TREES = st.recursive(
    st.one_of(st.sampled_from(NAMES).map(lambda name: {"leaf": name}), CONSTANTS.map(lambda value: {"value": value})),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: {"list": items}),
        st.lists(inner, max_size=3).map(lambda items: {"tuple": items}),
        st.dictionaries(KEYS, inner, max_size=3).map(lambda items: {"dict": [list(pair) for pair in items.items()]}),
    ),
    max_leaves=8,
)
ARRAYS = {name: f"array {name}" for name in NAMES}


@dataclass
class Pair:
    left: object
    right: object = None


def leaf(name: str) -> str:
    return f"x[{name!r}]"


@given(TREES)
def test_a_structure_as_source_text_is_the_structure(tree: dict):
    assert repr(eval(expression(tree, leaf), {"x": ARRAYS})) == repr(unflatten(tree, ARRAYS))


@given(st.lists(TREES, max_size=3), st.dictionaries(st.sampled_from(NAMES), TREES, max_size=3))
def test_a_call_as_source_text_is_the_call(args: list, kwargs: dict):
    tree = {"args": args, "kwargs": [list(pair) for pair in kwargs.items()]}
    got = eval(f"f({call_arguments(tree, leaf)})", {"x": ARRAYS, "f": lambda *a, **k: (list(a), k)})
    wanted = unflatten_call(tree, ARRAYS)
    assert repr(got) == repr((list(wanted.args), wanted.kwargs))


@given(TREES)
def test_the_path_of_every_array_leads_to_it(tree: dict):
    value = unflatten(tree, ARRAYS)
    for name, path in paths(tree, "y").items():
        assert eval(path, {"y": value}) == ARRAYS[name]


def test_an_object_is_made_by_its_class_and_its_fields_are_reached():
    tree = {"object": {"type": f"{__name__}:Pair", "fields": [["left", {"leaf": "a"}], ["right", {"value": None}]]}}
    assert imports_of({"args": [tree], "kwargs": []}) == [f"import {__name__}"]
    made = eval(
        expression(tree, leaf), {"x": ARRAYS, __name__.partition(".")[0]: sys.modules[__name__.partition(".")[0]]}
    )
    assert made == Pair("array a")
    assert paths(tree, "y") == {"a": "y.left"}
    assert paths(tree, "y", "part({0}, {1!r}, {2})") == {"a": "part(y, 'left', 0)"}


def test_an_object_of_a_class_that_cannot_be_imported_is_a_dict_as_it_is_for_the_plugin():
    tree = {"object": {"type": "gone:Pair", "fields": [["left", {"leaf": "a"}]]}}
    assert expression(tree, leaf) == "{'left': x['a']}"
    assert imports_of({"args": [tree], "kwargs": []}) == []


def test_what_has_no_literal_gives_no_script():
    with pytest.raises(NoScript, match="cannot be written as source text"):
        literal(object())
    with pytest.raises(NoScript):
        keywords({"options": {"hook": print}})


@given(st.lists(st.text(min_size=1), unique=True))
def test_identifiers_are_distinct_names_of_parameters(names: list[str]):
    found = identifiers(names)
    assert len(set(found)) == len(names)
    ast.parse(f"def f(self, {', '.join(found)}): pass")


def test_a_keyword_is_no_identifier():
    assert identifiers(["from", "self", "input-ids", "input_ids"]) == ["_from", "_self", "input_ids", "input_ids_"]


def made(first: object, *, sizes: list[int], name: str) -> None:
    """Is called by scripts."""


@pytest.mark.parametrize("count", [2, 60])
def test_the_call_of_a_function_has_the_plain_arguments_and_the_expressions_of_the_others(count: int):
    work = partial(made, sizes=list(range(count)), name="it's")
    got = eval(call_of(work, "args.output"), {"made": lambda *a, **k: (a, k), "args": SimpleNamespace(output="x")})
    assert got == (("x",), {"sizes": [*range(count)], "name": "it's"})
    assert max(map(len, call_of(work, "args.output").splitlines())) <= 120


def test_what_comes_after_a_making_is_written_after_it():
    first, last = MakingCode("a", ("import a",), "def a(): 1", "seed"), MakingCode("b", helpers="def b(): 2")
    both = first.then(last)
    assert (both.body, both.imports, both.seeding) == ("a\nb", ("import a",), "seed")
    assert both.helpers == "def a(): 1\n\n\ndef b(): 2"


def test_a_script_repeats_the_settings_that_are_not_the_defaults():
    torch = {"num_threads": 2, "float32_matmul_precision": "high", "deterministic": False, "cudnn_benchmark": True}
    found = {"torch": torch, "jax": {"enable_x64": True, "default_matmul_precision": None}}
    assert statements("torch", found) == "torch.set_num_threads(2)\ntorch.set_float32_matmul_precision('high')\n"
    assert statements("jax", found) == 'jax.config.update("jax_enable_x64", True)\n'
    assert statements("tensorflow", found) == ""


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.floats(allow_nan=False, allow_infinity=False)),
    lambda inner: st.one_of(
        st.lists(inner),
        st.lists(inner).map(tuple),
        st.dictionaries(st.text(), inner),
    ),
    max_leaves=40,
)


@given(VALUES, st.sampled_from(["", "name"]))
def test_a_literal_is_the_value_on_however_many_lines(value: object, name: str):
    assert repr(ast.literal_eval(literal(value, name).removeprefix("name = "))) == repr(value)


def test_a_long_literal_has_a_line_for_each_key_and_as_many_items_on_a_line_as_fit():
    text = literal({"shape": [*range(60)], "name": "x"}, "options")
    assert text.startswith("options = {\n    'shape': [\n        0, 1, 2,")
    assert text.endswith("59,\n    ],\n    'name': 'x',\n}")
    assert len(text.splitlines()) == 8
