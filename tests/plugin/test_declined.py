"""A format that nobody named may be declined, which is an xfail; who breaks down while trying has not said no."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import words

if TYPE_CHECKING:
    from blackbox import Fake, Nav

FORMATS = '''
"""Two formats that are there by default, of which one is exported and one converted."""

import ctypes, errno, os, sys, time
from dataclasses import dataclass

import numpy as np
from fake_format import Fake, FakeCPU
from pytest_navigator import Variant
from pytest_navigator.configuration.format_config import FormatConfig
from pytest_navigator.formats.base import Format


def swallowed():
    try:
        time.sleep(60)
    except BaseException:
        raise ValueError("an error of my own")


def ignored():
    try:
        time.sleep(60)
    except BaseException:
        pass


def caused():
    try:
        raise MemoryError
    except MemoryError as error:
        raise ValueError("step 2/3 failed") from error


@dataclass(frozen=True)
class OddConfig(FormatConfig):
    pass


class OddCPU(FakeCPU):
    name, format = "OddCPU", "odd"


class Odd(Format):
    name, config, frameworks, runners = "odd", OddConfig, ("dense",), (OddCPU,)

    def variants(self, config, parents):
        return [Variant("odd", "odd", None, "model.npz", {"mode": "", "where": ""})]

    def export(self, source, example, signature, variant, path):
        if @INSIDE@:
            @HAPPENS@
        Fake.export(self, source, example, signature, Fake().variants(Fake.config(), [])[0], path)
        return {}


@dataclass(frozen=True)
class MadeConfig(FormatConfig):
    pass


class MadeCPU(FakeCPU):
    name, format = "MadeCPU", "made"


class Made(Format):
    name, config, parent, frameworks, runners = "made", MadeConfig, "fake", ("dense",), (MadeCPU,)

    def variants(self, config, parents):
        return [Variant("made", "made", parent.key, "model.npz", {"mode": "", "where": ""}) for parent in parents]

    def convert(self, parent, example, signature, variant, path):
        @HAPPENS@
'''
HOOKS = """
from more_formats import Made, Odd
def pytest_nav_formats():
    return [DenseFormat, Fake, Odd, Made]
"""

IN_THE_CHILD_ALONE = {"ctypes.string_at(0)": "SIGSEGV", "os._exit(0)": "exit 0", "os.abort()": "SIGABRT"}
BROKEN = {
    "swallowed()": "no answer within 4 s",
    "ignored()": "no answer within 4 s",
    "sys.exit(3)": "SystemExit",
    "raise MemoryError": "MemoryError",
    "caused()": "step 2/3 failed",
    "raise RuntimeError('DefaultCPUAllocator: can\\'t allocate memory: you tried to')": "can't allocate memory",
    "raise OSError(errno.ENOSPC, 'No space left on device')": "No space left on device",
    **IN_THE_CHILD_ALONE,
}
DECLINED = ["raise ValueError('this model has a loop')", "open('no such file')", "raise OSError('no source code')"]


@pytest.fixture
def happens(dense: Fake, nav: Nav, monkeypatch: pytest.MonkeyPatch):
    """Run a suite in whose two formats something happens, that of the export only where it is not the process's end."""
    monkeypatch.setenv("COLUMNS", "500")

    def run(what: str, **nav_config: str) -> pytest.RunResult:
        pytester = dense()
        text = FORMATS.replace("@HAPPENS@", what).replace("@INSIDE@", str(what not in IN_THE_CHILD_ALONE))
        pytester.makepyfile(more_formats=text)
        conftest = pytester.path / "conftest.py"
        head, _, _ = conftest.read_text().partition("nav_config = ")
        fields = "".join(f", {name}={value}" for name, value in nav_config.items())
        limit = 4 if BROKEN.get(what, "").startswith("no answer") else 60
        conftest.write_text(f"{head}{HOOKS}\nnav_config = NavConfig(framework='dense', timeout={limit}{fields})\n")
        return nav("-v", "-rfx", formats="")

    return run


@pytest.mark.parametrize("what", BROKEN)
def test_a_breakdown_is_a_failure_of_a_format_that_nobody_named(happens, what: str) -> None:
    result = happens(what)
    found = words(result)
    assert found["test_convert[made]"] == "FAILED"
    assert found["test_export[odd]"] == ("PASSED" if what in IN_THE_CHILD_ALONE else "FAILED")
    result.stdout.fnmatch_lines([f"FAILED *::test_convert?made? - *{BROKEN[what]}*"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


@pytest.mark.parametrize("what", DECLINED)
def test_who_says_no_is_expected_to(happens, what: str) -> None:
    result = happens(what)
    assert {words(result)[name] for name in ("test_convert[made]", "test_export[odd]")} == {"XFAIL"}
    assert result.ret == 0


def test_xfail_of_nav_config_expects_a_breakdown_too(happens) -> None:
    result = happens("raise MemoryError", xfail="{'made': 'upstream bug 1', 'odd': 'upstream bug 2'}")
    assert {words(result)[name] for name in ("test_convert[made]", "test_export[odd]")} == {"XFAIL"}
    assert result.ret == 0
