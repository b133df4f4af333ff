"""What the store of pipelines keeps: whole or not at all, by fingerprint, and nothing that is damaged is served."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_navigator.errors import ConfigError, PackageError
from pytest_navigator.pipelines.choice import Choice
from pytest_navigator.pipelines.fingerprint import identity_of
from pytest_navigator.pipelines.kept import CHOICES
from pytest_navigator.pipelines.store import Store, default_store

if TYPE_CHECKING:
    from pathlib import Path

PRINT = "ab" * 32
UNET = Choice("unet", "unet", PRINT, "k1", "onnx", "OnnxCPU", "", ("timestep",), 2.0, 1.0)
SECOND = replace(UNET, graph="unet.2", key="k2")
EAGER = replace(UNET, graph="unet.2", key="k2", format="", runner="", reason="not faster")


@pytest.fixture
def warned() -> list[str]:
    return []


@pytest.fixture
def store(tmp_path: Path, warned: list[str]) -> Store:
    return Store(tmp_path / "store", warned.append)


def _file(folder: Path, content: str, size: int = 0) -> Path:
    path = folder / f"{content}.nav"
    path.write_text(content.ljust(size))
    return path


def test_what_was_put_is_found_by_its_fingerprint_alone(store, tmp_path, warned):
    made = _file(tmp_path, "one")
    put = store.put([UNET, EAGER], {"unet": made}, ["calls"])
    found = store.choices(PRINT)
    assert found == put == [replace(UNET, package=found[0].package), EAGER]
    assert store.package(found[0]).read_text() == "one"
    assert not made.exists()
    assert store.changing(PRINT) == ["calls"]
    assert store.choices("cd" * 32) == []
    assert warned == []


def test_a_new_format_takes_the_place_of_the_old_one_and_other_graphs_stay(store, tmp_path):
    store.put([UNET, SECOND], {"unet": _file(tmp_path, "one"), "unet.2": _file(tmp_path, "two")})
    old = store.package(store.choices(PRINT)[0])
    store.put([UNET], {"unet": _file(tmp_path, "three")})
    found = {choice.graph: store.package(choice).read_text() for choice in store.choices(PRINT)}
    assert found == {"unet": "three", "unet.2": "two"}
    assert not old.exists()


def _truncated(folder: Path) -> None:
    path = folder / CHOICES
    path.write_bytes(path.read_bytes()[:-20])


def _edited(folder: Path) -> None:
    path = folder / CHOICES
    path.write_text(path.read_text().replace("OnnxCPU", "OnnxGPU"))


def _no_list(folder: Path) -> None:
    (folder / CHOICES).write_text("[]")


def _other_package(folder: Path) -> None:
    next(folder.glob("unet-*.nav")).write_text("evil")


def _no_package(folder: Path) -> None:
    next(folder.glob("unet-*.nav")).unlink()


@pytest.mark.parametrize("damage", [_truncated, _edited, _no_list, _other_package, _no_package])
def test_what_is_damaged_is_told_and_passed_over(store, tmp_path, warned, damage):
    store.put([UNET, SECOND], {"unet": _file(tmp_path, "one"), "unet.2": _file(tmp_path, "two")})
    damage(store.root / PRINT)
    assert "unet" not in {choice.graph for choice in store.choices(PRINT)}
    assert "damaged" in warned[0]
    store.put([UNET], {"unet": _file(tmp_path, "three")})
    assert "unet" in {choice.graph for choice in store.choices(PRINT)}


def test_an_entry_of_another_module_under_its_name_is_not_served(store, tmp_path, warned):
    store.put([UNET], {"unet": _file(tmp_path, "one")})
    (store.root / PRINT).rename(store.root / ("cd" * 32))
    assert store.choices("cd" * 32) == []
    assert "damaged" in warned[0]


def test_a_folder_that_refuses_is_told_before_the_work_and_after_it(tmp_path):
    (tmp_path / "file").write_text("")
    store, made = Store(tmp_path / "file" / "store"), _file(tmp_path, "one")
    with pytest.raises(ConfigError, match=r"nothing can be kept there.*NAV_PIPELINES_DIR"):
        store.check()
    with pytest.raises(PackageError, match="nothing can be kept there"):
        store.put([UNET], {"unet": made})
    assert made.read_text() == "one"
    assert store.choices(PRINT) == []


def test_a_package_that_is_not_there_leaves_what_was(store, tmp_path):
    store.put([UNET], {"unet": _file(tmp_path, "one")})
    with pytest.raises(PackageError):
        store.put([UNET, SECOND], {"unet.2": tmp_path / "absent.nav"})
    assert [choice.graph for choice in store.choices(PRINT)] == ["unet"]


WRITER = """
import sys
from pathlib import Path
from pytest_navigator.pipelines.choice import Choice
from pytest_navigator.pipelines.store import Store

root, name = Path(sys.argv[1]), sys.argv[2]
for number in range(20):
    made = root / f"{name}{number}.nav"
    made.write_text(f"{name}{number}" * 1000)
    choice = Choice("unet", "unet", "ab" * 32, "k1", "onnx", reason=f"{name}{number}" * 1000)
    Store(root / "store").put([choice], {"unet": made})
"""


def test_two_processes_write_one_module_and_every_reader_sees_one_of_them(store, tmp_path, warned):
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    writers = [subprocess.Popen([*command, name]) for name in ("a", "b")]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        for choice in store.choices(PRINT):
            seen.add(choice.reason)
    assert [writer.returncode for writer in writers] == [0, 0]
    (last,) = store.choices(PRINT)
    assert store.package(last).read_text() == last.reason
    assert len(list((store.root / PRINT).glob("*.nav"))) == 1
    assert seen
    assert warned == []


@pytest.mark.parametrize("name", ["NAV_PIPELINES_DIR", "MODEL_NAVIGATOR_DEFAULT_CACHE_DIR"])
def test_the_environment_names_the_folder(tmp_path, name):
    assert default_store({name: str(tmp_path)}).root == tmp_path
    assert default_store({}).root.parts[-2:] == ("pytest_navigator", "pipelines")


def test_a_full_store_loses_what_was_not_used_for_longest(store, tmp_path, warned, monkeypatch):
    prints = [f"{number}a" * 32 for number in range(4)]
    for age, name in enumerate(reversed(prints[:3])):
        store.put([replace(UNET, fingerprint=name)], {"unet": _file(tmp_path, "one", 100_000)})
        os.utime(store.root / name, (age, age))
    assert store.choices(prints[2])  # the oldest is of use
    monkeypatch.setenv("NAV_PIPELINES_MAX_GIB", str(350_000 / 2**30))
    store.put([replace(UNET, fingerprint=prints[3])], {"unet": _file(tmp_path, "one", 100_000)})
    assert store.fingerprints() == [prints[0], prints[2], prints[3]]
    assert "was not used for longest" in warned[0]


def test_the_size_of_a_store_is_a_number(store, tmp_path, monkeypatch):
    monkeypatch.setenv("NAV_PIPELINES_MAX_GIB", "much")
    with pytest.raises(ConfigError, match="NAV_PIPELINES_MAX_GIB=much: a number of GiB above 0 is needed"):
        store.put([UNET], {"unet": _file(tmp_path, "one")})


def test_of_several_entries_that_a_module_fits_the_newest_counts(store):
    torch = pytest.importorskip("torch")
    module = torch.nn.Linear(1, 1).eval()
    module.calls = 0
    identity = identity_of(module)
    for age, changing in enumerate([[], ["calls"]]):
        print_ = identity.fingerprint(changing)
        store.put([replace(EAGER, fingerprint=print_, reason=str(changing))], {}, changing)
        os.utime(store.root / print_ / CHOICES, (age, age))
    assert [choice.reason for choice in store.choices_of(module)] == ["['calls']"]
    module.calls = 1
    assert [choice.reason for choice in store.choices_of(module)] == ["['calls']"]
    (store.root / print_ / CHOICES).unlink()
    assert store.choices_of(module) == []
