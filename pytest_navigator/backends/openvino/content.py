"""What tells an IR of OpenVINO from other files, without its library."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_navigator.formats.content import Content

# The element that all else is in, wherever its attributes stand; what comes before it are declarations and comments.
START = re.compile(rb"\s*(?:<\?.*?\?>\s*|<!--.*?-->\s*)*<net\s[^>]*\bversion\s*=", re.DOTALL)

LOOKED_AT = 4096  # Bytes from the beginning of a file


def is_ir(content: Content) -> bool:
    """Whether it is an IR's file, or a folder with one.

    Raises:
        ConfigError: there are several in a folder.
    """
    if content.folder:
        return ir_in(content.path) is not None
    return content.head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<") and _starts(content.path)


def ir_in(folder: Path) -> Path | None:
    """Return the file of the IR in a folder, None if there is none.

    Raises:
        ConfigError: there are several.
    """
    found = [path for path in sorted(folder.glob("*.xml")) if path.is_file() and _starts(path)]
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise ConfigError(f"{folder} has {len(found)} IRs of OpenVINO ({names}): name one, {found[0]}")
    return found[0] if found else None


def _starts(path: Path) -> bool:
    with path.open("rb") as file:
        return bool(START.match(file.read(LOOKED_AT).removeprefix(b"\xef\xbb\xbf")))
