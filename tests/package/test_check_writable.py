from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

from pytest_navigator.errors import ConfigError
from pytest_navigator.package.zip.archive import check_writable, partial_path


def test_a_path_that_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    assert check_writable(tmp_path / "new" / "folder" / "out.nav") == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"PK\3\4 an earlier package, perhaps truncated"])
def test_an_earlier_package_may_be_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "out.nav").write_bytes(content)

    assert check_writable(tmp_path / "out.nav") == ""


def test_another_ending_is_only_a_hint(tmp_path: Path) -> None:
    assert check_writable(tmp_path / "out.zip") == "out.zip does not end in .nav, which readers expect"


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="this is a folder; name a file in it"):
        check_writable(tmp_path)


def test_a_file_of_the_user_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("import torch")

    with pytest.raises(ConfigError, match="this file is no package and would be lost"):
        check_writable(tmp_path / "model.py")


def test_a_zip_of_another_kind_is_not_replaced(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "thesis.docx", "w") as archive:
        archive.writestr("word/document.xml", "years of work")

    with pytest.raises(ConfigError, match="this file is no package and would be lost"):
        check_writable(tmp_path / "thesis.docx")


def test_a_package_of_ours_may_be_replaced_whatever_its_name(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "out.zip", "w") as archive:
        archive.writestr("status.yaml", "format_version: 0.3.2")

    assert check_writable(tmp_path / "out.zip").startswith("out.zip does not end in .nav")


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")

    with pytest.raises(ConfigError, match=r"file is a file, so that nothing can be written below it"):
        check_writable(tmp_path / "file" / "out.nav")


def test_a_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        check_writable(tmp_path / f"{'x' * 300}.nav")


def test_a_place_that_nobody_can_write_is_refused(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    # Root may write there all the same, but nobody can in /proc.
    folder = locked if os.geteuid() else Path("/proc")

    with pytest.raises(ConfigError, match="cannot be written"):
        check_writable(folder / "out.nav")


@pytest.mark.parametrize(("name", "partial"), [("out.nav", "out.partial.nav"), ("a.b", "a.b.partial.nav")])
def test_a_partial_package_lies_beside(tmp_path: Path, name: str, partial: str) -> None:
    assert partial_path(tmp_path / name) == tmp_path / partial
