"""`--nav-expected=update` and `loosen:NAME`: what is new is added, what is worse is accepted by name, with a reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import words
from expecting import ALL, FILE, MISMATCH, NO_EXPORT, failing, failures, run

if TYPE_CHECKING:
    from blackbox import Fake, Nav
    from expecting import Expecting

UPDATE = "--nav-expected=update"


def text_of(project: pytest.Pytester) -> str:
    return (project.path / FILE).read_text().partition("]\n")[2]


@pytest.mark.parametrize("arguments", ALL.values(), ids=["n2", "one"])
def test_without_a_file_update_writes_one_and_the_next_update_changes_nothing(
    dense: Fake, nav: Nav, expecting: Expecting, arguments: list[str]
) -> None:
    project = dense(failing("scale=1.000001"))

    first = run(nav, UPDATE, *arguments)

    assert first.ret == 0
    text = text_of(project)
    lines = text.splitlines()
    assert [line.partition(" = ")[0] for line in lines] == ["dense-cpu", "fake-cpu", "other-cpu"]
    assert lines[0] == 'dense-cpu = {outcome = "pass"}'
    assert lines[1].startswith('fake-cpu = {outcome = "pass", atol = {output__0 = ')
    second = run(nav, UPDATE, *arguments)
    assert second.ret == 0
    second.stdout.fnmatch_lines([f"expected: 3 as {FILE} says"])
    assert text_of(project) == text


def test_what_is_new_and_fails_is_an_xfail_and_written_with_its_failure_as_the_reason(
    dense: Fake, nav: Nav, expecting: Expecting
) -> None:
    project = dense(failing(NO_EXPORT))

    result = run(nav, UPDATE)

    assert result.ret == 0
    assert words(result)["test_export[fake]"] == "XFAIL"
    assert 'fake = {outcome = "fail-export", reason = "ZeroDivisionError: division by zero"}\n' in text_of(project)
    assert words(run(nav))["test_export[fake]"] == "XFAIL"


def test_the_reason_of_new_numbers_that_are_off_has_no_figure(dense: Fake, nav: Nav, expecting: Expecting) -> None:
    project = dense(failing(MISMATCH))

    run(nav, UPDATE)

    assert 'fake-cpu = {outcome = "fail-correctness", reason = "output__0 differs"}\n' in text_of(project)


def test_a_reason_that_is_given_stands_there(dense: Fake, nav: Nav, expecting: Expecting) -> None:
    project = dense(failing(NO_EXPORT))

    run(nav, UPDATE, "--nav-expected-reason=waits for a fix")

    assert 'reason = "waits for a fix"' in text_of(project)


def test_update_refuses_to_loosen_and_says_how(dense: Fake, nav: Nav, expecting: Expecting) -> None:
    dense(failing(MISMATCH))
    before = expecting(fake_cpu="pass", other_cpu="pass").read_bytes()

    result = run(nav, UPDATE)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    (reason,) = failures(result)
    assert reason.endswith("; to accept it: --nav-expected=loosen:fake-cpu --nav-expected-reason='...'")
    assert expecting(fake_cpu="pass", other_cpu="pass").read_bytes() == before


def test_loosening_by_name_writes_the_reason(dense: Fake, nav: Nav, expecting: Expecting) -> None:
    project = dense(failing(MISMATCH))
    expecting(fake_cpu="pass", other_cpu="pass")

    result = run(nav, "--nav-expected=loosen:fake-cpu", "--nav-expected-reason=twice is enough")

    assert result.ret == 0
    result.stdout.fnmatch_lines([f"{FILE}: loosened: fake-cpu = fail-correctness (twice is enough)"])
    assert 'fake-cpu = {outcome = "fail-correctness", reason = "twice is enough"}\n' in text_of(project)
    assert run(nav).ret == 0


def test_a_tolerance_that_rounding_outgrew_becomes_larger(dense: Fake, nav: Nav, expecting: Expecting) -> None:
    project = dense(failing("scale=1.000001"))
    expecting(fake_cpu='{outcome = "pass", atol = {output__0 = 1e-9}}', other_cpu="pass")

    assert run(nav, "--nav-expected=loosen:fake-cpu", "--nav-expected-reason=another CPU").ret == 0

    line = next(line for line in text_of(project).splitlines() if line.startswith("fake-cpu"))
    assert line.startswith('fake-cpu = {outcome = "pass", atol = {output__0 = ')
    assert line.endswith(', reason = "another CPU"}')
    assert run(nav).ret == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--nav-expected=loosen:fake-cpu"], "*needs a reason, which is written: --nav-expected-reason=*"),
        (["--nav-expected-reason=x"], "*--nav-expected-reason is of no use without --nav-expected=update*"),
        (["--nav-expected=loose"], "*'loose' is not one of check, update, loosen:NAME, off*"),
        (["--nav-expected=loosen:"], "*'loosen:' is not one of *"),
    ],
)
def test_an_option_that_cannot_be_is_a_usage_error(
    dense: Fake, nav: Nav, expecting: Expecting, arguments: list[str], said: str
) -> None:
    dense()

    result = run(nav, *arguments)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([said])


def test_what_is_loosened_must_be_there_and_have_got_worse(dense: Fake, nav: Nav, expecting: Expecting) -> None:
    dense()
    expecting(fake_cpu="pass")

    result = run(nav, "--nav-expected=loosen:fake-cpu,fkae-cpu", "--nav-expected-reason=x")

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    known, unknown = failures(result)
    assert known == "--nav-expected: there is nothing to loosen of fake-cpu: it did not get worse"
    assert "loosen:fkae-cpu: unknown cell 'fkae-cpu'; did you mean 'fake-cpu'?" in unknown


def test_a_tolerance_that_is_much_too_large_is_tightened_and_in_ci_only_said(
    dense: Fake, nav: Nav, expecting: Expecting, monkeypatch: pytest.MonkeyPatch
) -> None:
    dense("scale=1.0001")
    path = expecting(fake_cpu='{outcome = "pass", atol = {output__0 = 100}}')
    before = path.read_text()
    with monkeypatch.context() as ci:
        ci.setenv("CI", "1")
        result = run(nav)
        assert result.ret == 0
        result.stdout.fnmatch_lines([f"note: fake-cpu needs less than a tenth of its tolerance in {FILE}: *"])
        assert path.read_text() == before

    result = run(nav)

    assert result.ret == 0
    result.stdout.fnmatch_lines([f"{FILE}: tightened: fake-cpu: atol of output__0 100 -> *"])
    assert "= 100}" not in path.read_text()


@pytest.mark.parametrize("arguments", [["--nav-resume"], ["--lf"], ["-x"]], ids=["resume", "lf", "x"])
def test_however_a_run_is_chosen_the_file_is_right_at_its_end(
    dense: Fake, nav: Nav, expecting: Expecting, arguments: list[str]
) -> None:
    project = dense(failing(""))
    assert run(nav, UPDATE).ret == 0
    text = text_of(project)

    result = run(nav, UPDATE, *arguments)

    assert result.ret == 0
    assert text_of(project) == text


@pytest.mark.parametrize("arguments", [[], [UPDATE]], ids=["tighten", "update"])
def test_an_interrupted_run_writes_nothing(dense: Fake, nav: Nav, expecting: Expecting, arguments: list[str]) -> None:
    project = dense(failing(""))
    before = expecting(fake="fail-export", other_cpu="fail-correctness").read_text()
    project.makepyfile(test_last="def test_end(): raise KeyboardInterrupt")

    result = nav(*arguments, formats="", subprocess=True)

    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines([f"{FILE}: not written: the run was interrupted"])
    assert (project.path / FILE).read_text() == before


def test_a_run_without_the_tests_of_speed_does_not_write_that_a_cell_passes(
    dense: Fake, nav: Nav, expecting: Expecting
) -> None:
    project = dense(failing(""))
    before = expecting(fake_cpu="fail-correctness").read_text()

    tightening = nav("-k", "not profile", formats="", profile=True)
    tightening.stdout.fnmatch_lines(["not judged: fake-cpu (it is right; not all tests of its speed ran)"])
    updating = nav(UPDATE, "-k", "not profile", formats="", profile=True)

    assert failures(updating) == [f"{FILE} does not know other-cpu: run --nav-expected=update in a run of all tests"]
    assert (project.path / FILE).read_text() == before
    assert nav(UPDATE, "--nav-profile-seconds=0.05", formats="", profile=True).ret == 0
    assert (project.path / FILE).read_text().count('{outcome = "pass"') == 3


def test_what_the_user_edits_meanwhile_stays(dense: Fake, nav: Nav, expecting: Expecting) -> None:
    project = dense(failing(""))
    path = expecting(fake_cpu="fail-correctness", other_cpu="fail-correctness")
    project.makepyfile(
        test_edit=f"""
        from pathlib import Path

        def test_edit():
            path = Path({str(path)!r})
            path.write_text("# edited\\n" + path.read_text().replace('"known"}}\\nother', '"mine"}}\\nother'))
        """
    )
    path.write_text(path.read_text().replace("'known'", '"known"'))

    result = run(nav)

    text = path.read_text()
    assert text.startswith("# edited\n")
    assert 'fake-cpu = {outcome = "fail-correctness", reason = "mine"}' in text
    assert 'other-cpu = {outcome = "pass"' in text
    result.stdout.fnmatch_lines([f"note: fake-cpu in {FILE} was edited while this run ran: it stays as it is"])


def test_a_model_in_a_folder_has_its_file_there(dense: Fake, nav: Nav, expecting: Expecting) -> None:
    project = dense()
    folder = project.mkdir("models")
    for name in ("conftest.py", "fake_format.py"):
        (project.path / name).rename(folder / name)

    result = run(nav, UPDATE, "models")

    assert result.ret == 0
    result.stdout.fnmatch_lines([f"models/{FILE}: added: fake-cpu = pass"])
    assert (folder / FILE).read_text().endswith('fake-cpu = {outcome = "pass"}\n')
    assert not (project.path / FILE).exists()


def test_a_file_that_cannot_be_written_fails_and_its_text_is_kept(dense: Fake, nav: Nav, expecting: Expecting) -> None:
    project = dense()
    (project.path / FILE).symlink_to("/proc/self/nav_expected.toml")

    result = run(nav, UPDATE)

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    (reason,) = failures(result)
    assert reason.endswith(f": what it would be is in navigator_workspace/{FILE}")
    assert 'fake-cpu = {outcome = "pass"}' in (project.path / "navigator_workspace" / FILE).read_text()
    (project.path / FILE).unlink()
    assert run(nav).ret == 0  # the workspace is still ours
