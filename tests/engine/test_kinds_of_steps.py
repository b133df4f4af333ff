"""A kind of step is one row of the table of kinds, and one piece of code."""

from __future__ import annotations

from pytest_navigator.core.steps import KINDS, PARENT, PLANNED, VARIANT, Per
from pytest_navigator.engine.step_code import StepCode
from pytest_navigator.engine.steps import STEPS
from pytest_navigator.plugin.suite import NavigatorSuite


def test_every_kind_that_a_run_makes_has_code_and_a_test():
    assert list(STEPS) == [kind.name for kind in PLANNED]
    assert [name for name in vars(NavigatorSuite) if name.startswith("test_")] == [f"test_{name}" for name in STEPS]


def test_a_kind_comes_after_one_that_is_made_before_it():
    names = list(KINDS)
    for kind in KINDS.values():
        assert kind.after in ("", PARENT, VARIANT, *names[: names.index(kind.name)])
        assert bool(kind.after) == (kind.per is not Per.MODEL)


def test_what_the_cache_may_keep_says_what_it_depends_on():
    usual = StepCode.content
    kept = {name for name, code in STEPS.items() if code.content is not usual}
    assert kept == {kind.name for kind in PLANNED if kind.cached is not False}
