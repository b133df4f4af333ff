"""Any selection, order and repetition of the generated tests gives what the whole run gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import calls, outcomes, status, words

if TYPE_CHECKING:
    from blackbox import Fake, Nav

MARKS = {
    "nav_source": {"test_source"},
    "nav_export": {"test_export[fake]"},
    "nav_correctness": {"test_correctness[torch-cpu]", "test_correctness[fake-cpu]"},
    "nav_profile": {f"test_profile[{cell}-{b}]" for cell in ("torch-cpu", "fake-cpu") for b in ("batch1", "batchmax")},
    "nav_verify": {"verify_shape[fake-cpu]"},
}
MARKS["nav"] = set().union(*(MARKS[name] for name in MARKS if name != "nav_verify"))
VERIFY = """
def verify_shape(nav_runner):
    assert nav_runner.format == "fake"
"""


@pytest.fixture
def project(fake: Fake) -> pytest.Pytester:
    """A fast suite with a `verify_` test and one of the user's own."""
    pytester = fake(profile_seconds="0.05")
    conftest = pytester.path / "conftest.py"
    conftest.write_text(conftest.read_text() + VERIFY)
    pytester.makepyfile(test_mine="def test_mine(): pass")
    return pytester


@pytest.mark.parametrize("mark", MARKS)
def test_every_mark_selects_its_tests(project: pytest.Pytester, nav: Nav, mark: str) -> None:
    result = nav("-v", "--nav-in-process", "-m", mark, formats="", profile=True)
    assert words(result) == dict.fromkeys(MARKS[mark], "PASSED")


def test_k_selects_by_format(project: pytest.Pytester, nav: Nav) -> None:
    result = nav("-v", "--nav-in-process", "-k", "fake and not verify and not profile", formats="")
    assert words(result) == {"test_export[fake]": "PASSED", "test_correctness[fake-cpu]": "PASSED"}


def test_one_node_id_alone_pulls_what_it_needs(project: pytest.Pytester, nav: Nav) -> None:
    nodeid = "conftest.py::nav_model::test_profile[fake-cpu-batch1]"
    result = nav("-v", "--nav-in-process", "--nav-package=out.nav", nodeid, formats="", profile=True)
    assert outcomes(result) == {nodeid: "PASSED"}
    assert calls(project).count("export") == 1
    assert calls(project).count("bind") == 1
    partial = status(project.path / "out.partial.nav")
    ran = set(partial["pytest_navigator"]["steps"])
    assert ran == {"correctness.fake.FakeCPU", "export.fake", "profile.fake.FakeCPU.batch1", "source"}


def test_a_node_of_the_suite_selects_the_whole_suite(project: pytest.Pytester, nav: Nav) -> None:
    result = nav("-v", "--nav-in-process", "conftest.py::nav_model", formats="")
    assert set(words(result)) == MARKS["nav"] - MARKS["nav_profile"]


def test_last_failed_runs_the_failed_again(fake: Fake, nav: Nav) -> None:
    pytester = fake("scale=2.0")
    failed = {"test_correctness[fake-cpu]": "FAILED"}
    assert failed.items() < words(nav("-v", "--nav-in-process", formats="")).items()
    assert words(nav("-v", "--nav-in-process", "--lf", formats="")) == failed
    assert calls(pytester).count("export") == 2


def test_x_leaves_a_partial_package_and_the_complete_one_as_it_was(
    fake: Fake, nav: Nav, pytester: pytest.Pytester
) -> None:
    fake()
    nav("--nav-in-process", "--nav-package=out.nav", formats="").assert_outcomes(passed=4)
    complete = (pytester.path / "out.nav").read_bytes()
    fake("mode='raise', where='export'")
    result = nav("-x", "--nav-in-process", "--nav-package=out.nav", formats="")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["package: out.partial.nav (partial: 2 of 4 steps did not run; out.nav is as it was)"])
    assert (pytester.path / "out.nav").read_bytes() == complete
    steps = status(pytester.path / "out.partial.nav")["pytest_navigator"]["steps"]
    assert {i: step["status"] for i, step in steps.items()} == {"source": "passed", "export.fake": "failed"}


def test_a_failing_step_is_really_run_again_by_reruns(fake: Fake, nav: Nav) -> None:
    pytester = fake("fail_once=True")
    result = nav("--reruns=1", "--nav-in-process", "--nav-package=out.nav", formats="")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["*1 rerun*"])
    assert calls(pytester).count("export") == 2
    assert (pytester.path / "out.nav").is_file()


def test_what_a_failing_step_blocked_follows_its_second_attempt(fake: Fake, nav: Nav) -> None:
    """The correctness step ran first and recorded a skip; it is not kept when the export has passed after all."""
    pytester = fake("fail_once=True", profile_seconds="0.05")
    names = ("test_correctness[fake-cpu]", "test_export[fake]", "test_profile[fake-cpu-batch1]")
    nodeids = [f"conftest.py::nav_model::{name}" for name in names]
    found = words(nav("-v", "--reruns=1", "--nav-in-process", *nodeids, formats="", profile=True))
    assert found == dict(zip(names, ("SKIPPED", "PASSED", "PASSED"), strict=True))
    assert calls(pytester).count("export") == 2


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_random_order_gives_the_same(project: pytest.Pytester, seed: int) -> None:
    arguments = ("-v", "--nav-package=out.nav", "--nav-runtimes=cpu", "--nav-in-process", "-p", "no:hypothesispytest")
    result = project.runpytest_inprocess(*arguments, f"--randomly-seed={seed}")
    result.stdout.fnmatch_lines([f"Using --randomly-seed={seed}"])
    assert words(result) == dict.fromkeys(MARKS["nav"] | MARKS["nav_verify"] | {"test_mine"}, "PASSED")
    assert calls(project).count("export") == 1


@pytest.mark.parametrize("plugin", ["benchmark", "xdist"])
def test_a_plugin_can_be_switched_off(project: pytest.Pytester, nav: Nav, plugin: str) -> None:
    result = nav("-v", "--nav-in-process", "-p", f"no:{plugin}", "--nav-package=out.nav", formats="", profile=True)
    assert words(result) == dict.fromkeys(MARKS["nav"] | MARKS["nav_verify"] | {"test_mine"}, "PASSED")
    runner = status(project.path / "out.nav")["pytest_navigator"]["models_status"]["fake"]["runners_status"]["FakeCPU"]
    assert [r["batch_size"] for r in runner["result"]["Performance"]["profiling_results"]] == [1, 3]
