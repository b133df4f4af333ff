"""Many models in one run: each costs what the first one did."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeAlias

import pytest
from blackbox import DENSE, FAKE_FORMAT, SESSION

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from blackbox import Nav

    Zoo: TypeAlias = Callable[..., None]
    Mixed: TypeAlias = Callable[[Sequence[str]], None]

COUNTING = """
import sys
from pathlib import Path

import pytest


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection():
    calls = 0

    def count(frame, event, argument):
        nonlocal calls
        calls += event.endswith("call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        return (yield)
    finally:
        sys.setprofile(before)
        Path("calls.txt").write_text(str(calls))
"""
ZOO = """
import numpy as np
import pytest
import pytest_navigator as nav
from pytest_navigator import NavConfig

nav_config = {config}


@pytest.fixture(scope="session", params=range({count}))
def nav_model(request):
    def scaled(x: np.ndarray) -> np.ndarray:
        return x * request.param

    return scaled


@pytest.fixture(scope="session")
def nav_dataloader():
    return [np.ones((2, 3), np.float32)]
"""
PYTHON = "NavConfig(framework='python')"
OWN = "{{str(number): NavConfig(framework='python') for number in range({count})}}"


@pytest.fixture
def zoo(pytester: pytest.Pytester) -> Zoo:
    """Write a conftest.py with so many models."""

    def write(count: int, config: str = PYTHON, more: str = "") -> None:
        pytester.makeconftest(ZOO.format(config=config, count=count) + more)

    return write


@pytest.mark.parametrize("config", [PYTHON, OWN], ids=["one for all", "each its own"])
def test_collecting_a_model_among_many_takes_no_more_calls_than_among_few(
    pytester: pytest.Pytester, nav: Nav, zoo: Zoo, config: str
) -> None:
    costs = [_calls_of_collecting(pytester, nav, zoo, config, count) for count in (1, 11, 101)]

    few, many = (costs[1] - costs[0]) / 10, (costs[2] - costs[1]) / 90
    assert many < 1.1 * few


def _calls_of_collecting(pytester: pytest.Pytester, nav: Nav, zoo: Zoo, config: str, count: int) -> int:
    zoo(count, config.format(count=count), COUNTING)
    nav("--collect-only", "-q", formats="")
    return int((pytester.path / "calls.txt").read_text())


FAILING = """
nav_config = {
    str(number): NavConfig(framework="dense", formats=[FakeConfig(**chosen), "dense"])
    for number, chosen in enumerate(CHOSEN)
}
"""
WRONG, RAISES, GOOD = "{'scale': 2.0}", "{'mode': 'raise', 'where': 'export'}", "{}"


@pytest.fixture
def mixed(pytester: pytest.Pytester) -> Callable[[Sequence[str]], None]:
    """Write a conftest.py with a model of a third party's framework for each configuration of its format."""

    def write(chosen: Sequence[str]) -> None:
        pytester.makepyfile(fake_format=FAKE_FORMAT)
        one, many = SESSION.format(params=""), SESSION.format(params=f", params=range({len(chosen)})")
        pytester.makeconftest(f"{DENSE.replace(one, many)}\nCHOSEN = [{', '.join(chosen)}]\n{FAILING}")

    return write


def summary(result: pytest.RunResult) -> list[str]:
    """Return the lines of our section."""
    lines = result.outlines[next(i for i, line in enumerate(result.outlines) if " navigator ===" in line) + 1 :]
    return lines[: next(i for i, line in enumerate(lines) if line.startswith("====="))]


def test_of_many_models_what_failed_is_said_first_and_what_is_alike_in_one_line(
    pytester: pytest.Pytester, nav: Nav, mixed: Mixed
) -> None:
    mixed([WRONG, *[GOOD] * 4, RAISES, *[WRONG] * 4, GOOD])
    lines = summary(nav("--nav-package=out/{model}.nav", formats=""))
    name = pytester.path.name
    first = f"FAILED: {name}-0, {name}-6, {name}-7 and 2 more models: test_correctness[fake-cpu]: output__0: max abs "
    assert lines[0].startswith(first)
    assert lines[1:] == [
        f"FAILED: {name}-5: test_export[fake]: ZeroDivisionError: division by zero",
        "11 models: 5 ok, 6 FAILED; 44 steps: 37 ok, 6 FAILED, 1 skipped",
        "  format  runner    ok  FAILED",
        "  dense   DenseCPU  11  -",
        "  fake    FakeCPU   5   6",
        "packages: 11 in out",
        f"-v shows the table of each model, pytest-navigator show out/{name}-0.nav that of one",
    ]


@pytest.mark.parametrize(("count", "arguments", "tables"), [(10, (), 10), (11, (), 0), (11, ("-v",), 11)])
def test_many_models_have_one_summary_and_a_table_each_where_one_asks(
    nav: Nav, zoo: Zoo, count: int, arguments: tuple[str, ...], tables: int
) -> None:
    zoo(count)
    lines = summary(nav(*arguments, formats=""))
    assert sum(line.endswith("(python)") for line in lines) == tables
    assert (f"{count} models: {count} ok; {2 * count} steps: {2 * count} ok" in lines) == (count > 10)


@pytest.mark.slow
def test_many_models_of_several_workers_have_one_summary(nav: Nav, zoo: Zoo) -> None:
    zoo(12)
    lines = summary(nav("-n2", "--nav-package=out/{model}.nav", formats="", subprocess=True))
    assert lines[0] == "12 models: 12 ok; 24 steps: 24 ok"
    assert "packages: 12 in out" in lines


def test_what_the_summaries_of_many_models_have_in_common_is_counted(
    pytester: pytest.Pytester, nav: Nav, zoo: Zoo
) -> None:
    zoo(11, "NavConfig(framework='python', comparisons={'output__0': nav.unchecked('noise')})")
    lines = summary(nav("--nav-resume", formats=""))
    name = pytester.path.name
    assert lines[0].startswith(f"FAILED: {name}-0, {name}-1, {name}-10 and 8 more models: nobody checks output")
    assert lines[1:] == [
        "11 models: 11 FAILED; 22 steps: 22 ok",
        "  format  runner        ok",
        "  python  PythonRunner  11",
        "unchecked: output__0: noise (python-cpu) (11 models)",
        "results: 11 in navigator_workspace",
        "-v shows the table of each model",
    ]


def test_how_many_models_did_not_run_is_said(nav: Nav, zoo: Zoo) -> None:
    zoo(13)
    lines = summary(nav("-k", "not 11", formats=""))
    assert lines[0] == "12 of 13 models: 12 ok; 24 steps: 24 ok"


def test_the_checkout_is_described_once_however_many_packages_are_written(
    pytester: pytest.Pytester, nav: Nav, zoo: Zoo, monkeypatch: pytest.MonkeyPatch
) -> None:
    zoo(3)
    git, asked = pytester.mkdir("bin") / "git", pytester.path / "asked.txt"
    git.write_text(f'#!/bin/sh\necho "$@" >> {asked}\nexit 1\n')
    git.chmod(0o755)
    monkeypatch.setenv("PATH", str(git.parent), prepend=os.pathsep)
    nav("--nav-package={model}.nav", formats="")
    assert len(list(pytester.path.glob("*.nav"))) == 3
    assert sum(line.endswith("rev-parse HEAD") for line in asked.read_text().splitlines()) == 1
