"""Whatever happens to something required, a run in which it was not checked, or did not pass, is red and says why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import words

if TYPE_CHECKING:
    from blackbox import Fake, Nav

EVERY = "fake,fake-cpu,FakeCPU"
"""A format, its cell and its runner: of one variant with one runner they have the same end."""
NOT_RUN = "was not checked: correctness.fake.FakeCPU did not run (it was not selected, or the run ended before it)"
DECLINED = "was not checked: export.fake failed: ZeroDivisionError: *"
RAISES = {"config": "mode='raise', where='export'"}
MARKED = """
def pytest_collection_modifyitems(items):
    for item in items:
        if item.name == "test_correctness[fake-cpu]": item.add_marker(pytest.mark.{mark})
"""
NO_NEED = """
from pytest_navigator.errors import NotApplicable
def declined(*_args): raise NotApplicable("it has nothing to do")
Fake.export = declined
"""

HAPPENED: dict[str, tuple[dict[str, str], list[str], str]] = {
    "it passes": ({}, [], ""),
    "its exporter declines": (RAISES, [], DECLINED),
    "it is expected to fail": (
        {**RAISES, "xfail": "{'fake': 'upstream bug 1'}"},
        [],
        f"{DECLINED} (xfail of nav_config: upstream bug 1)",
    ),
    "its check is expected to fail": (
        {"config": "scale=2.0", "xfail": "{'fake-cpu': 'off'}"},
        [],
        "did not pass: correctness.fake.FakeCPU failed: * (xfail of nav_config: off)",
    ),
    "its exporter hangs": (
        {"config": "mode='hang', where='export'", "timeout": "1"},
        [],
        "was not checked: export.fake failed: no answer within 1 s",
    ),
    "its runner crashes": (
        {"config": "mode='segfault', where='infer'"},
        [],
        "did not pass: correctness.fake.FakeCPU failed: *SIGSEGV*",
    ),
    "its numbers are wrong": ({"config": "scale=2.0"}, [], "did not pass: correctness.fake.FakeCPU failed: *"),
    "there is nothing to do": ({"more": NO_NEED}, [], "was not checked: export.fake skipped: it has nothing to do"),
    "its item is skipped": ({"more": MARKED.format(mark="skip")}, [], NOT_RUN),
    "its item is expected to fail": (
        {"config": "scale=2.0", "more": MARKED.format(mark="xfail")},
        [],
        "did not pass: correctness.fake.FakeCPU failed: *",
    ),
    "its check is deselected": ({}, ["-k", "source or export"], NOT_RUN),
    "all of it is deselected": ({}, ["-k", "source"], NOT_RUN),
    "all but a test of the user's is": ({}, ["-k", "test_mine"], NOT_RUN),
    "another item is selected": ({}, ["conftest.py::nav_model::test_source"], NOT_RUN),
    "another mark is selected": ({}, ["-m", "nav_source"], NOT_RUN),
    "one item is left out": ({}, ["--deselect=conftest.py::nav_model::test_correctness[fake-cpu]"], NOT_RUN),
    "the run stops before it": ({"made": "1 / 0"}, ["-x"], "was not checked: source failed: nav_model raised *"),
}
"""What happens to it: the project and the arguments of the run, and what is said at its end; "" if it is green."""


def write(dense: Fake, project: dict[str, str]) -> None:
    fields = {name: value for name, value in project.items() if name not in ("config", "more", "made")}
    pytester = dense(project.get("config", ""), **fields)
    pytester.makepyfile(test_mine="def test_mine(): pass")
    conftest = pytester.path / "conftest.py"
    text = conftest.read_text() + project.get("more", "")
    conftest.write_text(
        text.replace("return Dense(", f"{project['made']}\n    return Dense(") if "made" in project else text
    )


@pytest.mark.parametrize("happened", HAPPENED)
def test_what_was_not_checked_or_did_not_pass_fails_the_run(
    dense: Fake, nav: Nav, monkeypatch: pytest.MonkeyPatch, happened: str
) -> None:
    monkeypatch.setenv("COLUMNS", "500")
    project, arguments, why = HAPPENED[happened]
    write(dense, project)
    result = nav(f"--nav-require={EVERY}", *arguments, formats="")
    assert (result.ret == 0) == (not why), result.stdout.str()
    said = [line for line in result.outlines if line.startswith("FAILED: required")]
    assert len(said) == bool(why)
    result.stdout.fnmatch_lines([f"FAILED: required {EVERY.replace(',', ', ')} {why}"] * bool(why))


def test_the_last_failed_alone_leave_the_rest_of_what_is_required_unchecked(dense: Fake, nav: Nav) -> None:
    dense("scale=2.0), Other.config(")
    require = ("-v", "--nav-require=other-cpu", "-p", "cacheprovider")
    assert words(nav(*require, formats=""))["test_correctness[other-cpu]"] == "PASSED"
    last = nav(*require, "--lf", formats="")
    assert words(last) == {"test_correctness[fake-cpu]": "FAILED"}
    last.stdout.fnmatch_lines([f"FAILED: required other-cpu {NOT_RUN.replace('fake.Fake', 'other.Other')}"])


def test_nav_config_and_the_ini_file_require_as_the_flag_does_and_an_empty_flag_requires_nothing(
    dense: Fake, nav: Nav
) -> None:
    pytester = dense("mode='raise', where='export'), Other.config(", require="['fake-cpu']")
    pytester.makeini("[pytest]\nnav_require = other-cpu\n")
    result = nav("-v", formats="")
    result.stdout.fnmatch_lines(["FAILED: required fake-cpu was not checked: export.fake failed: *"])
    green = nav("-v", "--nav-require=", "-k", "other", formats="")
    assert (green.ret, words(green).keys()) == (0, {"test_export[other]", "test_correctness[other-cpu]"})
    green.stdout.no_fnmatch_line("*required*")


@pytest.mark.slow
def test_each_of_several_models_must_meet_what_is_required_in_any_distribution(dense: Fake, nav: Nav) -> None:
    pytester = dense()
    conftest = pytester.path / "conftest.py"
    several = '@pytest.fixture(scope="session", params=[1.0, 2.0], ids=["right", "wrong"])\ndef nav_model(request):'
    text = conftest.read_text().replace('@pytest.fixture(scope="session")\ndef nav_model():', several, 1)
    conftest.write_text(text.replace("return Dense(np", "return Dense(request.param * np", 1))
    arguments = ("--nav-require=fake-cpu", "-k", "not wrong")
    for workers in ((), ("-n2",)):
        result = nav(*arguments, *workers, formats="", subprocess=bool(workers))
        assert result.ret == pytest.ExitCode.TESTS_FAILED
        result.stdout.fnmatch_lines(["*wrong (dense)", f"FAILED: required fake-cpu {NOT_RUN}"])
        assert result.stdout.str().count("FAILED: required") == 1
