"""Packages that commands are given as URLs: fetched into a folder that goes when the command ends."""

from __future__ import annotations

import tempfile
from argparse import ArgumentTypeError
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.core import remote
from pytest_navigator.errors import NavigatorError

if TYPE_CHECKING:
    from collections.abc import Iterator

_urls: dict[str, str] = {}  # Path of each package that this command has fetched -> its URL
_folders: list[str] = []


@contextmanager
def fetching() -> Iterator[None]:
    """Have what `package` fetches go when the block ends."""
    with tempfile.TemporaryDirectory(prefix="pytest_navigator-") as folder:
        _folders.append(folder)
        try:
            yield
        finally:
            _folders.pop()
            _urls.clear()


def package(text: str) -> Path:
    """Parse the path, or the URL, of a package that is read."""
    try:
        place = remote.located(text, "PACKAGE")
        if not isinstance(place, remote.Url):
            return place or Path(text)
        target = Path(_folders[-1], str(len(_urls)), place.name)
        remote.fetch(place, target)
    except NavigatorError as error:
        raise ArgumentTypeError(str(error)) from None
    _urls[str(target)] = place.text
    return target


def written(text: str) -> Path:
    """Parse the path of a package that is written."""
    if remote.is_url(text):
        raise ArgumentTypeError(f"{text} is a URL, and this writes a file: name one, and copy it there")
    return Path(text)


def shown(text: str) -> str:
    """Return what a command says with the URLs of packages, not with where they are here."""
    for path, url in _urls.items():
        text = text.replace(path, url)
    return text
