"""`--nav-resume` reuses what would come out the same, and runs the rest again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import calls, status, words

if TYPE_CHECKING:
    from blackbox import Fake, Nav

ONCE = ["export", *["infer"] * 8, "bind", "bind"]


def run(nav: Nav, *arguments: str) -> pytest.RunResult:
    result = nav("-v", "--nav-package=out.nav", *arguments, formats="", profile=True)
    assert set(words(result).values()) == {"PASSED"}
    return result


@pytest.fixture
def project(dense: Fake, nav: Nav) -> pytest.Pytester:
    """A folder in which everything has run once."""
    pytester = dense(profile_seconds="0.05")
    run(nav)
    assert sorted(calls(pytester)) == sorted(ONCE)
    return pytester


def test_an_unchanged_model_runs_the_source_step_only(project: pytest.Pytester, nav: Nav) -> None:
    before = status(project.path / "out.nav")["pytest_navigator"]["steps"]
    run(nav, "--nav-resume")
    assert sorted(calls(project)) == sorted(ONCE)
    after = status(project.path / "out.nav")["pytest_navigator"]["steps"]
    assert {name for name in before if before[name]["started"] != after[name]["started"]} == {"source"}


def test_without_resume_everything_runs_again(project: pytest.Pytester, nav: Nav) -> None:
    run(nav)
    assert sorted(calls(project)) == sorted(ONCE * 2)


def test_a_changed_model_runs_everything_again(project: pytest.Pytester, nav: Nav) -> None:
    conftest = project.path / "conftest.py"
    conftest.write_text(conftest.read_text().replace("np.random.randn(7,", "2 * np.random.randn(7,"))
    run(nav, "--nav-resume")
    assert sorted(calls(project)) == sorted(ONCE * 2)


def test_a_changed_sample_runs_everything_again(project: pytest.Pytester, nav: Nav) -> None:
    conftest = project.path / "conftest.py"
    conftest.write_text(conftest.read_text().replace("np.random.randn(3, 5)", "2 * np.random.randn(3, 5)"))
    run(nav, "--nav-resume")
    assert sorted(calls(project)) == sorted(ONCE * 2)


def test_changed_code_with_the_same_weights_runs_everything_again(project: pytest.Pytester, nav: Nav) -> None:
    path = project.path / "fake_format.py"
    path.write_text(path.read_text().replace("x @ self.weight.T + self.bias", "x @ self.weight.T + self.bias * 1.5"))
    run(nav, "--nav-resume")
    assert sorted(calls(project)) == sorted(ONCE * 2)


def test_a_changed_artifact_is_made_again(project: pytest.Pytester, nav: Nav) -> None:
    (artifact,) = project.path.glob("navigator_workspace/*/fake/model.npz")
    artifact.write_bytes(b"something else")
    run(nav, "--nav-resume")
    assert calls(project).count("export") == 2


def test_a_tighter_tolerance_judges_again(project: pytest.Pytester, nav: Nav) -> None:
    run(nav, "--nav-resume", "--nav-atol=1e-3")
    assert calls(project).count("infer") == 16


def test_a_failed_step_runs_again_and_what_passed_does_not(dense: Fake, nav: Nav) -> None:
    pytester = dense("mode='raise', where='infer'")
    text = (pytester.path / "fake_format.py").read_text()
    repaired = '"raise": lambda: Path(__file__).with_name("repaired").exists() or 1 / 0'
    (pytester.path / "fake_format.py").write_text(text.replace('"raise": lambda: 1 / 0', repaired))
    assert words(nav("-v", formats=""))["test_correctness[fake-cpu]"] == "FAILED"
    (pytester.path / "repaired").touch()
    assert set(words(nav("-v", "--nav-resume", formats="")).values()) == {"PASSED"}
    assert calls(pytester).count("export") == 1


def test_a_run_that_was_stopped_is_completed(dense: Fake, nav: Nav) -> None:
    pytester = dense()
    nav("--nav-package=out.nav", "-k", "test_source or test_export", formats="").assert_outcomes(passed=2, deselected=2)
    assert (pytester.path / "out.partial.nav").exists()
    nav("--nav-package=out.nav", "--nav-resume", formats="").assert_outcomes(passed=4)
    assert calls(pytester).count("export") == 1
    assert status(pytester.path / "out.nav")["pytest_navigator"]["complete"]


@pytest.mark.slow
def test_two_workers_resume_too(project: pytest.Pytester, nav: Nav) -> None:
    result = nav("-v", "-n2", "--nav-resume", formats="", profile=True, subprocess=True)
    assert set(words(result).values()) == {"PASSED"}
    assert sorted(calls(project)) == sorted(ONCE)


def test_a_first_run_may_be_asked_to_resume(dense: Fake, nav: Nav) -> None:
    dense()
    nav("--nav-resume", formats="").assert_outcomes(passed=4)


def test_a_helper_of_a_comparison_that_changed_judges_again(dense: Fake, nav: Nav) -> None:
    pytester = dense(comparisons="{'fake': {'output__0': lambda expected, actual: judge.near(expected, actual)}}")
    judge = pytester.makepyfile(judge="LIMIT = 1e-3\ndef near(a, b): return bool((abs(a - b) < LIMIT).all())")
    conftest = pytester.path / "conftest.py"
    conftest.write_text("import judge\n" + conftest.read_text())
    assert nav(formats="").ret == 0
    assert "REUSED" in str(nav("-v", "--nav-resume", formats="", subprocess=True).outlines).upper()
    judge.write_text(judge.read_text().replace("1e-3", "0"))
    result = nav("-v", "--nav-resume", formats="", subprocess=True)
    assert words(result)["test_correctness[fake-cpu]"] == "FAILED"
