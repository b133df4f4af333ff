"""`--nav-cache`: a folder, or a URL."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_navigator.core.remote import Url
    from pytest_navigator.engine.cache.store import Store


def opened(place: Path | Url, scratch: Path, warn: Callable[[str], None]) -> Store:
    """Return the cache of a folder, or of a URL.

    Args:
        scratch: a folder for what is on its way; made when it is needed.
        warn: is told once what is wrong with the cache, for people.
    """
    if isinstance(place, Path):
        from pytest_navigator.engine.cache.folder_store import FolderStore

        return FolderStore(place, warn)
    from pytest_navigator.engine.cache.url_store import UrlStore

    return UrlStore(place, scratch, warn)
