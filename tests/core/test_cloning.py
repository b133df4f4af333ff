"""Copies that may share their space: of the same content, and each its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.core.cloning import clone_file, copy_file, copy_folder

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = bytes(range(256)) * 100


def test_a_copy_has_the_content_and_is_not_the_file(tmp_path: Path) -> None:
    origin, target = tmp_path / "origin", tmp_path / "target"
    origin.write_bytes(CONTENT)
    target.write_bytes(b"more" * len(CONTENT))

    copy_file(origin, target)
    assert target.read_bytes() == CONTENT
    with target.open("r+b") as file:
        file.write(b"edited")

    assert origin.read_bytes() == CONTENT
    assert origin.stat().st_ino != target.stat().st_ino


def test_a_clone_is_whole_or_empty(tmp_path: Path) -> None:
    origin, target = tmp_path / "origin", tmp_path / "target"
    origin.write_bytes(CONTENT)

    shared = clone_file(origin, target)

    assert target.read_bytes() == (CONTENT if shared else b"")


def test_a_folder_is_copied_with_all_that_is_below_it(tmp_path: Path) -> None:
    (tmp_path / "origin" / "variables").mkdir(parents=True)
    (tmp_path / "origin" / "variables" / "data").write_bytes(CONTENT)
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "there").write_bytes(b"before")

    copy_folder(tmp_path / "origin", tmp_path / "target")

    found = {path.name: path.read_bytes() for path in (tmp_path / "target").rglob("*") if path.is_file()}
    assert found == {"there": b"before", "data": CONTENT}
