"""Budgets as objects and as text: what can be written, and what is said of what cannot."""

from __future__ import annotations

from argparse import ArgumentTypeError
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_navigator import Budget, NavConfig
from pytest_navigator.configuration.budget_text import limits_of, parse
from pytest_navigator.configuration.budgets import BOUNDS, Limit, lines_of
from pytest_navigator.errors import ConfigError

NAMES = st.text("abcxyz019-_+.", min_size=1).filter(str.strip)
VALUES = st.floats(1e-9, 1e12)


@st.composite
def limits(draw: st.DrawFn) -> Limit:
    bound = draw(st.sampled_from(list(BOUNDS.values())))
    value = 1.0 if bound.switch else float(draw(st.integers(0, 10**6))) if bound.counts else draw(VALUES)
    batch = draw(st.none() | st.integers(2, 10**6)) if bound.measured else None
    return Limit(draw(NAMES), bound.name, value, batch)


@given(limits())
def test_a_limit_is_what_its_text_says(limit: Limit) -> None:
    assert limits_of(f"{limit.name} {limit.text}") == [limit]


@given(st.text())
def test_any_text_is_a_budget_or_is_refused(text: str) -> None:
    with suppress(ArgumentTypeError):
        lines = parse(text)
        assert parse("\n".join(lines)) == lines


@given(st.lists(st.tuples(VALUES, st.integers(2, 99)), min_size=1))
def test_objects_and_text_say_the_same(found: list[tuple[float, int]]) -> None:
    budgets = [Budget(p50_ms=value, size_mib=value, batch_size=size) for value, size in found]

    (line,) = lines_of({"onnx": budgets})

    own = [limit for v, size in found for limit in (Limit("onnx", "p50", v, size), Limit("onnx", "size", v))]
    assert limits_of(line) == own


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("onnx-cpu p50<5ms size<50MiB", "onnx-cpu p50<5ms size<50MiB"),
        ("  onnx-cpu   p50 <= 5 ms size<0.5 GiB ", "onnx-cpu p50<5ms size<512MiB"),
        ("cpu p99@batch8<0.02s avg<250us", "cpu p99@batch8<20ms avg<0.25ms"),
        ("trt full_offload cpu_nodes <= 2 speedup>1.5", "trt full_offload cpu_nodes<=2 speedup>1.5x"),
        ("onnx size<1048576kB", "onnx size<1000MiB"),
    ],
)
def test_units_blanks_and_signs_have_one_form(text: str, line: str) -> None:
    assert parse(text) == (line,)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("onnx-cpu", "no budget: a name and its limits"),
        ("p50<5ms", "no budget: a name and its limits"),
        ("onnx-cpu p50<5", "'p50<5' has no unit: write p50<5ms (units: us, ms, s)"),
        ("onnx-cpu p50<5days", "has the unit 'days'"),
        ("onnx-cpu p50<-5ms", "a finite number above 0 is needed"),
        ("onnx-cpu p50<0ms", "a finite number above 0 is needed"),
        ("onnx-cpu p50<nanms", "a finite number above 0 is needed"),
        ("onnx-cpu p50<infms", "a finite number above 0 is needed"),
        ("onnx-cpu p50<1e999ms", "a finite number above 0 is needed"),
        ("onnx-cpu p50<ms", "a finite number above 0 is needed"),
        ("onnx-cpu p50>5ms", "write p50<5ms"),
        ("onnx-cpu speedup<2x", "write speedup>5x"),
        ("onnx-cpu cpu_nodes<3", "write cpu_nodes<=0"),
        ("onnx-cpu cpu_nodes<=1.5", "a whole number, at least 0 is needed"),
        ("onnx-cpu full_offload=1", "write full_offload"),
        ("onnx-cpu p51<5ms", "limits nothing that is known; there are: avg<5ms, p50<5ms"),
        ("onnx-cpu p50@8<5ms", "a batch size is written like p50@batch8<20ms"),
        ("onnx-cpu p50@batch0<5ms", "a batch size is written like"),
        ("onnx-cpu size@batch8<5MiB", "size is of no batch size"),
    ],
)
def test_what_is_no_limit_is_refused_with_what_to_write(text: str, said: str) -> None:
    with pytest.raises(ArgumentTypeError) as refused:
        parse(text)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({}, "limits nothing"),
        ({"full_offload": False}, "limits nothing"),
        ({"p50_ms": 0}, "p50_ms=0"),
        ({"p50_ms": float("nan")}, "p50_ms=nan"),
        ({"p50_ms": True}, "p50_ms=True"),
        ({"max_cpu_nodes": 1.5}, "max_cpu_nodes=1.5"),
        ({"max_graph_breaks": -1}, "max_graph_breaks=-1"),
        ({"full_offload": 1}, "full_offload=1"),
        ({"batch_size": 0, "p50_ms": 1}, "batch_size=0"),
        ({"p50": 5}, "did you mean"),
    ],
)
def test_a_budget_that_cannot_be_is_an_error_with_the_field(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Budget(**fields)
    assert said in str(refused.value)


@pytest.mark.parametrize("value", [Budget(p50_ms=1), {"onnx": 5}, {"onnx": []}, {"a b": Budget(p50_ms=1)}, {1: 2}])
def test_a_configuration_takes_budgets_by_name(value: object) -> None:
    with pytest.raises(ConfigError, match=r"nav\.Budget"):
        NavConfig(budgets=value)  # type: ignore[arg-type]
