"""What was recorded is what a package gives back."""

from __future__ import annotations

import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_navigator.core.steps import Status
from pytest_navigator.errors import PackageError
from pytest_navigator.package.container.reader import open_package
from pytest_navigator.package.container.writer import pack
from pytest_navigator.package.layout.own_part import OF_THE_MACHINE
from pytest_navigator.package.layout.recorded import recorded
from pytest_navigator.package.query.results import read_results
from pytest_navigator.reporting.report import summary
from tests.package.recorded import outcomes, verify

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_navigator.core.records import Outcome
    from pytest_navigator.package.query.results import Results

VERIFIED = [
    verify("onnx", "OnnxCPU"),
    replace(
        verify("torch", "TorchCPU", "", Status.FAILED), message="wrong class", error="AssertionError", duration=2.5
    ),
]


def without_workspace(outcome: Outcome) -> Outcome:
    """What only the workspace has goes."""
    result = {name: value for name, value in outcome.data.get("result", {}).items() if name not in OF_THE_MACHINE}
    data = {**outcome.data, "result": result} if result else outcome.data
    return replace(outcome, detail="", identity="", data=data)


def from_package(path: Path) -> Results:
    with open_package(path) as package:
        return recorded(package)


def test_a_package_gives_back_the_results_of_its_run(workspace: Callable[..., Path], tmp_path: Path) -> None:
    folder = workspace([*outcomes(), *VERIFIED])
    before, after = read_results(folder), from_package(pack(folder, tmp_path / "out.nav", environment={}))

    assert set(map(str, after.outcomes)) == set(map(str, map(without_workspace, before.outcomes)))
    assert after.signature == before.signature
    assert after.suite == replace(before.suite, package="")
    assert after.missing == before.missing
    assert summary(after) == summary(before)


def test_an_unfinished_run_and_one_without_a_signature_come_back_too(
    workspace: Callable[..., Path], tmp_path: Path
) -> None:
    folder = workspace([replace(outcomes()[0], status=Status.FAILED), *outcomes()[1:4]])
    (folder / "signature.json").unlink()
    next((folder / ".steps").glob("export.onnx.*")).rename(folder / ".steps" / "export.onnx.started")

    after = from_package(pack(folder, tmp_path / "out.nav", environment={}))

    assert (after.signature, after.unfinished, after.missing) == (None, ("export.onnx",), ("export.onnx",))


def test_a_verification_that_came_from_elsewhere_still_says_so(workspace: Callable[..., Path], tmp_path: Path) -> None:
    carried = replace(VERIFIED[0], digest="0" * 64, data={**VERIFIED[0].data, "carried": "cpu.nav"})

    after = from_package(pack(workspace([*outcomes(), carried]), tmp_path / "out.nav", environment={}))

    assert carried in after.outcomes
    assert after.verifications("onnx", "OnnxCPU") == []


def test_records_of_another_form_are_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "out.nav", "w") as file:
        file.writestr("status.yaml", "format_version: 0.3.2\npytest_navigator: {version: '9', suite: {name: linear}}")

    with pytest.raises(
        PackageError,
        match=r"suite\.nodeid: required field missing \(it was written by version 9\)",
    ):
        from_package(tmp_path / "out.nav")
