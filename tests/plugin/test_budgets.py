"""A budget is a test of the user's: `nav.load(nav_package)` has what is recorded, whenever it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import calls, doubled, outcomes, words
from documents import ROOT, blocks

if TYPE_CHECKING:
    from blackbox import Fake, Nav

BUDGET = """
import pytest_navigator as nav

def test_budget(nav_package):
    with nav.load(nav_package) as package:
        assert package.get_formats_performance()["fake"] < {limit}
        assert package.get_status("fake", runtime="FakeCPU")

class TestFiles:
    def test_size(self, nav_package):
        assert nav.load(nav_package).get_path("fake").stat().st_size < 10_000

def verify_latency(nav_package):
    assert nav.load(nav_package).get_best().p50_latency < {limit}
"""
TESTS = ("test_budget", "test_size", "verify_latency")


def write(fake: Fake, limit: str, *, several: bool = False) -> pytest.Pytester:
    pytester = fake(profile_seconds="0.05")
    pytester.makepyfile(test_budgets_of_mine=BUDGET.format(limit=limit))
    conftest = pytester.path / "conftest.py"
    if several:
        conftest.write_text(doubled(conftest.read_text()))
    return pytester


@pytest.mark.parametrize(("limit", "word"), [("1e9", "PASSED"), ("-1", "FAILED")])
def test_a_budget_holds_or_fails_the_run(dense: Fake, nav: Nav, limit: str, word: str) -> None:
    write(dense, limit)
    result = nav("-v", formats="", profile=True)
    assert {name: words(result)[name] for name in TESTS} == dict.fromkeys(TESTS, word) | {"test_size": "PASSED"}
    assert (result.ret == 0) == (word == "PASSED")


@pytest.mark.parametrize("profile", [True, False])
def test_the_budgets_of_the_document_hold_and_skip_where_nothing_was_measured(
    dense: Fake, nav: Nav, profile: bool
) -> None:
    (recipe,) = blocks((ROOT / "docs" / "verify.md").read_text(encoding="utf-8").partition("## Budgets")[2], "python")
    text = recipe.text.replace('"onnx"', '"fake"').replace('"cpu"', '"FakeCPU"').replace("< 5.0", "< 1e9")
    dense(profile_seconds="0.05").makepyfile(test_budget=text)

    found = nav("-v", "-rs", formats="", profile=profile)

    assert words(found)["test_the_model_is_fast_enough"] == ("PASSED" if profile else "SKIPPED")
    assert words(found)["test_the_file_is_small_enough"] == "PASSED"
    assert profile or "nothing was measured: the run has --nav-no-profile" in str(found.stdout)


@pytest.mark.slow
def test_it_is_of_each_model_in_any_order_and_in_any_distribution(dense: Fake, nav: Nav) -> None:
    pytester = write(dense, "1e9", several=True)
    order = "\ndef pytest_collection_modifyitems(items): items.reverse()\n"
    conftest = pytester.path / "conftest.py"
    conftest.write_text(conftest.read_text() + order)
    result = nav("-v", "-n2", formats="", profile=True, subprocess=True)
    expected = {f"{name}[{model}]": "PASSED" for name in TESTS for model in "ab"}
    assert expected.items() <= words(result).items()
    assert result.ret == 0
    assert calls(pytester).count("export") == 2


def test_alone_it_has_what_it_needs_made_and_beside_others_what_they_make(dense: Fake, nav: Nav) -> None:
    write(dense, "1e9")
    alone = nav("-v", "-k", "test_budget", "test_budgets_of_mine.py", formats="", profile=True)
    assert set(outcomes(alone).values()) == {"PASSED"}
    some = nav("-v", "-k", "test_budget or correctness", formats="", profile=True)
    assert words(some)["test_budget"] == "FAILED"  # nothing that was selected measures
    some.stdout.fnmatch_lines(["E *KeyError: 'fake'"])


def test_without_a_model_to_check_it_is_skipped_and_without_one_to_see_it_says_so(
    dense: Fake, nav: Nav, pytester: pytest.Pytester
) -> None:
    write(dense, "1e9")
    pytester.runpytest_inprocess("-p", "no:randomly", "-k", "test_").assert_outcomes(skipped=2)
    pytester.syspathinsert()
    (pytester.path / "conftest.py").rename(pytester.mkdir("models") / "conftest.py")
    result = nav("-v", "models", "test_budgets_of_mine.py", "-k", "source or budget", formats="")
    result.stdout.fnmatch_lines(["*test_budget sees no nav_model: move it below one, or name it by --nav-model"])
