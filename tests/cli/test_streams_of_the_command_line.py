"""Where the command line cannot write, or what nobody expected happens: one line, and the exit code of an error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_navigator import cli
from pytest_navigator.cli import show

FULL = Path("/dev/full")


def shell(command: str, package: Path) -> subprocess.CompletedProcess[str]:
    line = command.format(show=f"'{sys.executable}' -m pytest_navigator show '{package}'")
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full")
def test_a_full_disk_is_one_line_and_no_difference(pair: Path) -> None:
    ran = shell("{show} > /dev/full", pair)

    assert ran.returncode == cli.ERROR
    assert ran.stderr == "pytest-navigator: error: No space left on device\n"


def test_a_closed_output_is_one_line(pair: Path) -> None:
    ran = shell("{show} >&-", pair)

    assert ran.returncode == cli.ERROR
    assert ran.stderr.startswith("pytest-navigator: error: ")
    assert ran.stderr.count("\n") == 1


def test_who_has_seen_enough_is_told_nothing(pair: Path) -> None:
    ran = shell("{show} | head -n 1", pair)

    assert ran.stdout.count("\n") == 1
    assert ran.stderr == ""


def test_with_all_streams_closed_the_exit_code_is_left(pair: Path) -> None:
    assert shell("{show} >&- 2>&-", pair).returncode == cli.ERROR


def test_an_error_that_nobody_expected_is_one_line_and_no_traceback(
    pair: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(arguments: object) -> int:
        raise LookupError("a\nb" + "x" * 10_000)

    monkeypatch.setattr(show, "run", run)

    assert cli.main(["show", str(pair)]) == cli.ERROR
    said = capsys.readouterr().err
    assert said.startswith("pytest-navigator: error: this should not have happened: LookupError: a")
    assert said.count("\n") == 1
    assert len(said) < 1000
