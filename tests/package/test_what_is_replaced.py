"""What is at the path of a new package: a package may be replaced, nothing else ever is."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

import pytest_navigator as nav
from pytest_navigator.errors import ConfigError, PackageError
from pytest_navigator.package.container.reader import open_package
from pytest_navigator.package.container.writer import pack
from pytest_navigator.package.zip.archive import check_writable
from tests.package.commands import command

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

IRREGULAR = r"this is no regular file \(but a device, a FIFO or a socket\), and stays; choose another name"


def fifo(path: Path) -> None:
    os.mkfifo(path)


def device(path: Path) -> None:
    try:
        os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        pytest.skip("only root makes device nodes")


KINDS = pytest.mark.parametrize(("make", "kind"), [(fifo, stat.S_ISFIFO), (device, stat.S_ISCHR)])


@pytest.fixture
def package(workspace: Callable[..., Path], tmp_path: Path) -> Path:
    return pack(workspace(), tmp_path / "out.nav", environment={})


@KINDS
def test_a_device_or_a_fifo_is_not_replaced(
    package: Path, make: Callable[[Path], None], kind: Callable[[int], bool]
) -> None:
    target = package.with_name("odd.nav")
    make(target)

    with nav.load(package) as opened, pytest.raises(PackageError, match=rf"odd\.nav: {IRREGULAR}"):
        opened.save(target, override=True)
    with pytest.raises(ConfigError, match=rf"odd\.nav: {IRREGULAR}"):
        check_writable(target)
    assert kind(target.stat().st_mode)


@KINDS
def test_merging_and_packing_do_not_replace_it_either(
    package: Path, make: Callable[[Path], None], kind: Callable[[int], bool]
) -> None:
    other, target = package.with_name("other.nav"), package.with_name("odd")
    shutil.copy(package, other)
    make(target)

    merged = command("merge", package, other, "-o", target, "--force")
    (workspace,) = package.with_name("navigator_workspace").iterdir()
    with pytest.raises(PackageError, match=IRREGULAR):
        pack(workspace, target, environment={})

    assert merged.code == 2
    assert "odd: this is no regular file" in merged.err
    assert kind(target.stat().st_mode)


def test_a_link_to_a_device_is_followed_and_refused(tmp_path: Path) -> None:
    (tmp_path / "out.nav").symlink_to("/dev/null")

    with pytest.raises(ConfigError, match=IRREGULAR):
        check_writable(tmp_path / "out.nav")


def test_what_appears_while_a_package_is_written_is_not_replaced(
    package: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, synced = package.with_name("odd.nav"), os.fsync

    def late(handle: int) -> None:
        synced(handle)
        os.mkfifo(target)

    monkeypatch.setattr(os, "fsync", late)
    with nav.load(package) as opened, pytest.raises(PackageError, match=f"{IRREGULAR}, and pack again"):
        opened.save(target, override=True)
    assert stat.S_ISFIFO(target.stat().st_mode)


def test_an_empty_file_is_replaced_only_where_its_name_says_that_it_is_to_be_a_package(package: Path) -> None:
    ours, theirs = package.with_name("new.nav"), package.with_name("empty.py")
    for path in (ours, theirs):
        path.touch()

    with nav.load(package) as opened:
        opened.save(ours, override=True)
        with pytest.raises(PackageError, match=r"empty\.py: this file is no package and would be lost"):
            opened.save(theirs, override=True)
    open_package(ours).close()
    assert theirs.read_bytes() == b""


def test_nothing_waits_for_the_writer_of_a_fifo(tmp_path: Path) -> None:
    fifo(tmp_path / "odd.nav")

    ran = subprocess.run(
        [sys.executable, "-m", "pytest_navigator", "show", tmp_path / "odd.nav"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert ran.returncode == 2
    assert "odd.nav is no regular file (but a device, a FIFO or a socket), so it is no package" in ran.stderr
