"""`--lf` after a fix: what failed runs again, and so does all that was skipped because of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import words

if TYPE_CHECKING:
    from blackbox import Fake, Nav

BROKEN = "mode='raise', where='export'"
VERIFY = "def verify_shape(nav_runner): assert nav_runner.format"
OF_FAKE = {"test_export[fake]", "test_correctness[fake-cpu]", "verify_shape[fake-cpu]"}
PROFILES = {f"test_profile[fake-cpu-{batch}]" for batch in ("batch1", "batchmax")}
WORKERS = pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["one process", "workers"])


def again(nav: Nav, *args: str, profile: bool = False) -> dict[str, str]:
    """Return the outcomes of what `--lf` runs."""
    return words(nav("-v", "--nav-in-process", "--lf", *args, formats="", profile=profile, subprocess="-n2" in args))


@WORKERS
def test_what_a_failed_export_has_held_up_runs_after_the_fix(
    dense: Fake, nav: Nav, pytester: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    dense(BROKEN, profile_seconds="0.05")
    pytester.makepyfile(test_shape=VERIFY)
    profile, held = not workers, OF_FAKE if workers else OF_FAKE | PROFILES
    first = words(nav("-v", "--nav-in-process", *workers, formats="", profile=profile, subprocess=bool(workers)))
    assert {name for name, word in first.items() if word == "SKIPPED"} == held - {"test_export[fake]"}
    assert first["test_export[fake]"] == "FAILED"

    dense(profile_seconds="0.05")
    assert again(nav, *workers, profile=profile) == dict.fromkeys(held, "PASSED")
    assert len(again(nav, *workers)) > len(OF_FAKE)  # nothing failed any more: all run, as ever


def test_what_a_wrong_result_has_held_up_runs_after_the_fix(dense: Fake, nav: Nav, pytester: pytest.Pytester) -> None:
    dense("scale=2.0")
    pytester.makepyfile(test_shape=VERIFY)
    nav("--nav-in-process", formats="").assert_outcomes(passed=3, failed=1, skipped=1)
    dense()
    assert again(nav) == dict.fromkeys(OF_FAKE - {"test_export[fake]"}, "PASSED")


def test_a_source_that_failed_brings_the_whole_suite_back(dense: Fake, nav: Nav, pytester: pytest.Pytester) -> None:
    dense()
    fixed = (pytester.path / "conftest.py").read_text()
    pytester.makeconftest(fixed.replace("return [np.random.randn(3, 5)", "return [np.random.randn(3, 6)"))
    broken = words(nav("-v", "--nav-in-process", formats=""))
    assert {*broken.values()} == {"FAILED", "SKIPPED"}
    pytester.makeconftest(fixed)
    assert again(nav) == dict.fromkeys(broken, "PASSED")


def test_a_fix_that_fixes_nothing_leaves_it_to_the_next_one(dense: Fake, nav: Nav) -> None:
    dense(BROKEN)
    nav("--nav-in-process", formats="")
    held = {"test_export[fake]": "FAILED", "test_correctness[fake-cpu]": "SKIPPED"}
    assert again(nav) == held
    dense()
    assert again(nav) == dict.fromkeys(held, "PASSED")


def test_a_step_whose_own_test_is_not_selected_brings_its_followers_back(dense: Fake, nav: Nav) -> None:
    dense(BROKEN)
    nav("--nav-in-process", "-k", "correctness", formats="")
    dense()
    assert again(nav) == {"test_correctness[fake-cpu]": "PASSED"}


@pytest.mark.parametrize("expected", ["nav_config", "mark"])
def test_what_follows_from_an_expected_failure_has_not_failed(
    dense: Fake, nav: Nav, pytester: pytest.Pytester, expected: str
) -> None:
    if expected == "nav_config":
        dense(BROKEN, xfail="{'fake': 'known'}")
    else:
        dense(BROKEN)
        hook = "\ndef pytest_itemcollected(item):\n    'export' in item.name and item.add_marker(pytest.mark.xfail)"
        pytester.makeconftest((pytester.path / "conftest.py").read_text() + hook)
    first = nav("-v", "--nav-in-process", formats="")
    assert words(first)["test_export[fake]"] == "XFAIL"
    result = nav("--nav-in-process", "--lf", formats="")
    result.stdout.fnmatch_lines(["run-last-failure: no previously failed tests, not deselecting items."])


def test_what_this_machine_cannot_run_has_not_failed(dense: Fake, nav: Nav, pytester: pytest.Pytester) -> None:
    dense()
    conftest = (pytester.path / "conftest.py").read_text()
    pytester.makeconftest(
        conftest + "\nFake.requires = ('no_such_package',)\nFakeCPU.requires = ('no_such_package',)\n"
    )
    assert "SKIPPED" in words(nav("-v", "--nav-in-process", formats="")).values()
    result = nav("--nav-in-process", "--lf", formats="")
    result.stdout.fnmatch_lines(["run-last-failure: no previously failed tests, not deselecting items."])


def test_a_retry_that_passes_leaves_nothing_to_run_again(dense: Fake, nav: Nav) -> None:
    dense("fail_once=True")
    nav("--nav-in-process", "--reruns=1", formats="").assert_outcomes(passed=4)
    result = nav("--nav-in-process", "--lf", formats="")
    result.stdout.fnmatch_lines(["run-last-failure: no previously failed tests, not deselecting items."])


@pytest.mark.slow
def test_the_followers_of_a_step_that_crashed_its_worker_run_again(dense: Fake, nav: Nav) -> None:
    dense("mode='segfault', where='export'")
    crashed = words(nav("-v", "-n1", formats="", subprocess=True))
    assert (crashed["test_export[fake]"], crashed["test_correctness[fake-cpu]"]) == ("FAILED", "SKIPPED")
    dense()
    found = again(nav, "-n2")
    assert found == {"test_export[fake]": "PASSED", "test_correctness[fake-cpu]": "PASSED"}


def test_without_pytests_cache_nothing_is_kept(dense: Fake, nav: Nav, pytester: pytest.Pytester) -> None:
    dense(BROKEN)
    result = nav("--nav-in-process", "-p", "no:cacheprovider", formats="")
    result.assert_outcomes(passed=2, failed=1, skipped=1)
    assert not (pytester.path / ".pytest_cache").exists()


@WORKERS
def test_a_failed_test_of_ones_own_runs_again_alone(
    dense: Fake, nav: Nav, pytester: pytest.Pytester, workers: tuple[str, ...]
) -> None:
    dense()
    pytester.makepyfile(test_mine="def test_mine(): assert False")
    nav(*workers, formats="", subprocess=bool(workers)).assert_outcomes(passed=4, failed=1)
    pytester.makepyfile(test_mine="def test_mine(): pass")
    result = nav(*workers, "--lf", formats="", subprocess=bool(workers))
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["note: no model is checked: --lf runs other tests only"])
    assert result.ret == 0


def test_a_test_of_ones_own_that_is_named_alone_runs_alone(dense: Fake, nav: Nav, pytester: pytest.Pytester) -> None:
    dense()
    pytester.makepyfile(test_mine="def test_mine(): pass")
    result = nav("test_mine.py::test_mine", formats="")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["note: no model is checked: the arguments name other tests only"])
    assert nav("test_mine.py", formats="").ret == pytest.ExitCode.USAGE_ERROR


@pytest.mark.parametrize("choice", ["--lf", "test_mine.py::test_mine"])
def test_what_is_required_is_not_left_out_in_silence(
    dense: Fake, nav: Nav, pytester: pytest.Pytester, choice: str
) -> None:
    dense()
    pytester.makepyfile(test_mine="def test_mine(): assert False")
    nav("--nav-require=fake", formats="").assert_outcomes(passed=4, failed=1)
    pytester.makepyfile(test_mine="def test_mine(): pass")
    result = nav("--nav-require=fake", choice, formats="")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --nav: conftest.py defines nav_model, but was not collected; *"])
