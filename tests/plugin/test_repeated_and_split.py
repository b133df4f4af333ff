"""pytest-repeat runs each test several times, pytest-split a part of them in each of several jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import calls, doubled, status, words

from pytest_navigator.cli import main

if TYPE_CHECKING:
    from blackbox import Fake, Nav


def test_a_repeated_test_repeats_its_step(dense: Fake, nav: Nav) -> None:
    pytest.importorskip("pytest_repeat")
    project = dense()
    result = nav("--count=3", "-v", "--nav-in-process", "-k", "export", formats="")
    assert list(words(result).values()) == ["PASSED"] * 3
    assert calls(project).count("export") == 3


def test_each_of_several_models_repeats_its_own(dense: Fake, nav: Nav) -> None:
    pytest.importorskip("pytest_repeat")
    project = dense()
    path = project.path / "conftest.py"
    path.write_text(doubled(path.read_text(encoding="utf-8")), encoding="utf-8")
    result = nav("--count=3", "-v", "--nav-in-process", "-k", "export", formats="")
    assert list(words(result).values()) == ["PASSED"] * 6
    assert calls(project).count("export") == 6
    assert len(list((project.path / "navigator_workspace").glob("*/suite.json"))) == 2


def test_the_packages_of_split_runs_merge_to_a_complete_one(
    linear: pytest.Pytester, nav: Nav, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pytest_split")
    text = (linear.path / "conftest.py").read_text(encoding="utf-8")
    seeded = text.replace("    return torch.nn", "    torch.manual_seed(0)\n    return torch.nn")
    linear.makeconftest(seeded)
    for group in ("1", "2"):
        options = (f"--nav-package=g{group}.nav", f"--nav-workspace=w{group}", "--splits=2", f"--group={group}")
        assert nav(*options, "--nav-in-process", formats="torchscript-trace,torchscript-script").ret == 0
    monkeypatch.chdir(linear.path)
    assert main(["merge", *sorted(path.name for path in linear.path.glob("g*.nav")), "-o", "all.nav"]) == 0
    found = status(linear.path / "all.nav")["pytest_navigator"]
    assert found["complete"] is True
