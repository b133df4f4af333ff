"""`--nav-redact`: what a regular expression finds enters no record's text in a package, no log of it and no summary."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest
from blackbox import status

from pytest_navigator.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    from blackbox import Fake, Nav

SAID = 'raise StepFailed("the first export always fails")'
TOLD = 'print("patient-77 is here"); raise StepFailed("of patient-78: no")'


def telling(dense: Fake) -> Path:
    """Write a project whose export prints and raises what is to be taken out."""
    project = dense("fail_once=True")
    path = project.path / "fake_format.py"
    text = path.read_text(encoding="utf-8")
    assert SAID in text
    path.write_text(text.replace(SAID, TOLD), encoding="utf-8")
    return project.path


def texts(package: Path) -> str:
    with zipfile.ZipFile(package) as file:
        return "\n".join(file.read(name).decode(errors="replace") for name in file.namelist())


WAYS = {
    "flag": (("--nav-redact=patient-[0-9]+",), ""),
    "several flags": (("--nav-redact=nobody", "--nav-redact=patient-[0-9]+"), ""),
    "ini": ((), "[pytest]\nnav_redact =\n    nobody\n    patient-[0-9]+\n"),
    "flag beside ini": (("--nav-redact=patient-[0-9]+",), "[pytest]\nnav_redact = nobody\n"),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_pattern_is_taken_out_of_everything_that_is_packed(dense: Fake, nav: Nav, way: str) -> None:
    folder = telling(dense)
    flags, ini = WAYS[way]
    if ini:
        (folder / "pytest.ini").write_text(ini, encoding="utf-8")
    result = nav("--nav-package=out.nav", *flags, formats="")

    assert result.ret == 1
    packed = texts(folder / "out.nav")
    assert "patient-7" not in packed
    assert "*** is here" in packed
    assert "of ***: no" in status(folder / "out.nav")["pytest_navigator"]["steps"]["export.fake"]["message"]


@pytest.mark.parametrize(
    ("pattern", "problem"),
    [("patient-[", "no regular expression"), ("a*", "matches nothing at all"), ("", "matches nothing at all")],
)
def test_a_pattern_that_is_none_is_a_usage_error(dense: Fake, nav: Nav, pattern: str, problem: str) -> None:
    dense()
    result = nav(f"--nav-redact={pattern}", formats="")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*--nav-redact=*{problem}*"])
    assert "Traceback" not in result.stderr.str()


@pytest.mark.parametrize("pattern", [r"\b", "(?=n)", "(?<=e)|patient-[0-9]+"])
def test_a_pattern_that_finds_places_takes_nothing_out_there(dense: Fake, nav: Nav, pattern: str) -> None:
    folder = telling(dense)
    nav("--nav-package=out.nav", f"--nav-redact={pattern}", formats="")

    assert main(["show", str(folder / "out.nav")]) == 0
    assert ("patient-77" in texts(folder / "out.nav")) == ("patient" not in pattern)


@pytest.mark.parametrize("pattern", ["fake", "correctness|passed", "[a-z]+"])
def test_a_pattern_that_takes_out_what_a_package_is_read_by_is_said(dense: Fake, nav: Nav, pattern: str) -> None:
    project = dense()
    result = nav("--nav-package=out.nav", f"--nav-redact={pattern}", formats="")

    shown = result.stdout.str() + result.stderr.str()
    assert result.ret not in (0, pytest.ExitCode.INTERNAL_ERROR)
    assert "takes out a word that packages are read by" in shown
    assert "Traceback" not in shown
    assert not (project.path / "out.nav").exists()
