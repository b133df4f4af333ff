from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from pytest_navigator.comparison.correctness import Comparison
from pytest_navigator.comparison.tolerances import Rule, default, snr
from pytest_navigator.reproduce import comparison
from pytest_navigator.reproduce.scripts import RULES

DTYPES = ["float64", "float32", "float16", "bfloat16", "complex64", "bool", "uint8", "int8", "int64", "uint64", "<U3"]

FLOATING_RULES = [
    Rule("close", atol=0.1),
    Rule("close", atol=0.1, rtol=0.2),
    default("float32"),
    default("bfloat16"),
    Rule("cosine", minimum=0.9),
    snr(6, cosine=0.9),
]
RULES_FOR_ALL = [Rule("equal"), Rule("share", minimum=0.5), Rule("unchecked", note="sampled")]


def dtype_of(name: str) -> np.dtype:
    return np.dtype(getattr(ml_dtypes, name, name))


def as_in_a_script(rule: Rule) -> comparison.Output:
    output: comparison.Output = eval(RULES[rule.kind](rule), vars(comparison))
    return output


def judged(rule: Rule, pairs: list[tuple[np.ndarray, np.ndarray]]) -> tuple[comparison.Output, object]:
    script, plugin = as_in_a_script(rule), Comparison({"y": rule})
    for sample, (expected, actual) in enumerate(pairs):
        script.add(expected, actual)
        plugin.add(sample, "batch", {"y": expected}, {"y": actual})
    return script, plugin.reports()[0]


@st.composite
def pairs_of_arrays(draw: st.DrawFn) -> tuple[Rule, list[tuple[np.ndarray, np.ndarray]]]:
    dtype = draw(st.sampled_from(DTYPES))
    floating = "float" in dtype
    rule = draw(st.sampled_from([*RULES_FOR_ALL, *(FLOATING_RULES if floating or "complex" in dtype else [])]))
    pairs = []
    for _ in range(draw(st.integers(1, 3))):
        shape = draw(npst.array_shapes(min_dims=0, max_dims=2, max_side=4))
        stored = "float32" if dtype == "bfloat16" else dtype
        arrays = npst.arrays(stored, shape).map(lambda a: a.astype(dtype_of(dtype)))
        expected = draw(arrays)
        pairs.append((expected, draw(st.one_of(st.just(expected.copy()), arrays))))
    return rule, pairs


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@given(pairs_of_arrays())
def test_a_script_judges_as_the_plugin_does(case: tuple[Rule, list[tuple[np.ndarray, np.ndarray]]]):
    script, report = judged(*case)
    assert (script.verdict() == "passed") == (not report.problem)
    assert script.max_abs == report.atol
    assert script.max_rel == report.rtol


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (np.zeros((2, 3), np.float32), np.zeros((3, 2), np.float32)),
        (np.zeros(3, np.float32), np.zeros(3, np.float64)),
        (np.zeros(3, np.int32), np.zeros(3, np.int64)),
        (np.zeros(3, np.float32), np.zeros(3, np.int64)),
        (np.zeros(3, np.float32), np.array([0, np.nan, 0], np.float32)),
        (np.zeros(3, np.float32), np.array([0, np.inf, 0], np.float32)),
        (np.array([np.inf]), np.array([-np.inf])),
    ],
)
def test_what_no_rule_allows_fails_under_every_rule(expected: np.ndarray, actual: np.ndarray):
    for rule in RULES_FOR_ALL + FLOATING_RULES:
        script, report = judged(rule, [(expected, actual)])
        assert script.verdict() != "passed"
        assert report.problem
        assert (script.max_abs, script.max_rel) == (report.atol, report.rtol)


def test_a_large_output_has_the_plugins_scale():
    expected = np.random.default_rng(1).lognormal(0, 3, 20_000).astype(np.float32)
    scale_reached = expected + np.float32(9e-5)
    for actual in (scale_reached, expected + np.float32(1e-3), expected * np.float32(1.001)):
        script, report = judged(default("float32"), [(expected, actual)])
        assert (script.verdict() == "passed") == (not report.problem)
