"""Which modules go back to eager, by what the whole pipeline gives with the formats of some of them."""

from __future__ import annotations

import pytest

from pytest_navigator.pipelines.pace import Pace, not_faster
from pytest_navigator.pipelines.settling import Gain, by_gain, settle, settled

TOGETHER = "right alone, and not together with the other formats: wrong"


@pytest.mark.parametrize(
    ("names", "wrong", "back"),
    [
        ("abc", lambda names: False, {}),
        ("", lambda names: True, {}),
        ("a", lambda names: True, {"a": "wrong"}),
        ("abc", lambda names: "b" in names, {"b": "wrong"}),
        ("abc", lambda names: "b" in names or len(names) > 1, {"b": "wrong", "c": TOGETHER}),
        ("abc", lambda names: len(names) > 1, {"c": TOGETHER, "b": TOGETHER}),
        ("abc", lambda names: True, {"a": "wrong", "b": "wrong", "c": "wrong"}),
    ],
)
def test_modules_go_back_until_the_pipeline_is_right(names, wrong, back) -> None:
    assert settled(list(names), lambda some: "wrong" if wrong(some) else "") == back


def test_a_format_is_not_faster_if_its_calls_in_the_pipeline_are_not() -> None:
    eager = Pace([0.010], {"unet": [3.0, 3.0], "vae": [1.0]})
    optimized = Pace([0.008], {"unet": [1.0, 1.2], "vae": [2.0], "encoder": []})

    assert not_faster(eager, optimized, ["unet", "vae", "encoder"]) == {
        "vae": "not faster in the pipeline: 2 ms a call, eager 1 ms"
    }


def test_a_pipeline_that_is_slower_as_a_whole_keeps_no_format() -> None:
    eager, optimized = Pace([0.010], {"unet": [3.0]}), Pace([0.012], {"unet": [2.9]})

    assert not_faster(eager, optimized, ["unet"]) == {"unet": "the pipeline is not faster with it: 12 ms, eager 10 ms"}


def test_modules_go_back_until_the_pipeline_is_right_and_none_is_slower() -> None:
    measured = []

    def measure(names):
        measured.append("".join(names))
        own = {name: [2.0 if name == "b" else 0.5] for name in names}
        return Pace([0.010], {name: [1.0] for name in names}), Pace([0.008], own)

    found = settle("abc", lambda names: "wrong" if "c" in names else "", measure)

    assert (found.names, measured) == (("a",), ["ab", "a"])
    assert found.back == {"c": "wrong", "b": "not faster in the pipeline: 2 ms a call, eager 1 ms"}
    assert found.slower == {"b"}
    assert found.paces is not None
    assert found.paces[1].modules == {"a": [0.5]}


def test_what_gains_most_in_all_its_calls_comes_first() -> None:
    gains = [Gain("a", 3.0, 1.0, 1), Gain("b", 2.0, 1.0, 3), Gain("a", 3.0, 2.0, 5), Gain("c", None, 1.0, 9)]

    assert by_gain(gains) == ["a", "b", "c"]
