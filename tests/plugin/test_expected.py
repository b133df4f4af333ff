"""`nav_expected.toml`: worse fails, better is written or (in CI) fails, what nobody knows fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import words
from expecting import ALL, CRASH, FILE, MISMATCH, NO_EXPORT, failing, failures, run

import pytest_navigator as nav_package
from pytest_navigator.cli import main

if TYPE_CHECKING:
    from blackbox import Fake, Nav
    from expecting import Expecting


def test_without_a_file_and_without_the_option_nothing_changes(dense: Fake, nav: Nav) -> None:
    project = dense(MISMATCH)

    result = run(nav)

    assert words(result)["test_correctness[fake-cpu]"] == "FAILED"
    assert not (project.path / FILE).exists()


@pytest.mark.parametrize(
    ("config", "outcome", "test"),
    [
        (NO_EXPORT, "fail-export", "test_export[fake]"),
        (MISMATCH, "fail-correctness", "test_correctness[fake-cpu]"),
        (CRASH, "crash", "test_correctness[fake-cpu]"),
    ],
    ids=["export", "correctness", "crash"],
)
@pytest.mark.parametrize("arguments", ALL.values(), ids=["n2", "one"])
def test_a_failure_that_is_expected_at_its_stage_is_an_xfail(
    dense: Fake, nav: Nav, expecting: Expecting, config: str, outcome: str, test: str, arguments: list[str]
) -> None:
    dense(failing(config))
    name = "fake" if outcome == "fail-export" else "fake_cpu"
    path = expecting(**{name: outcome}, other_cpu="pass")
    before = path.read_bytes()

    result = run(nav, *arguments)

    assert result.ret == 0, result.outlines
    assert words(result)[test] == "XFAIL"
    result.stdout.fnmatch_lines(["expected: 3 as nav_expected.toml says"])
    assert failures(result) == []
    result.stdout.fnmatch_lines([f"XFAIL *known ({FILE}: {outcome})*"])
    assert path.read_bytes() == before


@pytest.mark.parametrize("config", [NO_EXPORT, MISMATCH], ids=["export", "correctness"])
@pytest.mark.parametrize("by", ["xfail of nav_config", FILE])
def test_what_a_run_leaves_is_shown_with_the_words_of_the_run(
    dense: Fake, nav: Nav, expecting: Expecting, capsys: pytest.CaptureFixture[str], config: str, by: str
) -> None:
    name, outcome = ("fake", "fail-export") if config == NO_EXPORT else ("fake_cpu", "fail-correctness")
    if by == FILE:
        project = dense(failing(config))
        expecting(**{name: outcome}, other_cpu="pass")
    else:
        project = dense(failing(config), xfail=f"{{'{name.replace('_', '-')}': 'known'}}")
    ran = nav("--nav-package=out.nav", formats="")
    capsys.readouterr()

    for command in (["show", "out.nav"], ["pack", "navigator_workspace", "-o", "again.nav"]):
        assert main(command) == 0
        lines = capsys.readouterr().out.splitlines()
        assert [line for line in lines if "xfailed" in line]
        assert [line for line in lines if "FAILED" in line] == []
        assert {line for line in lines if line.startswith(("  ", "xfailed"))} <= set(ran.outlines)
    with nav_package.load(project.path / "out.nav") as package:
        assert "FAILED" not in package._repr_html_()


@pytest.mark.parametrize("arguments", ALL.values(), ids=["n2", "one"])
def test_what_is_worse_fails(dense: Fake, nav: Nav, expecting: Expecting, arguments: list[str]) -> None:
    dense(failing(MISMATCH))
    path = expecting(fake_cpu="pass", other_cpu="pass")
    before = path.read_bytes()

    result = run(nav, *arguments)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert words(result)["test_correctness[fake-cpu]"] == "FAILED"
    (reason,) = failures(result)
    assert reason.startswith(f"fake-cpu: fail-correctness, where {FILE} expects pass: output__0: max abs")
    assert path.read_bytes() == before


def test_a_failure_of_another_stage_is_one_that_nobody_has_agreed_to(
    dense: Fake, nav: Nav, expecting: Expecting
) -> None:
    dense(failing(MISMATCH))
    expecting(fake="fail-export", other_cpu="pass")

    result = run(nav)

    assert words(result)["test_correctness[fake-cpu]"] == "FAILED"
    assert f"fake-cpu: fail-correctness, where {FILE} expects fail-export" in failures(result)[0]


def test_what_is_better_is_written(dense: Fake, nav: Nav, expecting: Expecting) -> None:
    dense()
    path = expecting(fake_cpu="fail-correctness")
    path.write_text("# mine\n" + path.read_text().rstrip() + "  # and this\n")

    result = run(nav)

    assert result.ret == 0
    result.stdout.fnmatch_lines([f"{FILE}: tightened: fake-cpu passes (was fail-correctness)"])
    text = path.read_text()
    assert text.startswith("# mine\n")
    assert 'fake-cpu = {outcome = "pass"' in text
    assert text.endswith("  # and this\n")
    assert run(nav).ret == 0
    assert path.read_text() == text


def test_what_is_better_fails_in_ci(
    dense: Fake, nav: Nav, expecting: Expecting, monkeypatch: pytest.MonkeyPatch
) -> None:
    dense()
    path = expecting(fake_cpu="fail-correctness")
    before = path.read_bytes()
    monkeypatch.setenv("CI", "true")

    result = run(nav)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert words(result)["test_correctness[fake-cpu]"] == "FAILED"
    assert failures(result) == [
        f"fake-cpu passes, where {FILE} expects fail-correctness: run --nav-expected=update, and commit the file"
    ]
    assert path.read_bytes() == before


def test_the_cells_of_a_format_that_can_be_exported_take_the_place_of_its_line(
    dense: Fake, nav: Nav, expecting: Expecting
) -> None:
    dense()
    path = expecting(fake="fail-export")

    assert run(nav).ret == 0

    cells = [line.partition(" = ")[0] for line in path.read_text().splitlines()]
    assert cells[1:] == ["dense-cpu", "fake-cpu"]


def test_a_cell_that_the_file_does_not_know_fails(dense: Fake, nav: Nav, expecting: Expecting) -> None:
    dense()
    expecting()

    result = run(nav)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert failures(result) == [f"{FILE} does not know fake-cpu: run --nav-expected=update"]


def test_a_cell_that_is_not_made_any_more_fails(dense: Fake, nav: Nav, expecting: Expecting) -> None:
    dense()
    expecting(fake_cpu="pass", other_cpu="pass")

    result = run(nav)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    (reason,) = failures(result)
    assert reason.startswith(f"{FILE} has other-cpu, which is not checked any more (formats = ")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--nav-formats=other"], "formats = other (--nav-formats), runtimes = cpu (--nav-runtimes)"),
        (["-k", "not fake"], "not selected, or the run ended before it"),
    ],
    ids=["--nav-formats", "-k"],
)
def test_what_a_run_leaves_out_is_not_judged(
    dense: Fake, nav: Nav, expecting: Expecting, arguments: list[str], why: str
) -> None:
    dense("), Other.config(")
    expecting(fake_cpu="fail-correctness", other_cpu="pass")

    result = run(nav, *arguments)

    assert result.ret == 0
    result.stdout.fnmatch_lines([f"not judged: fake-cpu ({why})"])


def test_what_differs_from_run_to_run_may_end_either_way(dense: Fake, nav: Nav, expecting: Expecting) -> None:
    dense(failing(MISMATCH))
    expecting(other_cpu="pass", fake_cpu='{outcome = ["pass", "fail-correctness"], reason = "races"}')

    result = run(nav)

    assert result.ret == 0
    result.stdout.fnmatch_lines(["expected: fake-cpu is pass or fail-correctness (races), fail-correctness this time"])


def test_the_tolerances_of_the_file_are_those_that_judge(dense: Fake, nav: Nav, expecting: Expecting) -> None:
    dense("scale=1.0001")
    expecting(fake_cpu='{outcome = "pass", atol = {output__0 = 1e-2}}')

    assert run(nav).ret == 0

    expecting(fake_cpu='{outcome = "pass", atol = {output__0 = 1e-8}}')
    result = run(nav)
    assert words(result)["test_correctness[fake-cpu]"] == "FAILED"
    result.stdout.fnmatch_lines(["FAILED*> atol 1e-8*"])


def test_off_leaves_the_file_alone(dense: Fake, nav: Nav, expecting: Expecting) -> None:
    dense()
    before = expecting(fake_cpu="fail-correctness").read_bytes()

    result = run(nav, "--nav-expected=off")

    assert result.ret == 0
    assert expecting(fake_cpu="fail-correctness").read_bytes() == before
    result.stdout.no_fnmatch_line("*expected*")
