"""Text that others bring: of any length, with halves of surrogate pairs and control characters, by every way in."""

from __future__ import annotations

import os
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

import pytest
from blackbox import DENSE, FAKE_FORMAT, calls, member, status, words

if TYPE_CHECKING:
    from pathlib import Path

    from blackbox import Fake, Nav

FOREIGN = '"\\udcff\\x1b[2J" + "ö" * 3_000_000'
RAISED = f"raise ValueError({FOREIGN})"
LINES = 'raise ValueError("\\udcff\\x1b[2J" + "line\\n" * 1_000_000)'

WAYS = {
    "model fixture": ("return Dense(np", f"{RAISED}\n    return Dense(np"),
    "lines of a fixture": ("return Dense(np", f"{LINES}\n    return Dense(np"),
    "loader": ("return [np", f"{RAISED}\n    return [np"),
    "failure": ("return Dense(np", f"pytest.fail({FOREIGN})\n    return Dense(np"),
    "inference": ("return x @ self.weight.T + self.bias\n\n\nclass DenseSource", f"{RAISED}\n\n\nclass DenseSource"),
    "export": ('raise StepFailed("the first export always fails")', f"raise StepFailed({FOREIGN})"),
    "library in the export": ('raise StepFailed("the first export always fails")', RAISED),
    "child": ("(x,) = feed.values()\n        return {", f"{RAISED}\n        return {{"),
    "str of an exception": (
        'raise StepFailed("the first export always fails")',
        'raise type("E", (Exception,), {"__str__": lambda self: 1 / 0})()',
    ),
    "name of an exception": (
        'raise StepFailed("the first export always fails")',
        'raise type("E\\udcff" + "x" * 3_000_000, (Exception,), {})()',
    ),
    "data of a failure": (
        'raise StepFailed("the first export always fails")',
        f'raise StepFailed("no", {FOREIGN}, "kind", {{"more": [{FOREIGN}]}})',
    ),
}
"""What raises -> what stands in a file of the scenario, and what stands there instead."""

SMALL = 300_000
"""Bytes; each of these texts has 6,000,000."""


def small_and_readable(folder: Path, result: pytest.RunResult) -> None:
    """Hold the terminal, junit's XML, the records and the package against the limits."""
    shown = result.stdout.str() + result.stderr.str()
    assert "INTERNALERROR" not in shown
    assert len(shown) < SMALL
    assert "\x1b[2J" not in shown.partition("Captured stdout")[0]
    assert (folder / "junit.xml").stat().st_size < SMALL
    ET.parse(folder / "junit.xml")
    records = list(folder.glob("navigator_workspace/*/.steps/*.json"))
    assert all(record.stat().st_size < SMALL for record in records)
    (package,) = folder.glob("*.nav")
    assert len(member(package, "status.yaml")) < 2 * SMALL
    assert "\x1b[2J" not in member(package, "navigator.log")
    assert status(package)["pytest_navigator"]["steps"]


@pytest.mark.parametrize("way", WAYS)
def test_what_an_exception_says_is_bounded_wherever_it_is_shown(dense: Fake, nav: Nav, way: str) -> None:
    project = dense("fail_once=True" if "export always" in WAYS[way][0] else "")
    for name in ("conftest.py", "fake_format.py"):
        path = project.path / name
        path.write_text(path.read_text(encoding="utf-8").replace(*WAYS[way]), encoding="utf-8")
    result = nav("--nav-package=out.nav", "--junitxml=junit.xml", "-v", formats="")
    failed = [test for test, word in words(result).items() if word == "FAILED"]
    assert len(failed) == 1, "one cause is one failure"
    small_and_readable(project.path, result)
    assert len(calls(project)) == len(set(calls(project))), "no step is repeated"


def test_the_whole_of_an_exception_is_in_the_log_up_to_a_limit(dense: Fake, nav: Nav) -> None:
    project = dense("mode='raise', where='export'")
    path = project.path / "fake_format.py"
    path.write_text(path.read_text(encoding="utf-8").replace("1 / 0", "{}['z' * 200_000]"))
    nav(formats="")
    (log,) = project.path.glob("navigator_workspace/*/fake/format.log")
    assert "z" * 200_000 in log.read_text(encoding="utf-8")
    assert "z" * 100_000 not in "".join(p.read_text() for p in project.path.glob("navigator_workspace/*/.steps/*.json"))


VERIFY = """
import pytest
def verify_it(nav_runner):
    @CODE@
"""


@pytest.mark.parametrize(
    "code",
    [
        RAISED,
        LINES,
        f"pytest.skip({FOREIGN})",
        f"pytest.xfail({FOREIGN})",
        "print('\\x1b[2J' + 'ö' * 3_000_000); assert 0, '\\udcff'",
    ],
    ids=["raise", "lines", "skip", "xfail", "print"],
)
@pytest.mark.parametrize("workers", [[], ["-n1"]], ids=["plain", "n1"])
def test_a_verify_test_says_no_more(dense: Fake, nav: Nav, code: str, workers: list[str]) -> None:
    project = dense()
    project.makepyfile(test_said=VERIFY.replace("@CODE@", code))
    result = nav("--nav-package=out.nav", "--junitxml=junit.xml", *workers, formats="", subprocess=bool(workers))
    small_and_readable(project.path, result)


def test_a_comparison_of_the_users_says_no_more(dense: Fake, nav: Nav) -> None:
    project = dense(comparisons="{'fake': {'output__0': wordy}}")
    conftest = project.path / "conftest.py"
    conftest.write_text(f"def wordy(expected, actual):\n    return {FOREIGN}\n" + conftest.read_text(encoding="utf-8"))
    result = nav("--nav-package=out.nav", "--junitxml=junit.xml", "-v", formats="")
    assert words(result)["test_correctness[fake-cpu]"] == "FAILED"
    small_and_readable(project.path, result)


def test_a_log_of_many_megabytes_is_cut_in_the_package_and_says_so(dense: Fake, nav: Nav) -> None:
    project = dense()
    path = project.path / "fake_format.py"
    printed = 'print("\\x1b[2Jbegin" + "o" * 20_000_000 + "end")\n        arrays = {name: getattr'
    path.write_text(path.read_text(encoding="utf-8").replace("arrays = {name: getattr", printed))
    nav("--nav-package=out.nav", "-k", "fake", formats="")
    (package,) = project.path.glob("*.nav")
    log = member(package, "fake/format.log")
    assert len(log) < 17_000_000
    assert "bytes left out" in log
    assert r"\x1b[2Jbegin" in log
    assert "end" in log[-1000:]


def test_a_folder_whose_name_is_not_utf_8_is_one_like_others(pytester: pytest.Pytester, nav: Nav) -> None:
    folder = pytester.path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    (folder / "conftest.py").write_text(DENSE + "nav_config = NavConfig(framework='dense', formats=[FakeConfig()])\n")
    (folder / "fake_format.py").write_text(FAKE_FORMAT)
    (folder / "test_verify.py").write_text("def verify_it(nav_runner):\n    pass\n")
    os.chdir(folder)
    arguments = ["--nav-package=out.nav", f"--rootdir={pytester.path}", "-p", "no:cacheprovider"]
    result = nav(*arguments, formats="", subprocess=True)
    assert result.ret == 0, result.stdout.str()
    assert status(folder / "out.nav")["pytest_navigator"]["complete"]
