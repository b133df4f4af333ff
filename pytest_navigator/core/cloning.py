"""Copies of models: where the file system can, both files share their space until one of them is written to.

Never a hard link: who edits a file of the workspace, of the cache or of their own does not edit another one.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

# Linux's request to share the blocks of a file: Btrfs, XFS, bcachefs, OCFS2 and some of NFS and SMB can.
FICLONE = 0x40049409


def copy_file(origin: Path, target: Path) -> None:
    """Copy the content of a file; what is at `target` is replaced."""
    if not clone_file(origin, target):
        shutil.copyfile(origin, target)


def copy_folder(origin: Path, target: Path) -> None:
    """Copy a folder; files of other names that are in `target` stay."""

    def copied(inner: str, made: str) -> None:
        copy_file(Path(inner), Path(made))

    shutil.copytree(origin, target, dirs_exist_ok=True, copy_function=copied)


def clone_file(origin: Path, target: Path) -> bool:
    """Make a file that shares its space with another; False if that cannot be: `target` is empty then."""
    with origin.open("rb") as source, target.open("wb") as copy:
        return _shared(source.fileno(), copy.fileno())


def _shared(source: int, copy: int) -> bool:
    if sys.platform != "linux":
        return False
    from fcntl import ioctl

    try:
        ioctl(copy, FICLONE, source)
    except OSError:  # another file system, or two of them
        return False
    return True
