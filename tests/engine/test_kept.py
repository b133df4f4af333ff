"""Runners that stay loaded from one step to the next."""

from __future__ import annotations

import pytest

from pytest_navigator.core.records import Signature
from pytest_navigator.engine.kept import MOST, KeptRunners
from pytest_navigator.runners.base import Runner


class Counted(Runner):
    """Counts how often it is loaded, at rest and freed."""

    loads = rests = frees = 0

    def activate(self) -> None:
        self.loads += 1

    def rest(self) -> None:
        self.rests += 1

    def deactivate(self) -> None:
        self.frees += 1

    def infer(self, feed: object) -> dict[str, object]:  # type: ignore[override]
        return {}

    def bind(self, feed: object) -> object:  # type: ignore[override]
        return None


def loaded() -> Counted:
    runner = Counted(None, Signature((), (), None, None, None, "numpy"), {})  # type: ignore[arg-type]
    runner.activate()
    return runner


def used(kept: KeptRunners, name: str = "a", *, fits: bool = True) -> Counted:
    with kept.one((name, "", ""), loaded, lambda _: fits) as runner:
        assert isinstance(runner, Counted)
        assert not runner.frees
        return runner


def test_the_next_step_of_a_cell_gets_the_one_that_is_loaded() -> None:
    kept = KeptRunners()

    first, second = used(kept), used(kept)

    assert first is second
    assert (first.loads, first.rests, first.frees) == (1, 2, 0)


def test_one_that_does_not_fit_is_freed() -> None:
    kept = KeptRunners()
    first = used(kept)

    assert used(kept, fits=False) is not first
    assert first.frees == 1


def test_one_whose_step_raises_is_freed() -> None:
    kept = KeptRunners()

    with pytest.raises(ZeroDivisionError), kept.one(("a", "", ""), loaded, lambda _: True) as runner:
        raise ZeroDivisionError

    assert isinstance(runner, Counted)
    assert runner.frees == 1
    assert used(kept) is not runner


def test_those_that_were_used_last_are_kept() -> None:
    kept = KeptRunners()
    runners = [used(kept, name) for name in "abc"]

    assert [runner.frees for runner in runners] == [1, *[0] * MOST]
    assert used(kept, "c") is runners[2]
    assert used(kept, "a") is not runners[0]


def test_all_are_freed_when_a_model_goes() -> None:
    kept = KeptRunners()
    runners = [used(kept, name) for name in "ab"]

    kept.clear()

    assert [runner.frees for runner in runners] == [1, 1]
