"""The digest of plain data."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from pytest_navigator.core.digests import plain_digest

KEYS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3)
DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(DATA)
def test_a_digest_is_the_same_after_the_data_was_in_a_file(data: object) -> None:
    # JSON has one key for 1 and "1": what is read is what the last of them says.
    once = json.loads(json.dumps(data))

    assert plain_digest(once) == plain_digest(json.loads(json.dumps(once)))  # type: ignore[arg-type]
    assert plain_digest(data) == plain_digest(once)  # type: ignore[arg-type]


@given(st.dictionaries(KEYS, st.integers(), min_size=2))
def test_the_order_of_keys_does_not_matter(data: dict[object, int]) -> None:
    backwards = json.loads(json.dumps(dict(reversed([*json.loads(json.dumps(data)).items()]))))

    assert plain_digest(backwards) == plain_digest(data)  # type: ignore[arg-type]


def test_numbers_and_texts_may_be_keys_of_one_mapping() -> None:
    assert plain_digest({1: "x", "a": {None: 2}}) != plain_digest({1: "x", "a": {None: 3}})  # type: ignore[dict-item]
