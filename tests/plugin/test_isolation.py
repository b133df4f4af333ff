"""A step in the child that ends its process is one failed test; everything else goes on."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from blackbox import DENSE, FAKE_CONFTEST, FAKE_FORMAT, LAZY, LINEAR, calls, member, status, words

if TYPE_CHECKING:
    from blackbox import Fake, Nav

ENDS = {
    "segfault": ("SIGSEGV", "the child process was ended by SIGSEGV"),
    "abort": ("SIGABRT", "the child process was ended by SIGABRT"),
    "exit": ("exit 7", "the child process ended itself (exit 7)"),
    "hang": ("timeout", "no answer within 2 s"),
}


# How children end, and what is told of it, is what is tested here.
pytestmark = pytest.mark.real_processes


def both(pytester: pytest.Pytester, config: str, rest: str = "") -> None:
    """Write a suite of a format that misbehaves, and one that does not."""
    pytester.makepyfile(fake_format=FAKE_FORMAT, test_mine="def test_mine(): pass")
    pytester.makeconftest(
        FAKE_CONFTEST + f"\nnav_config = NavConfig(formats=[FakeConfig({config}), Other.config()]{rest})\n"
    )


@pytest.mark.parametrize("mode", ENDS)
def test_a_step_that_ends_the_child_is_one_failed_test(pytester: pytest.Pytester, nav: Nav, mode: str) -> None:
    both(pytester, f"mode={mode!r}, where='infer'", ", timeout=2" if mode == "hang" else "")
    result = nav("-v", "-rf", "--nav-package=out.nav", formats="")
    kind, message = ENDS[mode]
    assert words(result) == {
        "test_source": "PASSED",
        "test_export[fake]": "PASSED",
        "test_export[other]": "PASSED",
        "test_correctness[torch-cpu]": "PASSED",
        "test_correctness[fake-cpu]": "FAILED",
        "test_correctness[other-cpu]": "PASSED",
        "test_mine": "PASSED",
    }
    assert message in result.stdout.str()
    assert "the last words of infer" in result.stdout.str()
    step = status(pytester.path / "out.nav")["pytest_navigator"]["steps"]["correctness.fake.FakeCPU"]
    assert (step["status"], step["error"]) == ("failed", kind)
    assert step["message"].startswith(message)
    assert "the last words of infer" in member(pytester.path / "out.nav", "fake/format.log")


def test_a_crash_while_measuring_is_one_failed_test(pytester: pytest.Pytester, nav: Nav) -> None:
    both(pytester, "mode='segfault', where='bind'", ", profile_seconds=0.05, batch_sizes=[1]")
    found = words(nav("-v", formats="", profile=True))
    assert {name for name, word in found.items() if word != "PASSED"} == {"test_profile[fake-cpu-batch1]"}
    assert found["test_profile[fake-cpu-batch1]"] == "FAILED"
    assert found["test_profile[other-cpu-batch1]"] == "PASSED"


def test_a_crash_in_a_verify_test_is_one_failed_test(pytester: pytest.Pytester, nav: Nav) -> None:
    """The runner crashes on an input that correctness does not have."""
    both(pytester, "")
    path = pytester.path / "fake_format.py"
    text = path.read_text().replace("        (x,) = feed.values()\n        return {", CRASH_ON_ZEROS, 1)
    path.write_text(text)
    conftest = pytester.path / "conftest.py"
    conftest.write_text(conftest.read_text() + VERIFY)
    result = nav("-v", "-rf", formats="")
    found = words(result)
    assert found["verify_zeros[fake-cpu]"] == "FAILED"
    assert {name for name, word in found.items() if word != "PASSED"} == {"verify_zeros[fake-cpu]"}
    result.stdout.fnmatch_lines(["*StepFailed: the child process was ended by SIGSEGV*"])


CRASH_ON_ZEROS = """        (x,) = feed.values()
        if not x.any() and self.name == "FakeCPU":
            ctypes.string_at(0)
        return {"""
VERIFY = """
def verify_zeros(nav_runner):
    assert nav_runner(torch.zeros(2, 5)).shape == (2, 7)
"""


BROKEN = {
    "import os; os.abort()": "the child process was ended by SIGABRT",
    "raise ImportError('libx.so: cannot open')": "ImportError: libx.so: cannot open",
}


@pytest.mark.parametrize("module", BROKEN)
def test_a_runtime_that_cannot_be_imported_fails_its_own_format_only(
    pytester: pytest.Pytester, nav: Nav, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    """The child imports it early, while the first format is still exported."""
    monkeypatch.setenv("COLUMNS", "300")
    pytester.makepyfile(broken=module, fake_format=FAKE_FORMAT.replace(LOADING, LOADING_BROKEN, 1))
    configured = "NavConfig(framework='dense', formats=[Other.config(), FakeConfig()])"
    pytester.makeconftest(f"{DENSE}\nnav_config = {configured}\n")
    result = nav("-v", "-rf", formats="")
    found = words(result)
    assert {name for name, word in found.items() if word == "FAILED"} == {"test_export[fake]"}
    assert {name for name, word in found.items() if word == "SKIPPED"} == {"test_correctness[fake-cpu]"}
    result.stdout.fnmatch_lines([f"FAILED *test_export?fake? - {BROKEN[module]}*"])


LOADING = """    runtime = "cpu"

    def activate(self):
"""
LOADING_BROKEN = """    runtime = "cpu"
    imports = ("broken",)

    def activate(self):
        if self.name == "FakeCPU":
            import broken
"""


def test_what_a_format_needs_of_the_users_modules_is_importable_in_the_child(fake: Fake, nav: Nav) -> None:
    """The hook's class stands beside the conftest: the child has the caller's sys.path, not the caller's main."""
    pytester = fake()
    nav(formats="").assert_outcomes(passed=4)
    assert "infer" in calls(pytester)


def test_in_process_runs_no_child(fake: Fake, nav: Nav) -> None:
    pytester = fake()
    path = pytester.path / "fake_format.py"
    path.write_text(path.read_text() + "\nnote(f'imported-in-{os.getpid()}')\n")
    nav("--nav-in-process", formats="").assert_outcomes(passed=4)
    assert len([line for line in calls(pytester) if line.startswith("imported-in")]) == 1


def test_a_step_in_process_is_interrupted_at_its_limit(fake: Fake, nav: Nav) -> None:
    fake("mode='hang', where='infer'", timeout="1")
    result = nav("-v", "-rf", "--nav-in-process", formats="")
    assert words(result)["test_correctness[fake-cpu]"] == "FAILED"
    result.stdout.fnmatch_lines(["FAILED *fake-cpu* - no answer within 1 s*"])


def test_an_export_that_hangs_is_interrupted_at_its_limit(fake: Fake, nav: Nav) -> None:
    fake("mode='hang', where='export'", timeout="1")
    found = words(nav("-v", formats=""))
    assert (found["test_export[fake]"], found["test_correctness[fake-cpu]"]) == ("FAILED", "SKIPPED")


MADE = "return torch.nn.Linear(5, 7).eval()"
ENDS_LIVE = {"a native crash": "import ctypes; ctypes.string_at(0)", "an exit": "import os; os._exit(0)"}


@pytest.mark.parametrize("end", ENDS_LIVE)
@pytest.mark.parametrize("arguments", [[], ["--nav-resume"]])
def test_an_end_of_the_process_in_the_model_is_told_by_the_next_run(
    pytester: pytest.Pytester, nav: Nav, arguments: list[str], end: str
) -> None:
    """Also one that looks like success: there is no package then, and no report."""
    pytester.makeconftest(LAZY.replace(MADE, ENDS_LIVE[end]))
    died = nav("--nav-package=out.nav", subprocess=True)
    assert died.ret == (0 if end == "an exit" else -signal.SIGSEGV)
    assert not list(pytester.path.glob("*.nav"))
    pytester.makeconftest(LINEAR)
    result = nav("-v", "--nav-in-process", *arguments)
    result.stdout.fnmatch_lines(["navigator: the last run's process ended in *: source; -n 1 isolates it"])
    assert set(words(result).values()) == {"PASSED"}


@pytest.mark.slow
@pytest.mark.parametrize("end", ENDS_LIVE)
def test_with_one_worker_an_end_of_the_process_in_the_model_is_one_failed_test(
    pytester: pytest.Pytester, nav: Nav, end: str
) -> None:
    pytester.makeconftest(LAZY.replace(MADE, ENDS_LIVE[end]))
    pytester.makepyfile(test_mine="def test_mine(): pass")
    result = nav("-v", "-n1", "--nav-package=out.nav", subprocess=True)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    found = words(result)
    assert found["test_source"] == "FAILED"
    assert found["test_mine"] == "PASSED"
    assert {found[n] for n in found if n not in ("test_source", "test_mine")} == {"SKIPPED"}
    steps = status(next(pytester.path.glob("*.nav")))["pytest_navigator"]["steps"]
    assert (steps["source"]["status"], steps["source"]["error"]) == ("failed", "crash")
