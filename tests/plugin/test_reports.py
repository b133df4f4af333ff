"""What one sees: the summary, the one-line reason, the user's own file, junit and pytest-html."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import TYPE_CHECKING

import pytest
from blackbox import DENSE, FAKE_FORMAT, words

if TYPE_CHECKING:
    from blackbox import Fake, Nav


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pytest's one-line summary be a whole line."""
    monkeypatch.setenv("COLUMNS", "250")


def test_the_header_says_what_the_run_leaves_behind(dense: Fake, nav: Nav) -> None:
    dense()
    nav("--nav-package=out.nav", formats="").stdout.fnmatch_lines(
        ["navigator: *, workspace: navigator_workspace, package: out.nav"]
    )


def test_a_failure_is_one_line_that_says_how_far_off_and_what_would_pass(dense: Fake, nav: Nav) -> None:
    dense("scale=1.001")
    result = nav("-rf", "--nav-atol=1e-4", formats="")
    (line,) = [line for line in result.outlines if line.startswith("FAILED conftest.py")]
    assert line.startswith("FAILED conftest.py::nav_model::test_correctness[fake-cpu] - output__0: max abs ")
    for part in ("sample", "> atol", "% of elements", "would pass"):
        assert part in line


def test_a_failure_names_the_log(dense: Fake, nav: Nav) -> None:
    dense("mode='raise', where='export'")
    result = nav(formats="")
    result.stdout.fnmatch_lines(["log: navigator_workspace/*/fake/format.log"])


def test_one_root_cause_is_one_failure(dense: Fake, nav: Nav) -> None:
    dense("mode='raise', where='export'")
    found = words(nav("-v", formats="", profile=True))
    assert {name for name, word in found.items() if word == "FAILED"} == {"test_export[fake]"}
    assert {word for name, word in found.items() if "fake-cpu" in name} == {"SKIPPED"}


def test_a_report_points_at_the_users_fixture(dense: Fake, nav: Nav) -> None:
    pytester = dense("mode='raise', where='export'")
    lines = (pytester.path / "conftest.py").read_text().splitlines()
    # pytest counts from 0 in locations and from 1 in what it prints; a fixture begins at its decorator
    expected = next(i for i, line in enumerate(lines) if line.startswith("def nav_model")) - 1
    arguments = ("--nav", "--nav-no-profile", "-p", "no:randomly", "-p", "no:hypothesispytest")
    reports = pytester.inline_run(*arguments).getreports("pytest_runtest_logreport")
    assert {report.location[:2] for report in reports} == {("conftest.py", expected)}
    (skip,) = {r.longrepr[:2] for r in reports if r.skipped}
    assert skip == (str(pytester.path / "conftest.py"), expected + 1)


def test_junit_has_the_figures_as_properties(dense: Fake, nav: Nav) -> None:
    pytester = dense(profile_seconds="0.05", batch_sizes="[1]")
    nav("--junitxml=junit.xml", formats="", profile=True)
    cases = {case.get("name"): case for case in ElementTree.parse(pytester.path / "junit.xml").iter("testcase")}
    properties = {p.get("name"): p.get("value") for p in cases["test_profile[fake-cpu-batch1]"].iter("property")}
    assert (properties["nav_format"], properties["nav_runner"]) == ("fake", "FakeCPU")
    assert float(properties["nav_p50_ms"] or 0) > 0
    assert float(properties["nav_throughput"] or 0) > 0
    assert float(properties["nav_p99_ms"] or 0) >= float(properties["nav_p50_ms"] or 0)
    assert properties["nav_batch_size"] == "1"
    compared = {p.get("name") for p in cases["test_correctness[fake-cpu]"].iter("property")}
    assert {"nav_atol_output__0", "nav_rtol_output__0", "nav_allowed_output__0"} <= compared
    made = {p.get("name"): p.get("value") for p in cases["test_export[fake]"].iter("property")}
    assert int(made["nav_bytes"] or 0) > 0


def test_junit_has_the_reason_of_a_failure_and_of_a_skip(dense: Fake, nav: Nav) -> None:
    pytester = dense("mode='raise', where='export'")
    nav("--junitxml=junit.xml", formats="")
    cases = {case.get("name"): case for case in ElementTree.parse(pytester.path / "junit.xml").iter("testcase")}
    failure, skip = cases["test_export[fake]"].find("failure"), cases["test_correctness[fake-cpu]"].find("skipped")
    assert failure is not None
    assert "ZeroDivisionError" in (failure.get("message") or "")
    assert skip is not None
    assert "export.fake failed" in (skip.get("message") or "")


def test_pytest_html_has_the_reason(dense: Fake, nav: Nav) -> None:
    pytester = dense("mode='raise', where='export'")
    nav("--html=report.html", "--self-contained-html", formats="")
    text = (pytester.path / "report.html").read_text()
    assert "test_export[fake]" in text
    assert "ZeroDivisionError" in text


def test_a_run_in_which_only_the_source_is_right_does_not_exit_with_0(pytester: pytest.Pytester, nav: Nav) -> None:
    """Nobody named the formats, so that their failures are expected ones; all the same nothing can be deployed."""
    pytester.makepyfile(fake_format=FAKE_FORMAT.replace('mode: str = ""', 'mode: str = "raise"').replace(WHERE, RAISES))
    hooks = DENSE.replace("[DenseFormat, Fake, Other]", "[DenseFormat, Fake]")
    pytester.makeconftest(hooks + "nav_config = NavConfig(framework='dense')\n")
    result = nav("-v", formats="")
    assert words(result)["test_export[fake]"] == "XFAIL"
    assert "FAILED" not in words(result).values()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["FAILED: no format of * but the source itself passed correctness"])


WHERE = 'where: str = ""'
RAISES = 'where: str = "export"'


def test_a_named_format_that_cannot_be_exported_fails(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makepyfile(fake_format=FAKE_FORMAT.replace('mode: str = ""', 'mode: str = "raise"').replace(WHERE, RAISES))
    pytester.makeconftest(DENSE + "nav_config = NavConfig(framework='dense')\n")
    assert words(nav("-v", formats="fake"))["test_export[fake]"] == "FAILED"
    assert words(nav("-v", formats=""))["test_export[fake]"] == "XFAIL"


@pytest.mark.parametrize(
    ("config", "word"), [("mode='raise', where='export'", "XFAIL"), ("", "FAILED")], ids=["fails", "passes"]
)
def test_an_expected_failure_is_strict_and_names_its_log(
    dense: Fake, nav: Nav, monkeypatch: pytest.MonkeyPatch, config: str, word: str
) -> None:
    dense(config, xfail="{'fake': 'upstream bug 1'}")
    monkeypatch.setenv("COLUMNS", "500")
    result = nav("-v", "-rx", formats="")
    assert words(result)["test_export[fake]"] == word
    assert "upstream bug 1" in result.stdout.str()
    if word == "XFAIL":
        result.stdout.fnmatch_lines(["*(log: navigator_workspace/*/fake/format.log)"])


def test_an_expected_failure_may_be_a_cell(dense: Fake, nav: Nav) -> None:
    dense("scale=2.0", xfail="{'fake-cpu': 'known to be off'}")
    found = words(nav("-v", formats=""))
    assert (found["test_export[fake]"], found["test_correctness[fake-cpu]"]) == ("PASSED", "XFAIL")


def test_what_is_missing_is_a_skip_and_required_it_is_a_failure(dense: Fake, nav: Nav) -> None:
    pytester = dense()
    path = pytester.path / "fake_format.py"
    path.write_text(
        path.read_text().replace('name = "fake"\n    config', 'name = "fake"\n    requires = ("warp",)\n    config')
    )
    result = nav("-v", formats="")
    assert words(result)["test_export[fake]"] == "SKIPPED"
    result.stdout.fnmatch_lines(["skipped: * steps: warp is not installed"])
    required = nav("-v", "--nav-require=fake", formats="")
    assert words(required)["test_export[fake]"] == "FAILED"
    required.stdout.fnmatch_lines(
        ["FAILED: required fake was not checked: export.fake skipped: warp is not installed", "results: *"]
    )
    resumed = nav("-v", "--nav-resume", "--nav-require=fake", "-k", "source", formats="")
    assert words(resumed) == {"test_source": "PASSED"}
    resumed.stdout.fnmatch_lines(["FAILED: required fake was not checked: *"])
    assert resumed.ret == pytest.ExitCode.TESTS_FAILED


def test_the_elapsed_time_of_a_long_step_is_shown_while_it_runs(
    dense: Fake, nav: Nav, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester = dense()
    path = pytester.path / "fake_format.py"
    path.write_text(path.read_text().replace('        call("export"', '        time.sleep(0.5)\n        call("export"'))
    conftest = pytester.path / "conftest.py"
    quick = "\nfrom pytest_navigator.isolation.progress import Progress"
    quick += "\nProgress.of.__wrapped__.__defaults__ = (0.1,)\n"
    conftest.write_text(conftest.read_text() + quick)
    verbose, quiet = (nav(*v, formats="", subprocess=True).stdout.str() for v in (("-v",), ()))
    assert "export.fake: 0 s ..." in verbose
    assert "export.fake: 0 s ..." not in quiet
