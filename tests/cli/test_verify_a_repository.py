"""`pytest-navigator verify` of a model repository of Triton."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.package.commands import command

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def repository(pair: Path, tmp_path: Path) -> Path:
    for version in ("1", "2"):
        ran = command("deploy", "triton", pair, "-r", tmp_path / "models", "--format=onnx", "--version", version)
        assert ran.code == 0, ran.err
    return tmp_path / "models"


def test_files_that_are_as_they_were_written_are_counted(repository: Path) -> None:
    ran = command("verify", repository)

    assert (ran.code, ran.out) == (0, f"{repository}: all 3 files are as recorded\n")
    assert command("verify", repository / "pair").code == 0


def test_what_a_server_leaves_beside_the_files_is_no_change(repository: Path) -> None:
    (repository / "pair" / "1" / "__pycache__").mkdir()
    (repository / "pair" / "1" / "__pycache__" / "model.cpython-311.pyc").write_bytes(b"compiled")
    (repository / "pair" / "labels.txt").write_text("a\nb\n", encoding="utf-8")

    assert command("verify", repository).code == 0


@pytest.mark.parametrize("name", ["1/model.onnx", "2/model.onnx", "config.pbtxt"])
def test_a_file_that_was_changed_is_named(name: str, repository: Path) -> None:
    with (repository / "pair" / name).open("ab") as file:
        file.write(b" ")

    ran = command("verify", repository)

    assert ran.code == 1
    assert ran.out.splitlines() == [
        f"{repository}/pair/{name} was changed",
        f"{repository}: 1 of 3 files are changed, missing or unknown",
    ]


def test_a_file_that_is_gone_is_named(repository: Path) -> None:
    (repository / "pair" / "2" / "model.onnx").unlink()

    assert f"{repository}/pair/2/model.onnx is missing" in command("verify", repository).out


@pytest.mark.parametrize(
    ("name", "named"),
    [("pair/3/model.onnx", "pair/3"), ("pair/1/model.py", "pair/1/model.py"), ("other/1/model.py", "other")],
)
def test_what_a_server_would_serve_and_nobody_recorded_is_named(name: str, named: str, repository: Path) -> None:
    (repository / name).parent.mkdir(parents=True, exist_ok=True)
    (repository / name).write_text("mine", encoding="utf-8")

    ran = command("verify", repository)

    assert ran.code == 1
    assert ran.out.splitlines() == [
        f"{repository}/{named} is in no record",
        f"{repository}: 1 of 4 files are changed, missing or unknown",
    ]


def test_a_version_that_was_replaced_is_as_it_is_now(repository: Path, pair: Path) -> None:
    ran = command("deploy", "triton", pair, "-r", repository, "--format=torchscript-trace", "--version=2", "--force")

    assert ran.code == 0, ran.err
    assert command("verify", repository).out == f"{repository}: all 3 files are as recorded\n"


def test_a_folder_that_is_no_repository_is_told(tmp_path: Path) -> None:
    ran = command("verify", tmp_path)

    assert ran.code == 2
    assert "is neither a package nor a model repository of ours: no model in it has a navigator.json" in ran.err


def test_a_record_that_is_no_file_is_told(repository: Path) -> None:
    (repository / "pair" / "navigator.json").unlink()
    os.mkfifo(repository / "pair" / "navigator.json")

    assert "navigator.json is damaged or cannot be read: deploy the model again" in command("verify", repository).out


@pytest.mark.parametrize("content", ["{", '{"model": 5}', '{"model": "m", "files": {"../../etc/passwd": 5}}'])
def test_a_record_that_is_damaged_is_told(content: str, repository: Path) -> None:
    (repository / "pair" / "navigator.json").write_text(content, encoding="utf-8")

    ran = command("verify", repository)

    assert ran.code == 1
    assert "navigator.json is damaged or cannot be read: deploy the model again" in ran.out


def test_a_damaged_record_hides_no_other_model_and_is_replaced_by_force(repository: Path, pair: Path) -> None:
    deploy = ("deploy", "triton", pair, "-r", repository, "--format=onnx")
    assert command(*deploy, "--name=other").code == 0
    (repository / "other" / "navigator.json").write_text("{", encoding="utf-8")
    (repository / "pair" / "config.pbtxt").write_text("", encoding="utf-8")

    ran = command("verify", repository)

    assert ran.code == 1
    assert f"{repository}/pair/config.pbtxt was changed" in ran.out
    assert f"{repository}/other/navigator.json is damaged" in ran.out
    assert (
        "deploy the model again, with overwrite=True (--force)" in command(*deploy, "--name=other", "--version=2").err
    )
    assert command(*deploy, "--name=other", "--force").code == 0
    assert "is damaged or" not in command("verify", repository).out
