"""`Package.save`: the whole package, or what was there before."""

from __future__ import annotations

import os
import threading
import zipfile
from typing import TYPE_CHECKING

import pytest

import pytest_navigator as nav
from pytest_navigator.errors import PackageError
from pytest_navigator.package.container.reader import open_package
from pytest_navigator.package.zip import archive

if TYPE_CHECKING:
    from pathlib import Path


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as found:
        return {name: found.read(name) for name in found.namelist()}


def test_a_package_that_nothing_was_noted_in_is_saved_byte_for_byte(pair: Path, tmp_path: Path) -> None:
    with nav.load(pair) as package:
        nav.save(package, tmp_path / "copy.nav")

    assert (tmp_path / "copy.nav").read_bytes() == pair.read_bytes()


def test_an_existing_package_is_replaced_only_when_asked(pair: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.nav"
    with nav.load(pair) as package:
        package.save(target)
        before = target.read_bytes()
        package.set_verified("onnx", "cpu")
        with pytest.raises(PackageError, match="exists; override=True replaces it"):
            package.save(target)
        assert target.read_bytes() == before
        package.save(target, override=True)
    with nav.load(target) as saved:
        assert saved.is_verified("onnx", "cpu")


def test_what_is_no_package_is_not_replaced_even_when_asked(pair: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years")
    with nav.load(pair) as package, pytest.raises(PackageError, match="this file is no package and would be lost"):
        package.save(tmp_path / "thesis.txt", override=True)
    assert (tmp_path / "thesis.txt").read_text() == "years"


def test_a_folder_is_no_target(pair: Path, tmp_path: Path) -> None:
    with nav.load(pair) as package, pytest.raises(PackageError, match="is a folder; name a file in it"):
        package.save(tmp_path)


def test_a_package_can_be_saved_onto_itself(pair: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.nav"
    target.write_bytes(pair.read_bytes())
    with nav.load(target) as package:
        package.set_verified("onnx")
        package.save(target, override=True)
        assert package.get_path("onnx").is_file()
    with open_package(target) as saved:
        saved.verify()


def test_the_samples_can_be_left_out(pair: Path, tmp_path: Path) -> None:
    with nav.load(pair) as package:
        package.save(tmp_path / "small.nav", save_data=False)

    names = contents(tmp_path / "small.nav")
    assert not [name for name in names if name.startswith(("model_input/", "model_output/"))]
    assert b"value_ranges" in contents(pair)["onnx/config.yaml"]
    assert b"value_ranges" not in names["onnx/config.yaml"]
    with open_package(tmp_path / "small.nav") as small:
        small.verify()
        assert small.details["left_out"]["model_input/correctness/0.npz"] == "save_data=none"


def test_a_damaged_file_leaves_the_old_package_and_nothing_else(pair: Path, tmp_path: Path) -> None:
    damaged, target = tmp_path / "damaged.nav", tmp_path / "out" / "old.nav"
    content = pair.read_bytes()
    place = content.index(contents(pair)["onnx/model.onnx"]) + 50
    damaged.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
    target.parent.mkdir()
    target.write_bytes(content)

    with nav.load(damaged) as package, pytest.raises(PackageError, match=r"onnx/model\.onnx is "):
        package.save(target, override=True)

    assert target.read_bytes() == content
    assert [path.name for path in target.parent.iterdir()] == ["old.nav"]


def test_a_full_disk_leaves_the_old_package_and_nothing_else(
    pair: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "old.nav"
    target.write_bytes(pair.read_bytes())

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive.os, "fsync", full)
    with nav.load(pair) as package, pytest.raises(PackageError, match=r"No space left.*what was there.*untouched"):
        package.save(target, override=True)

    assert target.read_bytes() == pair.read_bytes()
    assert os.listdir(tmp_path) == ["old.nav"]


def test_of_several_that_save_to_one_path_at_once_one_wins(pair: Path, tmp_path: Path) -> None:
    errors: list[str] = []

    def save() -> None:
        with nav.load(pair) as package:
            try:
                package.save(tmp_path / "one.nav")
            except PackageError as error:
                errors.append(str(error))

    threads = [threading.Thread(target=save) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(errors) == 3
    assert all("exists; override=True replaces it" in error for error in errors)
    assert os.listdir(tmp_path) == ["one.nav"]
    assert (tmp_path / "one.nav").read_bytes() == pair.read_bytes()


def test_the_workdir_goes_when_it_is_not_kept(pair: Path, tmp_path: Path) -> None:
    with nav.load(pair, workdir=tmp_path / "work") as package:
        package.get_path("onnx")
        package.save(tmp_path / "out.nav", keep_workdir=False)
        assert not (tmp_path / "work").exists()
        assert package.get_path("onnx").is_file()
