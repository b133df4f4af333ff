"""`--nav-budget`, `nav_budget` and `NavConfig(budgets=...)`: each limit is an item of its own."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import pytest
from blackbox import calls, member, status, words

import pytest_navigator as nav_package
from pytest_navigator.core.facts import facts_of
from pytest_navigator.gates.facts import BudgetFacts

if TYPE_CHECKING:
    from blackbox import Fake, Nav

EASY = "fake-cpu p50<1s p99<1s avg<1s size<1MiB memory<1TB speedup>0.0001x".replace("1TB", "1000GiB")
NAMES = ("avg", "p50", "p99", "size", "memory", "speedup")
QUICK = {"profile_seconds": "0.05"}
SLOW_ONCE = """note(f"in-{os.getpid()}")
        first = Path(__file__).with_name("calls.txt").read_text().count("in-") < 3
        return lambda: (time.sleep(0.004 * first), self.infer_quietly(feed))"""
"""What the format's own measurements, of two batch sizes, take longer than the one that follows."""


@pytest.fixture(params=[pytest.param((), id="one"), pytest.param(("-n2",), id="n2")])
def workers(request: pytest.FixtureRequest) -> tuple[str, ...]:
    chosen: tuple[str, ...] = request.param
    return chosen


def test_each_limit_is_an_item_and_each_outcome_is_recorded_and_shown(
    dense: Fake, nav: Nav, workers: tuple[str, ...], pytester: pytest.Pytester
) -> None:
    dense(**QUICK)
    package = pytester.path / "o.nav"

    ran = nav(f"--nav-budget={EASY}", f"--nav-package={package}", "-v", *workers, formats="", profile=True)

    items = {name: word for name, word in words(ran).items() if name.startswith("test_budget")}
    assert items == {f"test_budget[fake-cpu-{name}]": "PASSED" for name in NAMES}
    assert re.search(r"fake-cpu +p50 < 1000 ms +\S+ ms\*? +ok", str(ran.stdout))
    outcomes = status(package)["pytest_navigator"]["steps"]
    assert outcomes["budget.fake.FakeCPU.size"]["data"]["kept"] is True
    with nav_package.load(package) as opened:
        found = [facts_of(o, BudgetFacts) for o in opened.results.outcomes if o.step == "budget"]
    assert {facts.bound for facts in found if facts.kept and facts.value} == set(NAMES)
    assert "Budget" in member(package, "navigator.log")
    shown = pytester.run(sys.executable, "-m", "pytest_navigator", "show", str(package))
    shown.stdout.fnmatch_lines(["*fake-cpu*size < 1 MiB*ok"])


def test_what_is_over_its_limit_fails_with_both_values_and_the_others_go_on(
    dense: Fake, nav: Nav, pytester: pytest.Pytester
) -> None:
    dense(**QUICK, budgets="{'fake': __import__('pytest_navigator').Budget(p50_ms=1e-6, size_mib=1)}")

    ran = nav("-v", formats="", profile=True)

    assert {n: w for n, w in words(ran).items() if "budget" in n} == {
        "test_budget[fake-cpu-p50]": "FAILED",
        "test_budget[fake-cpu-size]": "PASSED",
    }
    ran.stdout.re_match_lines(
        [r"p50: \S+ ms \(\S+ ms at first\), over the budget of 1e-06 ms|p50: .* over the budget of"]
    )
    assert calls(pytester).count("bind") == 3  # twice for the profile at 1 and the largest batch, and once more


def test_what_was_slow_once_is_measured_again_in_another_process_before_it_fails(
    dense: Fake, nav: Nav, pytester: pytest.Pytester
) -> None:
    dense(**QUICK)
    path = pytester.path / "fake_format.py"
    path.write_text(path.read_text().replace("return lambda: self.infer_quietly(feed)", SLOW_ONCE))

    ran = nav("--nav-budget=fake-cpu p50<3ms", "-v", formats="", profile=True)

    assert words(ran)["test_budget[fake-cpu-p50]"] == "PASSED"
    ran.stdout.re_match_lines([r".*fake-cpu +p50 < 3 ms +\S+ ms \(\S+ ms at first\)\*? +ok"])
    first, second, again = [line for line in calls(pytester) if line.startswith("in-")]
    assert first == second != again


SLOW_AT_FIRST = """note("{name}")
        first = Path(__file__).with_name("calls.txt").read_text().split().count("{name}") < 3
        return lambda: (time.sleep(0.02 if first else {later}), {call})"""
FAKE, SOURCE = "self.infer_quietly(feed)", "self.artifact.model(**feed)"


def test_a_source_that_was_slow_once_makes_no_speed_up(dense: Fake, nav: Nav, pytester: pytest.Pytester) -> None:
    dense(**QUICK)
    path = pytester.path / "fake_format.py"
    text = path.read_text()
    for name, call, later in (("fake", FAKE, 0.002), ("source", SOURCE, 0)):
        assert f"return lambda: {call}" in text
        text = text.replace(f"return lambda: {call}", SLOW_AT_FIRST.format(name=name, call=call, later=later))
    path.write_text(text)

    ran = nav("--nav-budget=fake-cpu speedup>4x", "-v", formats="", profile=True)

    assert words(ran)["test_budget[fake-cpu-speedup]"] == "FAILED"
    assert (calls(pytester).count("fake"), calls(pytester).count("source")) == (3, 3)


def test_a_budget_of_another_batch_size_has_it_measured_for_its_cell_alone(dense: Fake, nav: Nav) -> None:
    dense(**QUICK)

    budget = ("--nav-budget=fake-cpu p50@batch7<1s", "--nav-require=fake-cpu")
    ran = nav(*budget, "-v", "--nav-batch-sizes=1", formats="", profile=True)

    assert ran.ret == 0
    profiles = [name for name in words(ran) if name.startswith("test_profile")]
    assert profiles == [
        *("test_profile[dense-cpu-batch1]", "test_profile[fake-cpu-batch1]", "test_profile[fake-cpu-batch7]"),
    ]
    assert words(ran)["test_budget[fake-cpu-p50-batch7]"] == "PASSED"


def test_a_tail_is_measured_with_enough_calls_where_it_has_a_budget(
    dense: Fake, nav: Nav, pytester: pytest.Pytester
) -> None:
    dense()
    package = pytester.path / "o.nav"

    nav("--nav-budget=fake-cpu p99<1s", f"--nav-package={package}", formats="", profile=True)

    steps = status(package)["pytest_navigator"]["steps"]
    counts = {name: step["data"]["result"]["request_count"] for name, step in steps.items() if "profile" in name}
    assert counts == {
        **dict.fromkeys(("profile.dense.DenseCPU.batch1", "profile.dense.DenseCPU.batchmax"), 75),
        "profile.fake.FakeCPU.batch1": 600,
        "profile.fake.FakeCPU.batchmax": 75,
    }


def test_a_flag_takes_the_place_of_nav_config_and_that_of_the_ini_file(
    dense: Fake, nav: Nav, pytester: pytest.Pytester
) -> None:
    pytester.makeini("[pytest]\nnav_budget =\n    fake-cpu size<1MiB\n    dense-cpu p50<1s\n")
    dense(**QUICK)

    def items(*flags: str) -> list[str]:
        ran = nav("--collect-only", "-q", *flags, formats="", profile=True)
        return [line.rpartition("::")[2] for line in ran.outlines if "test_budget" in line]

    assert items() == ["test_budget[dense-cpu-p50]", "test_budget[fake-cpu-size]"]
    assert items("--nav-budget=fake-cpu size<2MiB", "--nav-budget=FakeCPU p99<1s") == [
        *("test_budget[fake-cpu-p99]", "test_budget[fake-cpu-size]"),
    ]
    assert items("--nav-budget=") == []


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--nav-budget=fak-cpu p50<5ms"], "budget (--nav-budget) of 'fak-cpu'; did you mean 'fake-cpu'"),
        (["--nav-budget=fake-cpu p50<5"], "'p50<5' has no unit: write p50<5ms"),
        (
            ["--nav-budget=fake-cpu p50<5ms", "--nav-budget=fake p50<6ms"],
            "budgets (--nav-budget) contradict each other: fake-cpu p50<5ms and fake p50<6ms are both of fake-cpu",
        ),
        (["--nav-budget=dense-cpu size<5MiB"], "it runs the live model, which has no artifact"),
        (["--nav-budget=dense-cpu memory<5MiB"], "it runs the live model, in the process of pytest itself"),
        (["--nav-budget=dense-cpu speedup>2x"], "it is the source itself"),
        (["--nav-budget=fake-cpu p50<5ms", "--nav-no-profile"], "measures nothing: leave out one"),
    ],
)
def test_a_budget_that_cannot_be_is_a_usage_error(dense: Fake, nav: Nav, flags: list[str], said: str) -> None:
    dense()

    ran = nav(*flags, formats="", profile=True)

    assert ran.ret == pytest.ExitCode.USAGE_ERROR
    assert said in f"{ran.stdout}{ran.stderr}"
    assert "Traceback" not in f"{ran.stdout}{ran.stderr}"


def test_what_cannot_be_judged_fails_and_what_is_not_measured_is_said_or_required(
    dense: Fake, nav: Nav, pytester: pytest.Pytester
) -> None:
    dense(budgets="{'fake-cpu': __import__('pytest_navigator').Budget(p50_ms=5, full_offload=True)}")

    ran = nav("-v", formats="")

    assert words(ran)["test_budget[fake-cpu-full_offload]"] == "FAILED"
    assert words(ran)["test_budget[fake-cpu-p50]"] == "SKIPPED"
    ran.stdout.fnmatch_lines(
        [
            "full_offload: not recorded, so nothing tells whether the budget is kept: this runner does not tell *",
            "budget fake-cpu p50 was not judged: nothing is measured: profile = False (--nav-no-profile)",
        ]
    )
    required = nav("-v", "--nav-require=fake-cpu", "-k", "not full_offload", formats="")
    assert words(required)["test_budget[fake-cpu-p50]"] == "FAILED"
    required.stdout.fnmatch_lines(["FAILED: required fake-cpu was not checked: budget.fake.FakeCPU.p50 skipped: *"])


def test_a_required_cell_that_keeps_its_budgets_is_green(dense: Fake, nav: Nav) -> None:
    dense(**QUICK)

    kept = "--nav-budget=fake-cpu p50@batch2<9s memory<9GiB speedup>0.00001x size<1MiB"
    ran = nav(kept, "--nav-require=fake-cpu", formats="", profile=True)

    assert ran.ret == pytest.ExitCode.OK
    assert "FAILED" not in str(ran.stdout)


def test_a_cell_that_did_not_pass_has_its_budgets_skipped_and_one_that_is_left_out_is_a_note(
    dense: Fake, nav: Nav
) -> None:
    dense("scale=2.0", **QUICK)

    ran = nav("-v", "--nav-budget=fake-cpu size<1MiB", "--nav-budget=other-cpu p50<1s", formats="fake", profile=True)

    assert words(ran)["test_budget[fake-cpu-size]"] == "SKIPPED"
    ran.stdout.fnmatch_lines(["note: the budget of 'other-cpu' (--nav-budget) is not judged: this run leaves out *"])


def test_an_unchanged_run_is_judged_again_without_running_again(
    dense: Fake, nav: Nav, pytester: pytest.Pytester
) -> None:
    dense(**QUICK)
    nav("--nav-budget=fake-cpu p50<1s", formats="", profile=True)
    before = calls(pytester).count("bind")

    ran = nav("-v", "--nav-resume", "--nav-budget=fake-cpu p50<2s size<1MiB", formats="", profile=True)

    assert words(ran)["test_budget[fake-cpu-p50]"] == words(ran)["test_budget[fake-cpu-size]"] == "PASSED"
    assert calls(pytester).count("bind") == before
