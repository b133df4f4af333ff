"""Which modules go back to eager, by what the whole pipeline gives with the formats of some of them."""

from __future__ import annotations

import itertools
import time
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

import pytest
import torch

from pytest_navigator.pipelines.pace import ROUNDS, Block, Pace, caveat, doubts, not_faster, paces
from pytest_navigator.pipelines.registry import ModuleOptions, Wrapped
from pytest_navigator.pipelines.samples import PipelineSample
from pytest_navigator.pipelines.settling import Gain, by_gain, settle, settled

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def pace(calls: dict[str, list[float]], contention: float = 0.0) -> Pace:
    """What a pipeline of these modules took in each round, in ms of a call; it takes a ms more."""
    rounds = zip(*calls.values(), strict=True)
    blocks = [Block([1 + sum(own)], dict(zip(calls, ([ms] for ms in own), strict=True))) for own in rounds]
    return Pace(blocks, contention)


def test_a_format_is_not_faster_if_its_calls_in_the_pipeline_are_not() -> None:
    eager = pace({"unet": [3.0] * ROUNDS, "vae": [1.0] * ROUNDS})
    optimized = pace({"unet": [1.1] * ROUNDS, "vae": [2.0] * ROUNDS})

    assert not_faster(eager, optimized, ["unet", "vae", "never called"]) == {
        "vae": "not faster in the pipeline: 2.00 ms a call, eager 1.00 ms"
    }
    assert doubts(eager, optimized, ["unet", "vae"]) == {}
    assert caveat(eager, optimized) == ""


def test_a_pipeline_that_is_slower_as_a_whole_keeps_no_format() -> None:
    eager, optimized = (Pace([Block([ms], {"unet": [own]})] * ROUNDS) for ms, own in ((10.0, 3.0), (12.0, 2.9)))

    assert not_faster(eager, optimized, ["unet"]) == {
        "unet": "the pipeline is not faster with it: 12.0 ms, eager 10.0 ms"
    }


NOISY = [1.2, 1.9, 0.9, 1.3, 1.1, 0.8, 1.4, 1.5]
"""Slower in most rounds, by 25 % in the middle: less than eight of eight prove nothing."""


def test_noise_takes_no_format_away_and_is_told() -> None:
    eager, optimized = pace({"unet": [1.0] * ROUNDS}), pace({"unet": NOISY}, contention=0.6)

    assert not_faster(eager, optimized, ["unet"]) == {}
    busy = "its 8 comparisons differ: the machine was busy, measured while others used 60 % of the processors"
    assert doubts(eager, optimized, ["unet"]) == {"unet": f"in the pipeline 1.25 ms a call, eager 1.00 ms, but {busy}"}
    assert caveat(eager, optimized) == f"that it is slower with the formats is not borne out: {busy}"


@pytest.mark.parametrize(
    ("rounds", "slower"),
    [([1.1] * 7, False), ([1.5] * 3, True), ([1.5] * 2, False), ([1.5, 1.1, 1.6], False), ([1.1] * 8, True)],
)
def test_few_rounds_prove_a_large_difference_only(rounds: list[float], slower: bool) -> None:
    eager, optimized = pace({"unet": [1.0] * len(rounds)}), pace({"unet": rounds})

    assert bool(not_faster(eager, optimized, ["unet"])) is slower
    if not slower:
        assert f"there was time for {len(rounds)} of 8 comparisons" in doubts(eager, optimized, ["unet"])["unet"]


def test_the_fastest_calls_of_turns_count_whatever_disturbs_others() -> None:
    """Every third call of the module sleeps, and more often while the format runs: it is faster all the same."""
    module, calls, waits = torch.nn.Identity(), itertools.count(), {"own": 0.004, "every": 5}
    wrapped = Wrapped("unet", module, ModuleOptions())

    def pipeline(x: torch.Tensor) -> torch.Tensor:
        time.sleep(waits["own"] + (0.05 if next(calls) % waits["every"] == 0 else 0))
        return wrapped.module(x)

    @contextmanager
    def swapped() -> Iterator[None]:
        waits.update(own=0.001, every=3)
        yield
        waits.update(own=0.004, every=5)

    eager, optimized = paces(pipeline, [PipelineSample(0, 1, (torch.ones(1),))], [wrapped], swapped)

    assert len(eager.blocks) == len(optimized.blocks) >= 3
    assert not_faster(eager, optimized, ["unet"]) == {}
    assert (eager.module_ms("unet"), eager.module_ms("other")) == (pytest.approx(0, abs=50), None)


def test_a_pipeline_that_raises_while_it_is_measured_says_what() -> None:
    def pipeline(x: object) -> object:
        raise RuntimeError("gone")

    with pytest.raises(RuntimeError, match="gone"):
        paces(pipeline, [PipelineSample(0, 1, (1,))], [], nullcontext)


def test_modules_go_back_until_the_pipeline_is_right_and_none_is_slower() -> None:
    measured = []

    def measure(names):
        measured.append("".join(names))
        own = {name: [2.0 if name == "b" else 0.5] * ROUNDS for name in names}
        return pace({name: [1.0] * ROUNDS for name in names}), pace(own)

    found = settle("abc", lambda names: "wrong" if "c" in names else "", measure)

    assert (found.names, measured) == (("a",), ["ab", "a"])
    assert found.back == {"c": "wrong", "b": "not faster in the pipeline: 2.00 ms a call, eager 1.00 ms"}
    assert found.slower == {"b"}
    assert found.paces is not None
    assert found.paces[1].module_ms("a") == 0.5
    assert (found.doubts, found.caveat) == ({}, "")


def test_what_gains_most_in_all_its_calls_comes_first() -> None:
    gains = [Gain("a", 3.0, 1.0, 1), Gain("b", 2.0, 1.0, 3), Gain("a", 3.0, 2.0, 5), Gain("c", None, 1.0, 9)]

    assert by_gain(gains) == ["a", "b", "c"]
