"""Names that mean the same file on every system, and no other one (pure)."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING

from pytest_navigator.errors import PackageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Unicode's categories of what steers a terminal, is not seen, or ends a line; macOS ignores some of it in names.
UNSEEN = ("Cc", "Cf", "Zl", "Zp")

# Folders that a file may be in: a path of a few thousand is longer than systems take, or this language's stack.
DEEPEST = 64

LONGEST = 255  # Bytes of the name of a file or folder, as in every common file system

# What a file or folder must not be called, with the reason.
ELSEWHERE = (
    (r'[<>:"|?*]', "a name that Windows does not allow"),
    (r"[. ]$", "a name that Windows takes for another one: it ends in a dot or a space"),
    (r"(?i)^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\.|$)", "a device on Windows"),
    (r"^(?=[^.]{1,8}(\.|$))[^.]+~\d+(\.[^.]{0,3})?$", "a short name of Windows, which may mean another file"),
)


def name_problem(name: str) -> str:
    """Return why a file of this name cannot be in a package, "" if it can: it must mean the same file everywhere."""
    if name.startswith("/") or re.match(r"[A-Za-z]:", name):
        return "an absolute name"
    if re.search(r"[\\\0\ud800-\udfff]", name):
        return "not a portable name"
    parts = name.split("/")
    if {"", ".", ".."} & set(parts):
        return "a name that leads elsewhere"
    if any(unicodedata.category(letter) in UNSEEN for letter in name):
        return "a name with characters that are not seen"
    if len(parts) > DEEPEST + 1:
        return f"a name in more than {DEEPEST} folders"
    if any(len(part.encode(errors="surrogatepass")) > LONGEST for part in parts):
        return f"a name of more than {LONGEST} bytes"
    return next((reason for pattern, reason in ELSEWHERE if any(re.search(pattern, part) for part in parts)), "")


def colliding(names: Iterable[str]) -> list[list[str]]:
    """Return names that some file systems take for one, or for one's folder: they differ in case, or in accents.

    Each list starts with the one that came first.
    """
    known: dict[str, tuple[tuple[str, bool], str]] = {}
    found: dict[str, list[str]] = {}
    for name in names:
        places = {_folded(place): (place, ends) for place, ends in places_of(name)}
        others = (known[folded][1] for folded, place in places.items() if known.get(folded, (place, ""))[0] != place)
        if (other := next(others, None)) is not None:
            found.setdefault(other, [other]).append(name)
        else:
            for folded, place in places.items():
                known.setdefault(folded, (place, name))
    return list(found.values())


def check_names(names: Iterable[str]) -> None:
    """Raise PackageError for a name that must not be written into a package."""
    every = list(names)
    for name in every:
        if problem := name_problem(name):
            raise PackageError(f"{name!r} is {problem}: no package holds it; give that file another name")
    if twice := next((name for name, times in Counter(every).items() if times > 1), ""):
        raise PackageError(f"two files are called {twice!r}: no package holds both")
    if same := next(iter(colliding(every)), []):
        raise PackageError(f"{same[0]!r} and {same[1]!r} are one file on many file systems: no package holds both")


def portable(name: str) -> str:
    """Return a name as it may be used for a folder of a package."""
    return f"_{re.sub(r'[^A-Za-z0-9_-]+', '_', name)}" if "/" in name or name_problem(name) else name


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def places_of(name: str) -> Iterator[tuple[str, bool]]:
    """Yield the folders that a name is in, and itself, with whether it is a file."""
    yield from ((name[:position], False) for position, letter in enumerate(name) if letter == "/")
    if not name.endswith("/"):
        yield name, True
