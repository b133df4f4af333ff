"""`pytest-navigator judge` says what a run under another policy would say."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from blackbox import words
from expecting import FILE, MISMATCH, failing

from tests.package.commands import command

if TYPE_CHECKING:
    from blackbox import Fake, Nav
    from expecting import Expecting

UPDATE = "--nav-expected=update"

POLICIES = (
    ("--atol=1e-2",),
    ("--rtol=1e-3",),
    ("--atol=1e-9", "--rtol=2e-3"),
    ("--atol=0",),
    ("--atol=1e-6 fake=1e-1",),
    ("--rtol=1e-2 output__0=1e-5",),
)


def said(pytester: pytest.Pytester, *policy: str) -> tuple[dict[str, str], int]:
    """Return the word of each test, and the exit code."""
    found = command("judge", pytester.path / "out.nav", "--json", *policy)
    return {item["name"]: item["word"] for item in json.loads(found.out)["items"]}, found.code


@pytest.mark.parametrize("scale", ["1.0", "1.0005", "1.01"])
def test_it_says_what_a_run_under_the_policy_says(dense: Fake, nav: Nav, scale: str) -> None:
    pytester = dense(f"scale={scale}")
    nav("-v", "--nav-package=out.nav", formats="")
    judged = {policy: said(pytester, *policy) for policy in POLICIES}
    for policy, (found, code) in judged.items():
        again = nav("-v", *(word.replace("--", "--nav-") for word in policy), formats="")
        assert found == words(again), policy
        assert code == again.ret, policy


def test_without_a_policy_it_says_what_the_run_said(dense: Fake, nav: Nav) -> None:
    pytester = dense("scale=1.01", profile_seconds="0.05")
    before = nav("-v", "--nav-package=out.nav", formats="", profile=True)
    assert said(pytester) == (words(before), 1)


def test_what_did_not_run_is_said(dense: Fake, nav: Nav) -> None:
    pytester = dense("scale=1.01", profile_seconds="0.05", batch_sizes="[1]")
    nav("--nav-package=out.nav", formats="", profile=True)
    found = command("judge", pytester.path / "out.nav", "--atol=1")
    assert found.code == 0
    assert "test_correctness[fake-cpu] PASSED (output__0: max abs " in found.out
    assert (
        "not judged: test_profile[fake-cpu-batch1] (it did not run, because correctness.fake.FakeCPU had failed)"
        in found.out.splitlines()
    )
    assert found.out.splitlines()[-1] == "1 not judged, 5 passed"


def test_what_would_not_run_any_more_is_skipped(dense: Fake, nav: Nav) -> None:
    pytester = dense("scale=1.001", atol="1.0", profile_seconds="0.05", batch_sizes="[1]")
    nav("--nav-package=out.nav", formats="", profile=True)
    found, code = said(pytester, "--atol=1e-7")
    assert code == 1
    assert (found["test_correctness[fake-cpu]"], found["test_profile[fake-cpu-batch1]"]) == ("FAILED", "SKIPPED")
    assert found["test_profile[dense-cpu-batch1]"] == "PASSED"


@pytest.mark.parametrize(
    ("configured", "text"),
    [
        ("{'output__0': nav.cosine(0.5)}", "cosine >= 0.5"),
        ("{'output__0': nav.unchecked('sampled')}", "unchecked: sampled"),
        ("{'output__0': lambda expected, actual: True}", "function"),
        ("{'output__0': nav.scaled(tolerance=0.5)}", "asked for"),
    ],
    ids=["cosine", "unchecked", "function", "scaled"],
)
def test_a_comparison_goes_before_a_tolerance_as_in_a_run(dense: Fake, nav: Nav, configured: str, text: str) -> None:
    pytester = dense("scale=1.2", comparisons=configured)
    conftest = pytester.path / "conftest.py"
    conftest.write_text(f"import pytest_navigator as nav\n{conftest.read_text()}")
    nav("--nav-package=out.nav", formats="")
    found = command("judge", pytester.path / "out.nav", "--atol=1e-9", "--json")
    (item,) = (item for item in json.loads(found.out)["items"] if item["name"] == "test_correctness[fake-cpu]")
    assert (item["word"], item["outputs"][0]["recorded"]) == ("PASSED", True)
    assert text in item["text"]


def test_an_expected_failure_that_passes_is_one_that_fails(dense: Fake, nav: Nav) -> None:
    pytester = dense("scale=1.01", xfail="{'fake-cpu': 'known'}")
    nav("--nav-package=out.nav", formats="")
    assert said(pytester)[0]["test_correctness[fake-cpu]"] == "XFAIL"
    assert said(pytester, "--atol=1")[0]["test_correctness[fake-cpu]"] == "FAILED"


@pytest.mark.parametrize(
    ("policy", "problem"),
    [
        ("--atol=logits=1e-3", "unknown output in atol 'logits' (valid: "),
        ("--rtol=-1", "argument --rtol: rtol '-1': '-1' is no tolerance; a tolerance is a number from 0, like 1e-5"),
        ("--atol=", "argument --atol: atol '': empty; write a number"),
    ],
)
def test_a_policy_that_cannot_be_is_an_error(dense: Fake, nav: Nav, policy: str, problem: str) -> None:
    pytester = dense()
    nav("--nav-package=out.nav", formats="")
    found = command("judge", pytester.path / "out.nav", policy)
    assert found.code == 2
    assert problem in found.err


@pytest.mark.parametrize(
    ("config", "lines", "arguments", "code"),
    [
        ("scale=1.0001), Other.config(", None, [UPDATE], 0),
        (failing(MISMATCH), None, [UPDATE], 0),
        ("scale=1.0001", {"fake_cpu": '{outcome = "pass", atol = {output__0 = 100}}'}, [], 0),
        (failing(MISMATCH), {"fake_cpu": "fail-correctness", "other_cpu": "fail-correctness"}, [], 0),
        (
            failing("scale=1.000001"),
            {"fake_cpu": '{outcome = "pass", atol = {output__0 = 1e-9}}', "other_cpu": "pass"},
            ["--nav-expected=loosen:fake-cpu", "--nav-expected-reason=so"],
            0,
        ),
        (failing(MISMATCH), {"fake_cpu": "pass", "other_cpu": "pass"}, [UPDATE], 1),
        (MISMATCH, {"fake_cpu": "fail-correctness"}, [], 1),
        ("", {}, [], 1),
        ("", {"fake_cpu": "pass", "other_cpu": "pass"}, [], 1),
    ],
    ids=["new", "new failure", "tightened", "better", "loosened", "worse", "no format", "unknown", "gone"],
)
def test_a_package_is_judged_as_its_run_was(
    dense: Fake, nav: Nav, expecting: Expecting, config: str, lines: Any, arguments: list[str], code: int
) -> None:
    pytester = dense(config)
    if lines is not None:
        expecting(**lines)
    assert nav("--nav-package=out.nav", *arguments, formats="").ret == code
    assert said(pytester)[1] == code


def test_a_cell_that_cannot_be_is_an_error_of_the_file(dense: Fake, nav: Nav, expecting: Expecting) -> None:
    pytester = dense()
    nav("--nav-package=out.nav", formats="")
    found = command("judge", pytester.path / "out.nav", f"--expected={expecting(fake_cpu='pass', fka_cpu='pass')}")
    assert found.code == 2
    assert "unknown cell 'fka-cpu'; did you mean 'fake-cpu'?" in found.err
    onnx = expecting(fake_cpu="pass", onnx_cpu="pass")  # of another run
    found = command("judge", pytester.path / "out.nav", f"--expected={onnx}")
    assert found.code == 0
    assert "expected: onnx-cpu: unjudged: " in found.out


LINE = 'outcome = "{}", atol = {{output__0 = {}}}'
KNOWN = ', reason = "known"'


@pytest.mark.parametrize(
    ("line", "word", "code"),
    [
        (LINE.format("pass", "1e-1"), "PASSED", 0),
        (LINE.format("pass", "1e-9"), "FAILED", 1),
        ('outcome = "fail-correctness", reason = "known"', "PASSED", 0),
        (LINE.format("fail-correctness", "1e-9") + KNOWN, "XFAIL", 1),  # nothing but the source is right then
    ],
    ids=["within", "worse", "better", "known"],
)
def test_an_expected_file_says_tolerances_and_outcomes(
    dense: Fake, nav: Nav, line: str, word: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    pytester = dense("scale=1.0001", name="'m'")
    nav("--nav-package=out.nav", formats="")
    file = pytester.path / "expected.toml"
    file.write_text(f'[m]\ndense-cpu = {{outcome = "pass"}}\nfake-cpu = {{{line}}}\n')
    found, exit_code = said(pytester, f"--expected={file}")
    assert (found["test_correctness[fake-cpu]"], exit_code) == (word, code)
    told = command("judge", pytester.path / "out.nav", f"--expected={file}").out
    assert ("expected: fake-cpu: worse: fail-correctness, where expected.toml has pass (" in told) == (word == "FAILED")
    assert ("expected: fake-cpu: better: pass, where expected.toml has fail-correctness" in told) == ("better" in told)
    file.rename(pytester.path / "nav_expected.toml")
    if "reason" not in line or word == "XFAIL":
        again = nav("-v", "--nav-expected=check", formats="")
        assert (words(again)["test_correctness[fake-cpu]"], again.ret) == (word, code)
    else:
        monkeypatch.setenv("CI", "true")
        assert said(pytester, f"--expected={pytester.path / FILE}")[1] == nav(formats="").ret == 1


def test_an_expected_file_beside_a_tolerance_is_an_error(dense: Fake, nav: Nav) -> None:
    pytester = dense()
    nav("--nav-package=out.nav", formats="")
    found = command("judge", pytester.path / "out.nav", "--expected=none.toml", "--atol=1")
    assert (found.code, found.err) == (
        2,
        "pytest-navigator: error: --expected has the tolerances that hold: leave --atol and --rtol out\n",
    )
    assert "none.toml cannot be read" in command("judge", pytester.path / "out.nav", "--expected=none.toml").err


def test_a_verify_test_that_did_not_run_is_judged_by_nobody(dense: Fake, nav: Nav) -> None:
    pytester = dense("scale=1.01")
    pytester.makepyfile(test_own="def verify_it(nav_runner): pass")
    nav("--nav-package=out.nav", formats="")
    found, code = said(pytester, "--atol=1")
    assert (found["test_own.py::verify_it[fake-cpu]"], code) == ("not judged", 1)
    assert said(pytester)[0]["test_own.py::verify_it[fake-cpu]"] == "SKIPPED"


def test_the_growth_that_a_run_allows_is_that_of_its_judgement(dense: Fake, nav: Nav) -> None:
    pytester = dense(max_growth="'10%'")
    nav("--nav-package=old.nav", formats="")
    module = pytester.path / "fake_format.py"
    module.write_text(module.read_text().replace("save_npz(path, {", "save_npz(path, {'more': np.zeros(50)} | {"))
    nav("--nav-package=out.nav", formats="")
    judged = {
        most: command("judge", pytester.path / "out.nav", f"--baseline={pytester.path / 'old.nav'}", *most).code
        for most in ((), ("--max-growth=10%",), ("--max-growth=1000%",))
    }
    assert list(judged.values()) == [1, 1, 0]


def test_what_fails_by_the_policy_is_worse_than_the_baseline(dense: Fake, nav: Nav) -> None:
    pytester = dense("scale=1.001", atol="1.0")
    nav("--nav-package=out.nav", formats="")
    package = pytester.path / "out.nav"
    assert command("judge", package, f"--baseline={package}").code == 0
    found = command("judge", package, "--atol=1e-7", f"--baseline={package}")
    assert found.code == 1
    assert "baseline: coverage: fake-cpu: passed -> failed (" in found.out
