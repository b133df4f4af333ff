"""Where a package goes: to a path, or to a URL from where it was written first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.core import remote
from pytest_navigator.core.ours import remove
from pytest_navigator.engine.workspace import UPLOADS
from pytest_navigator.errors import ConfigError, PackageError
from pytest_navigator.package.zip.archive import LOST, is_ours, longest_head

if TYPE_CHECKING:
    from pytest_navigator.core.remote import Url


@dataclass(frozen=True)
class Destination:
    """One package's.

    Attributes:
        path: where it is written.
        url: where it goes from there; None: it stays.
    """

    path: Path
    url: Url | None = None

    @classmethod
    def of(cls, text: str, start: Path, own: Path) -> Destination:
        """Return what a path below `start`, or a URL, means.

        Args:
            own: the folder in the workspace of the model that the package is of.
        """
        place = remote.located(text, "--nav-package")
        if isinstance(place, remote.Url):
            return cls(own.parent / UPLOADS / own.name / place.name, place)
        return cls(place or Path(start, text))

    def delivered(self, written: Path) -> Path | Url:
        """Send the package on, and return where it is.

        Args:
            written: its path; the name of a partial one is not that of `path`.

        Raises:
            PackageError: it cannot be; with its path, where it stays.
        """
        if self.url is None:
            return written
        url = self.url.parent / written.name
        try:
            _check_kept(url)
            remote.send(written, url)
        except (ConfigError, remote.RemoteError) as error:
            raise PackageError(f"{url} cannot be written ({error}); the package itself is {written}") from error
        remove(written.parent)
        return url


def check(url: Url) -> None:
    """Find out before a run whether its package could be written after it.

    Raises:
        ConfigError: nobody answers, there is no bucket, or something else is there.
    """
    try:
        remote.check(url.parent)
        _check_kept(url)
    except remote.NotAllowed:
        return  # who may write need not be allowed to read
    except (remote.RemoteError, ConfigError) as error:
        raise ConfigError(f"--nav-package={url}: {error}") from None


def _check_kept(url: Url) -> None:
    try:
        head = remote.beginning(url, longest_head())
    except remote.NotAllowed:
        return
    if head is not None and not is_ours(head, url.name):
        raise ConfigError(LOST)
