"""`pytest-navigator show`, `verify`, `extract`: what they print, write and return."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from pytest_navigator.package.container.writer import pack
from pytest_navigator.package.query.results import read_results
from pytest_navigator.reporting.report import summary
from tests.package.commands import command
from tests.package.recorded import DIGEST, ONNX_BYTES, outcomes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

GIT = {"commit": "0123456789abcdef", "branch": "main", "dirty": True, "url": None}
MADE = {
    "environment": {"python_version": "3.11.7", "cpu": {"name": "EPYC"}, "gpu": None},
    "git": GIT,
    "timestamp": "2026-02-22T15:34:40.000000",
}


@pytest.fixture
def package(workspace: Callable[..., Path], tmp_path: Path) -> Path:
    return pack(workspace(), tmp_path / "out.nav", **MADE)


def flip(package: Path, content: bytes) -> None:
    """Change one bit of a file, every time that it is there."""
    packed = bytearray(package.read_bytes())
    start = packed.index(content)
    while start >= 0:
        packed[start] ^= 1
        start = packed.find(content, start)
    package.write_bytes(packed)


def test_show_prints_the_summary_of_the_run(workspace: Callable[..., Path], tmp_path: Path) -> None:
    folder = workspace()
    shown = command("show", pack(folder, tmp_path / "out.nav", **MADE))

    assert shown.out.splitlines() == [
        *summary(read_results(folder)),
        "commit: 0123456789ab, with changes",
        "made: 2026-02-22T15:34:40 UTC, Python 3.11.7, EPYC",
    ]
    assert (shown.code, shown.err) == (0, "")


def test_show_says_what_a_partial_package_lacks(workspace: Callable[..., Path], tmp_path: Path) -> None:
    folder = workspace(outcomes())
    next((folder / ".steps").glob("profile.torch.*")).unlink()

    shown = command("show", pack(folder, tmp_path / "out.nav", **MADE))

    assert "partial: 1 step did not run: profile.torch.TorchCPU.batch1" in shown.out.splitlines()


def test_show_prints_the_status_as_json(package: Path) -> None:
    status = json.loads(command("show", package, "--json").out)

    assert status["pytest_navigator"]["files"]["onnx/model.onnx"] == DIGEST


def test_verify_reads_every_file(package: Path) -> None:
    verified = command("verify", package)

    assert (verified.code, verified.out) == (0, f"{package}: all 20 files are as recorded\n")


def test_verify_names_every_damaged_file(package: Path) -> None:
    flip(package, ONNX_BYTES)

    verified = command("verify", package)

    assert verified.code == 1
    damaged = [line.partition(" is damaged")[0] for line in verified.out.splitlines()[:-1]]
    assert damaged == [f"{package}: {name}" for name in ("onnx/model.onnx", "torchscript-trace/model.pt")]
    assert verified.out.endswith("2 of 20 files are damaged\n")


def test_verify_says_what_it_cannot_know_of_a_foreign_package(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "theirs.nav", "w") as file:
        file.writestr("status.yaml", "format_version: 0.3.1\n")
        file.writestr("onnx/model.onnx", b"x")

    assert "all 1 files are as recorded (1 without a digest" in command("verify", tmp_path / "theirs.nav").out


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["onnx/model.onnx"], ["onnx/model.onnx"]),
        (["model_output/batches/"], ["model_output/batches/0.npz"]),
        (["*/model.*"], ["onnx/model.onnx", "torchscript-trace/model.pt"]),
        (["torchscript-script", "status.yaml"], ["status.yaml", "torchscript-script/format.log"]),
    ],
)
def test_extract_takes_formats_folders_files_and_patterns(
    package: Path, tmp_path: Path, names: list[str], expected: list[str]
) -> None:
    extracted = command("extract", package, *names, "-o", tmp_path / "here")

    assert extracted.out.split() == [str(tmp_path / "here" / name) for name in expected]
    found = (path for path in (tmp_path / "here").rglob("*") if path.is_file())
    assert sorted(path.relative_to(tmp_path / "here").as_posix() for path in found) == expected


def test_extract_without_names_takes_everything_but_the_log_of_what_could_not_be_made(
    package: Path, tmp_path: Path
) -> None:
    command("extract", package, "-o", tmp_path / "here")

    with zipfile.ZipFile(package) as archive:
        names = [name for name in archive.namelist() if not name.startswith("torchscript-script/")]
        for name in names:
            assert (tmp_path / "here" / name).read_bytes() == archive.read(name)
    assert not (tmp_path / "here" / "torchscript-script").exists()
    command("extract", package, "torchscript-script", "-o", tmp_path / "here")
    assert (tmp_path / "here" / "torchscript-script" / "format.log").exists()


def test_extract_fills_a_folder_with_the_packages_name_and_not_the_current_one(
    package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")

    extracted = command("extract", package, "onnx/model.onnx")

    assert extracted.out == f"{package.stem}/onnx/model.onnx\n"
    assert [path.name for path in (tmp_path / "empty").iterdir()] == [package.stem]


def test_extract_says_that_its_folder_is_a_file(package: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / package.stem).write_text("years of work")
    monkeypatch.chdir(tmp_path)

    refused = command("extract", package)

    assert refused.code == 2
    assert f"{package.stem} is a file; nothing was written. Choose a folder with -o DIR" in refused.err


def test_extract_replaces_nothing_unless_told_to(package: Path, tmp_path: Path) -> None:
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx" / "model.onnx").write_bytes(b"years of work")

    refused = command("extract", package, "onnx", "-o", tmp_path)
    assert refused.code == 2
    assert "model.onnx exists; nothing was written" in refused.err
    assert [path.read_bytes() for path in (tmp_path / "onnx").iterdir()] == [b"years of work"]

    assert command("extract", package, "onnx", "-o", tmp_path, "--force").code == 0
    assert (tmp_path / "onnx" / "model.onnx").read_bytes() == ONNX_BYTES


def test_extract_says_why_a_name_means_nothing(workspace: Callable[..., Path], tmp_path: Path) -> None:
    package = pack(workspace(), tmp_path / "out.nav", keep="none", **MADE)

    assert "onx: no such file (there are: model_input," in command("extract", package, "onx").err
    assert "was left out (keep=none)" in command("extract", package, "onnx/model.onnx").err


@pytest.mark.parametrize("arguments", [["show"], ["verify"], ["extract", "-o", "here"]])
def test_no_package_is_an_error_in_one_line(tmp_path: Path, arguments: list[str]) -> None:
    failed = command(*arguments, tmp_path / "no.nav")

    assert (failed.code, failed.out) == (2, "")
    assert failed.err.startswith(f"pytest-navigator: error: {tmp_path / 'no.nav'}: no such file")
    assert failed.err.count("\n") == 1


def test_an_unknown_command_is_an_error() -> None:
    assert command("shwo", "out.nav").code == 2


def test_a_reader_that_has_seen_enough_is_no_error(package: Path) -> None:
    ran = subprocess.run(
        [shutil.which("bash") or "bash", "-c", f"{sys.executable} -m pytest_navigator show --json {package} | head -1"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (ran.stdout, ran.stderr) == ("{\n", "")
