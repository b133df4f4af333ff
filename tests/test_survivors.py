"""The list of mutants that may survive: `tox -e mutation` fails by whatever it does not hold, or holds too much."""

from __future__ import annotations

from survivors import Survivor, faults, listed, place, table

ALIVE = Survivor("comparison.ties.tied", "return True", "return False")


def run(killed, survived=0, **others):
    counts = {"killed": killed, "survived": survived, **others}
    names = ((status, n) for status, count in counts.items() for n in range(count))
    return {f"pytest_navigator.comparison.ties.x_tied__mutmut_{status}{n}": status for status, n in names}


def test_every_listed_mutant_has_a_reason_and_is_one_of_the_modules_that_are_mutated():
    assert {mutant.where.split(".")[0] for mutant in listed()} <= {"comparison", "isolation", "planning", "reporting"}


def test_a_run_of_which_every_survivor_is_listed_is_in_order():
    assert list(faults(run(19, 1), [ALIVE], {ALIVE})) == []


def test_a_mutant_that_never_ends_is_killed():
    assert list(faults(run(0, timeout=3), [], set())) == []


def test_a_survivor_that_is_not_listed_is_told_as_it_is_to_be_listed():
    (text,) = faults(run(99, 1), [ALIVE], set())
    assert ALIVE.text in text


def test_a_listed_mutant_that_is_killed_is_told():
    (text,) = faults(run(100), [], {ALIVE})
    assert "does not survive" in text


def test_too_few_killed_mutants_fail_although_all_survivors_are_listed():
    (text,) = faults(run(94, 6), [ALIVE], {ALIVE})
    assert text == "94 of 100 mutants were killed, which is less than 95%"


def test_a_run_that_was_broken_off_fails():
    (text,) = faults({**run(99), "pytest_navigator.x_y__mutmut_1": "not checked"}, [], set())
    assert text.startswith("1 mutants were not checked")
    assert "all mutants" in next(iter(faults({}, [], set())))


def test_a_line_per_module_and_one_for_all():
    assert table(run(3, 1)) == [
        "comparison.ties                  3 of     4 killed: 75.0%",
        "all                              3 of     4 killed: 75.0%",
    ]


def test_a_mutant_is_named_by_its_function():
    assert place("pytest_navigator.comparison.ties.x__explain__mutmut_3") == "comparison.ties._explain"
    assert place("pytest_navigator.comparison.verdicts.xǁTallyǁadd__mutmut_12") == "comparison.verdicts.Tally.add"
