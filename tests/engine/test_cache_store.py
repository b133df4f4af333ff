from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from pytest_navigator.engine.cache.folder_store import FolderStore, prepare
from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

NAME = "convert-0"


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def cache(tmp_path: Path, warnings: list[str]) -> FolderStore:
    root = tmp_path / "cache"
    prepare(root, tmp_path / "workspace")
    return FolderStore(root, warnings.append)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    made = {"model.plan": b"engine" * 1000, "parts/weights": b"", "link": b"not here"}
    for name, content in made.items():
        path = tmp_path / "made" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "made" / "link").rename(tmp_path / "elsewhere")
    (tmp_path / "made" / "link").symlink_to(tmp_path / "elsewhere")
    return {name: tmp_path / "made" / name for name in made}


def entries(cache: FolderStore) -> list[str]:
    return sorted(path.name for path in cache.root.iterdir() if path.name != ".gitignore")


def taken(cache: FolderStore, target: Path) -> dict[str, bytes]:
    entry = cache.read(NAME)
    assert entry is not None
    target.mkdir()
    assert cache.take(entry, target)
    return {path.relative_to(target).as_posix(): path.read_bytes() for path in target.rglob("*") if path.is_file()}


def test_what_goes_in_comes_out_and_no_link_with_it(cache, files, tmp_path, warnings):
    cache.add(NAME, {"outcome": 1}, files)
    assert cache.read(NAME).record == {"outcome": 1}
    assert taken(cache, tmp_path / "out") == {name: path.read_bytes() for name, path in files.items()}
    assert not any(path.is_symlink() for path in (cache.root / NAME).rglob("*"))
    assert entries(cache) == [NAME]
    assert warnings == []


def test_the_first_of_two_writers_wins_and_nobody_is_warned(cache, files, warnings):
    cache.add(NAME, {"writer": 1}, files)
    cache.add(NAME, {"writer": 2}, files)
    assert cache.read(NAME).record == {"writer": 1}
    assert entries(cache) == [NAME]
    assert warnings == []


def test_others_may_read_what_one_has_written(cache, files):
    cache.add(NAME, {}, files)
    assert (cache.root / NAME).stat().st_mode & 0o777 == cache.root.stat().st_mode & 0o777


def test_an_entry_is_as_old_as_its_last_use(cache, files, tmp_path):
    cache.add(NAME, {}, files)
    os.utime(cache.root / NAME, (0, 0))
    taken(cache, tmp_path / "out")
    assert (cache.root / NAME).stat().st_mtime > 0


@pytest.mark.parametrize(
    "content", [b"", b"null", b"[]", b"{}", b'{"sha256": "0"}', b"\xff\xfe", b"{", b"[" * 10**5, b" " * 2**27]
)
def test_a_description_that_is_none_is_no_entry(cache, files, warnings, content):
    cache.add(NAME, {}, files)
    (cache.root / NAME / "entry.json").write_bytes(content)
    assert cache.read(NAME) is None
    assert warnings == [f"{cache.root / NAME} is damaged: it was not used"]
    assert entries(cache) == []


@pytest.mark.parametrize("kind", ["file", "empty folder", "dangling link"])
def test_something_else_in_the_place_of_an_entry_is_taken_away(cache, files, warnings, kind):
    place = cache.root / NAME
    {"file": place.touch, "empty folder": place.mkdir, "dangling link": lambda: place.symlink_to("nowhere")}[kind]()
    assert cache.read(NAME) is None
    assert len(warnings) == 1
    cache.add(NAME, {}, files)
    assert cache.read(NAME) is not None


def test_a_name_that_leads_out_of_the_folder_is_refused(cache, files, tmp_path, warnings):
    cache.add(NAME, {}, {"../../escaped": files["model.plan"]})
    assert cache.read(NAME) is None
    assert len(warnings) == 1


def test_a_file_that_changes_after_the_description_was_read_is_not_taken(cache, files, tmp_path, warnings):
    cache.add(NAME, {}, files)
    entry = cache.read(NAME)
    (cache.root / NAME / "model.plan").write_bytes(b"another engine")
    (tmp_path / "out").mkdir()
    assert not cache.take(entry, tmp_path / "out")
    assert cache.read(NAME) is None
    assert len(warnings) == 1


def test_an_entry_that_somebody_prunes_meanwhile_is_not_taken(cache, files, tmp_path):
    cache.add(NAME, {}, files)
    entry = cache.read(NAME)
    (cache.root / NAME / "model.plan").unlink()
    (tmp_path / "out").mkdir()
    assert not cache.take(entry, tmp_path / "out")


def test_a_file_that_is_gone_is_no_entry_and_leaves_nothing(cache, files, warnings):
    cache.add(NAME, {}, {**files, "gone": files["model.plan"].with_name("gone")})
    assert entries(cache) == []
    assert warnings == [f"nothing can be added to {cache.root} (No such file or directory); the run went on without"]


@pytest.mark.parametrize(("cache", "workspace"), [("w/cache", "w"), ("w", "w"), ("w", "w/below")])
def test_cache_and_workspace_are_apart(tmp_path, cache, workspace):
    with pytest.raises(ConfigError, match="in one another"):
        prepare(tmp_path / cache, tmp_path / workspace)
    assert list(tmp_path.iterdir()) == []
