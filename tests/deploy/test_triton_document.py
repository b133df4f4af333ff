"""What docs/deploy.md says of Triton's model repository: its commands and its code run."""

from __future__ import annotations

import shutil
import warnings
from typing import TYPE_CHECKING

import pytest
from documents import ROOT, blocks

import pytest_navigator as nav
from tests.package.commands import command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("## Triton's model repository")[2].partition("\n## ")[0]


@pytest.fixture
def folder(pair: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with what the page names, as the current one."""
    shutil.copy(pair, tmp_path / "out.nav")
    with nav.load(pair) as package:
        shutil.copy(package.get_path("onnx"), tmp_path / "model.onnx")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_command_writes_what_the_page_says(folder: Path) -> None:
    line = blocks(SECTION, "shell")[0].lines[0]

    ran = command(*line.split()[1:])

    assert ran.code == 0, ran.err
    assert {path.name for path in (folder / "models" / "linear").iterdir()} == {"1", "config.pbtxt", "navigator.json"}
    assert command("verify", "models").code == 0


def test_a_file_is_deployed_as_the_page_says(folder: Path) -> None:
    assert "`pytest-navigator deploy triton model.onnx -r models`" in SECTION

    assert command(*["deploy", "triton", "model.onnx", "-r", "models"]).code == 0


@pytest.mark.parametrize("code", [block.text for block in blocks(SECTION, "python")], ids=["package", "file"])
def test_its_code_runs(code: str, folder: Path) -> None:
    with warnings.catch_warnings(action="ignore"):  # which runner is the fastest is chance, and some are Python models
        exec(code, {})

    assert (folder / "models" / "linear" / "config.pbtxt").is_file()
