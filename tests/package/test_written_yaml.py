"""YAML of a package: libyaml writes it where it is there, and no byte depends on that."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_navigator.package.container import writer

if not hasattr(yaml, "CSafeDumper"):
    pytest.skip("PyYAML is here without libyaml", allow_module_level=True)

WORDS = st.text(st.sampled_from("ab0 -:#'\"\\,[]{}&*!|>%@`.~=<\n\t\x7f\u00e9\u2028\U0001f600"))
TEXTS = st.one_of(st.text(), WORDS, WORDS.map(lambda text: text * 40))
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS)
VALUES = st.recursive(
    LEAVES, lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.one_of(TEXTS, st.integers()), inner))
)


@given(st.fixed_dictionaries({"content": VALUES}))
@example({"": 1})
@example({"k" * 120: 1, "k" * 126: [1], "k" * 127: 1, "k" * 128: 1, "k" * 129: {}})
@example({"a": "a \n" + "b" * 121 + "\n#"})
@example({"a": "two\nlines " * 30, "b": ["null", "1.5", "0x1", "2020-01-01", "=", "yes", " x", "x ", "- a", "a: b"]})
@example({"a": "one line of words " * 30, "b": "'quoted': and, again # " * 30, "c": "\U0001f600", "d": "\x7f\r\x00"})
@example({"a": [float("inf"), float("nan"), -0.0, 1e300, 1e-7, 10**30, None, True, {}, []]})
def test_it_is_the_same_with_and_without_libyaml(content: Any) -> None:
    assert writer.dump(content) == writer._dumped(content, writer._Dumper)


def test_what_stands_there_twice_is_the_same_too() -> None:
    twice = {"shape": [1, 2], "empty": {}}

    content = {"one": twice, "other": {"again": twice}}

    assert writer.dump(content) == writer._dumped(content, writer._Dumper)


def test_what_a_package_mostly_holds_is_written_by_libyaml() -> None:
    content = {"steps": {"export[onnx]": {"status": "passed", "data": {"max_abs": 1.5e-7, "atol": [0.5, None]}}}}

    assert writer._dumped(content, writer._FastDumper) == writer.dump(content)
