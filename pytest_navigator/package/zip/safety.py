"""What a package must not be: names that lead elsewhere or mean two files, links, more than it says (pure)."""

from __future__ import annotations

import os
import stat
import zipfile
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_navigator.errors import ConfigError
from pytest_navigator.package.zip.file_names import colliding, name_problem, places_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SMALL = 64 * 2**20  # A package may always unpack to this many bytes, however small it is

# Environment variables that raise the limits.
FILES = "NAV_PACKAGE_MAX_FILES"
RATIO = "NAV_PACKAGE_MAX_RATIO"


TAMPERED = "the package was tampered with"  # What no packer has written

# How files may be compressed: what others unpack to, and in how much memory, no size tells.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


@dataclass(frozen=True)
class Limits:
    """How much a package may hold.

    Attributes:
        files: number of files.
        ratio: how many times its own size it may unpack to. Packages are not compressed; those of others may be.
    """

    files: int = 100_000
    ratio: float = 100.0

    @classmethod
    def of(cls, environment: Mapping[str, str] | None = None) -> Limits:
        """Return the limits that hold in this process.

        Raises:
            ConfigError: a variable is no number.
        """
        variables = os.environ if environment is None else environment
        return cls(int(_number(variables, FILES, cls.files)), _number(variables, RATIO, cls.ratio))


def archive_problem(infos: Sequence[zipfile.ZipInfo], size: int, limits: Limits) -> str:
    """Return why an archive is not to be trusted, "" if nothing is known against it.

    Args:
        size: of the archive in B.
    """
    return _names_problem(infos) or _size_problem(infos, size, limits)


def _number(variables: Mapping[str, str], name: str, default: float) -> float:
    try:
        value = float(variables.get(name, default))
    except ValueError:
        value = -1.0
    if not value > 0:
        raise ConfigError(f"{name}={variables[name]}: a number above 0 is needed (default: {default:g})")
    return value


def _names_problem(infos: Sequence[zipfile.ZipInfo]) -> str:
    names = [info.filename for info in infos]
    for name, count in Counter(names).items():
        if count > 1:
            return f"{name!r} is there {count} times; {TAMPERED}"
    for info in infos:
        if problem := _entry_problem(info):
            return f"{info.filename!r} is {problem}; {TAMPERED}"
    files = {name for name in names if not name.endswith("/")}
    parents = {place for name in names for place, is_file in places_of(name) if not is_file}
    if both := sorted(files & parents):
        return f"{both[0]!r} is a file and a folder; {TAMPERED}"
    if same := next(iter(colliding(names)), []):
        return f"{same[0]!r} and {same[1]!r} are one file on many file systems; {TAMPERED}"
    return ""


def _entry_problem(info: zipfile.ZipInfo) -> str:
    if info.compress_type not in METHODS:
        return f"compressed by method {info.compress_type}, which no package uses"
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "a link or a device"
    # The name as it is stored: zipfile has cut the other one at the first NUL.
    return name_problem(info.orig_filename.removesuffix("/"))


def _size_problem(infos: Sequence[zipfile.ZipInfo], size: int, limits: Limits) -> str:
    if len(infos) > limits.files:
        return f"it has {len(infos)} files, more than {limits.files}; {FILES}={len(infos)} lets it pass"
    if sum(info.compress_size for info in infos) > size:
        return f"its files overlap; {TAMPERED}"
    unpacked = sum(info.file_size for info in infos)
    if unpacked > max(SMALL, limits.ratio * size):
        ratio = unpacked / size
        return (
            f"it unpacks to {unpacked} B, {ratio:.0f} times its own size, more than {limits.ratio:g}; "
            f"{RATIO}={ratio + 1:.0f} lets it pass"
        )
    return ""
