"""Processes that save to one path at the same time, or are killed while they do: the path has one whole package."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

import pytest_navigator as nav
from pytest_navigator.package.container.reader import open_package
from pytest_navigator.package.container.writer import pack

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OFTEN = """
import sys
import pytest_navigator as nav
from pytest_navigator.errors import PackageError

source, target = sys.argv[1:]
with nav.load(source) as package:
    print("ready", flush=True)
    sys.stdin.readline()
    try:
        package.save(target)
        print("first")
    except PackageError as error:
        print(error)
    for _ in range(10):
        package.save(target, override=True)
"""
"""Saves without leave to replace, then again and again with it, from the moment at which all that do so are ready."""

KILLED = """
import os, resource, signal, sys
from pathlib import Path
import pytest_navigator as nav
from pytest_navigator.cli import main
from pytest_navigator.package.container.writer import pack

what, source, target, place = sys.argv[1:]

def die(event, arguments):
    if event == place and str(arguments[1]) == target:
        os.kill(os.getpid(), signal.SIGKILL)

if place.isdigit():
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(place), int(place)))
else:
    sys.addaudithook(die)
if what == "pack":
    pack(Path(source), Path(target), environment={})
elif what == "merge":
    main(["merge", *source.split(os.pathsep), "-o", target, "--force"])
else:
    with nav.load(source) as package:
        package.save(target, override=what == "replace")
"""
"""Dies at so many bytes of a file, by the kernel, or by SIGKILL before the file gets its name."""


def started(script: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def killed(*arguments: object) -> None:
    """Run that script, and see that it did not come to its end."""
    with started(KILLED, *arguments) as process:
        assert process.communicate()[1] == ""
    assert process.returncode in (-signal.SIGKILL, -signal.SIGXFSZ)


@pytest.fixture
def two(pair: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Two packages that differ."""
    with nav.load(pair) as package:
        package.set_verified("onnx", "cpu")
        package.save(tmp_path / "verified.nav")
    return pair, tmp_path / "verified.nav"


def test_of_processes_that_save_to_one_path_each_leaves_a_whole_package(two: tuple[Path, Path], tmp_path: Path) -> None:
    target = tmp_path / "here" / "out.nav"
    contents = {path.read_bytes() for path in two}
    processes = [started(OFTEN, path, target) for path in two]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()

    seen = set()
    while any(process.poll() is None for process in processes):
        if target.exists():
            seen.add(target.read_bytes())

    said = sorted(process.communicate()[0].strip() for process in processes)
    assert [process.returncode for process in processes] == [0, 0]
    assert said == sorted(["first", f"{target} exists; override=True replaces it"])
    assert seen <= contents
    assert target.read_bytes() in contents
    assert os.listdir(target.parent) == ["out.nav"]


@pytest.mark.parametrize("place", ["0", "1000", "os.rename"])
def test_a_process_that_is_killed_while_it_replaces_a_package_leaves_the_old_one(
    two: tuple[Path, Path], tmp_path: Path, place: str
) -> None:
    target = tmp_path / "here" / "out.nav"
    target.parent.mkdir()
    target.write_bytes(two[0].read_bytes())

    killed("replace", two[1], target, place)

    assert target.read_bytes() == two[0].read_bytes()
    (left,) = set(target.parent.iterdir()) - {target}
    assert left.stat().st_size == (int(place) if place.isdigit() else two[1].stat().st_size)


def test_a_process_that_is_killed_while_it_saves_a_new_package_leaves_none(pair: Path, tmp_path: Path) -> None:
    target = tmp_path / "here" / "out.nav"
    for place in ("1000", "os.link"):
        killed("new", pair, target, place)
        assert not target.exists()
    assert len(list(target.parent.iterdir())) == 2


def test_a_merge_that_is_killed_while_it_replaces_a_package_leaves_the_old_one(
    two: tuple[Path, Path], tmp_path: Path
) -> None:
    target = tmp_path / "here" / "out.nav"
    target.parent.mkdir()
    target.write_bytes(two[0].read_bytes())

    for place in ("1000", "os.rename"):
        killed("merge", os.pathsep.join(map(str, two)), target, place)
        assert target.read_bytes() == two[0].read_bytes()


def test_a_run_that_is_killed_while_it_packs_leaves_the_old_package_and_packs_again(
    workspace: Callable[..., Path], tmp_path: Path
) -> None:
    folder, target = workspace(), tmp_path / "here" / "out.nav"
    pack(folder, target, environment={})
    old = target.read_bytes()
    (folder / "onnx" / "model.onnx").write_bytes(b"another model" * 100)

    for place in (str(len(old) - 100), "os.rename"):
        killed("pack", folder, target, place)
        assert target.read_bytes() == old

    pack(folder, target, environment={})
    with open_package(target) as package:
        package.verify()
        assert package.read("onnx/model.onnx").startswith(b"another model")


def test_what_a_killed_process_left_is_removed_by_the_next_one_that_saves_there_an_hour_later(
    pair: Path, tmp_path: Path
) -> None:
    killed("new", pair, tmp_path / "out.nav", "1000")
    (left,) = tmp_path.iterdir()
    mine = tmp_path / ".out.nav.notes"
    mine.write_text("years of work")
    with nav.load(pair) as package:
        package.save(tmp_path / "out.nav")
        assert left.exists()
        os.utime(left, times=(time.time() - 3700,) * 2)
        os.utime(mine, times=(time.time() - 3700,) * 2)
        package.save(tmp_path / "out.nav", override=True)

    assert sorted(path.name for path in tmp_path.iterdir()) == [".out.nav.notes", "out.nav"]
