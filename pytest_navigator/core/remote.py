"""Objects at URLs (`s3://bucket/name`): whole ones come, whole ones go. The one module that knows fsspec."""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from pytest_navigator.errors import ConfigError, NavigatorError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FILE = "file"
EXTRA = "pip install 'pytest-navigator[remote]'"

# A server that says nothing is given up after half a minute, which each process of a run pays once at most.
CONNECT, READ = 5, 8  # s without an answer
ATTEMPTS = 2  # Of the client library, for each of
TRIES = 2  # those of fsspec
# The client library knows no limit for what is sent: how long that may take, and at how many B/s of it.
SENT_WITHIN, SLOWEST = 30.0, 2**18


@dataclass(frozen=True)
class Scheme:
    """What is needed for one kind of URL.

    Attributes:
        module: that fsspec takes for it; install: what brings that.
        buckets: whether the first part of a path has to be there.
        options: of fsspec's class.
        credentials: what people set for it.
    """

    module: str = "fsspec"
    install: str = EXTRA
    buckets: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    credentials: str = ""


_S3_LIMITS = {"connect_timeout": CONNECT, "read_timeout": READ, "retries": {"total_max_attempts": ATTEMPTS}}
SCHEMES = {
    "s3": Scheme(
        "s3fs",
        buckets=True,
        options={"config_kwargs": _S3_LIMITS, "use_listings_cache": False},
        credentials="AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile in AWS_PROFILE",
    ),
    "gs": Scheme(
        "gcsfs",
        "pip install gcsfs",
        buckets=True,
        options={"requests_timeout": READ, "use_listings_cache": False},
        credentials="GOOGLE_APPLICATION_CREDENTIALS",
    ),
    "memory": Scheme(),
}

FORM = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+)://(?P<path>.*)", re.DOTALL)
OURS = ".pytest-navigator"  # Name of an object that is asked for and need not be there


class RemoteError(NavigatorError):
    """An object could not be read or written: the server is gone, or answers that something is wrong with it."""


class NotThere(RemoteError):
    """There is no such object."""


class NoBucket(NotThere):
    """There is no such bucket."""


class NotAllowed(RemoteError):
    """The credentials do not allow this."""


class NoCredentials(RemoteError):
    """There are no credentials, or wrong ones."""


@dataclass(frozen=True)
class Url:
    """Where an object is, or many of them below. It has no credentials in it.

    Attributes:
        text: without a slash at its end.
    """

    text: str

    def __str__(self) -> str:
        return self.text

    def __truediv__(self, name: str) -> Url:
        return Url(f"{self.text}/{name}")

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.text.rpartition("/")[2]

    @property
    def parent(self) -> Url:
        """What the object is below."""
        return Url(self.text.rpartition("/")[0])

    @property
    def scheme(self) -> str:
        """What stands before `://`."""
        return self.text.partition("://")[0]

    @property
    def bucket(self) -> str:
        """The first part of the path."""
        return self.text.partition("://")[2].partition("/")[0]


CREDENTIALS = re.compile("[@:]")  # No bucket has either in its name


def is_url(text: str) -> bool:
    """Whether an option names a URL, not a path."""
    return FORM.match(text) is not None


def located(text: str, flag: str) -> Url | Path | None:
    """Return where an option points to if it is a URL: the path of a `file://` one, and None for what is no URL.

    Raises:
        ConfigError: it cannot be; no credentials that are in it are told.
    """
    found = FORM.match(text)
    if found is None:
        return None
    scheme, path = found["scheme"].lower(), found["path"].rstrip("/")
    host, _, key = path.partition("/")
    hidden = CREDENTIALS.search(host) is not None  # of a key with a slash in it, the host has the begin alone
    shown = f"{flag}={scheme}://{'***@' * hidden}{path.rpartition('@')[2] * ('@' in path) if hidden else path}"
    shown = re.sub(r"[?#].*", "?***", shown, flags=re.DOTALL)
    if problem := _problem(scheme, host, key):
        raise ConfigError(f"{shown}: {problem}")
    return Path(unquote(path)) if scheme == FILE else Url(f"{scheme}://{path}")


def _problem(scheme: str, host: str, key: str) -> str:
    if scheme == FILE:
        return "" if not host and key else "a path is missing, which begins with a third slash: file:///folder/name"
    if scheme not in SCHEMES:
        return f"{scheme}:// is none of {', '.join(f'{name}://' for name in (*SCHEMES, FILE))}"
    known = SCHEMES[scheme]
    if CREDENTIALS.search(host) or re.search(r"[?#]", host + key):
        where = f"; set {known.credentials}" if known.credentials else ""
        return f"credentials and queries are not part of it, where lists of processes and logs show them{where}"
    if not host:
        return f"the name of a {'bucket' if known.buckets else 'folder'} is missing: {scheme}://NAME/..."
    missing = next((name for name in ("fsspec", known.module) if find_spec(name) is None), "")
    return f"{scheme}:// needs {missing}, which is not installed: {known.install}" if missing else ""


def check(url: Url) -> None:
    """Ask for one object below.

    Raises:
        NoBucket, NotAllowed, NoCredentials, RemoteError: nothing can be read there.
    """
    with _told(url) as files:
        try:
            files.cat_file(str(url / OURS))
        except FileNotFoundError as error:
            if SCHEMES[url.scheme].buckets and _no_bucket(error):
                raise


def fetch(url: Url, target: Path) -> None:
    """Copy an object to a path; what is there stays until all of it has come.

    Raises:
        NotThere, NotAllowed, NoCredentials, RemoteError: it cannot be read.
        OSError: the path cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=".new-", dir=target.parent)  # before, so that a full disk tells of itself
    os.close(handle)
    try:
        with _told(url) as files:
            files.get_file(str(url), name)
        Path(name).replace(target)
    finally:
        Path(name).unlink(missing_ok=True)


def send(path: Path, url: Url) -> None:
    """Copy a file to an object, which is there when all of it is, and as it was until then.

    Raises:
        NotThere, NotAllowed, NoCredentials, RemoteError: it cannot be written.
    """
    with _told(url) as files:
        # A single PUT, or the parts of one object that the last request makes visible: object stores know no half one.
        size = path.stat().st_size
        files.put_file(str(path), str(url), **_limit(files, size))
        with suppress(PermissionError):  # who may write need not be allowed to read
            size = files.info(str(url))["size"]
    if size != path.stat().st_size:
        raise RemoteError(f"{url} has {size} B instead of {path.stat().st_size} after it was written")


def _limit(files: Any, size: int) -> dict[str, float]:
    """Return what has fsspec give up; what is written at once, into memory, needs none."""
    return {"timeout": SENT_WITHIN + size / SLOWEST} if files.async_impl else {}


def beginning(url: Url, size: int) -> bytes | None:
    """Return the first bytes of an object, None where there is none.

    Raises:
        NotAllowed, NoCredentials, RemoteError: it cannot be read.
    """
    try:
        with _told(url) as files:
            length = files.info(str(url))["size"]
            found: bytes = files.cat_file(str(url), start=0, end=min(size, length)) if length else b""
            return found
    except NoBucket:
        raise
    except NotThere:
        return None


def remove(url: Url) -> None:
    """Delete an object.

    Raises:
        NotThere, NotAllowed, NoCredentials, RemoteError: it cannot be deleted.
    """
    with _told(url) as files:
        files.rm_file(str(url))


def names_in(url: Url) -> list[str]:
    """Return the names of the objects directly below, sorted.

    Raises:
        NotAllowed, NoCredentials, RemoteError: they cannot be listed.
    """
    try:
        with _told(url) as files:
            found = files.ls(str(url), detail=True)
    except NotThere:
        return []
    return sorted(each["name"].rpartition("/")[2] for each in found if each["type"] == "file")


@contextmanager
def _told(url: Url) -> Iterator[Any]:
    """Give fsspec's file system; whatever it raises comes as an error of ours."""
    try:
        yield _filesystem(url.scheme, os.getpid())
    except FileNotFoundError as error:
        if SCHEMES[url.scheme].buckets and _no_bucket(error):
            raise NoBucket(f"there is no bucket {url.bucket!r}") from error
        raise NotThere(f"{url}: no such object") from error
    except Exception as error:  # of four libraries, each of which has its own
        raise _kind(error)(_reason(error)) from error


def _kind(error: Exception) -> type[RemoteError]:
    if "Credential" in type(error).__name__:
        return NoCredentials
    if not isinstance(error, PermissionError):
        return RemoteError
    return NotAllowed if _code(error) in ("AccessDenied", "403", "") else NoCredentials


def _no_bucket(error: Exception) -> bool:
    return _code(error) == "NoSuchBucket"


def _code(error: Exception) -> str:
    """Return what S3 calls an error; "" of other servers."""
    response: Any = getattr(error.__cause__, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def _reason(error: Exception) -> str:
    """Return what an error says, in one line and without secrets that the environment has."""
    from pytest_navigator.core.privacy import scrubber
    from pytest_navigator.text import one_line

    said = getattr(error, "strerror", None) or str(error)
    unsaid = "no answer in time" if isinstance(error, TimeoutError) else type(error).__name__
    return one_line(scrubber()(said)).strip() or unsaid


@cache
def _filesystem(scheme: str, pid: int) -> Any:
    """Return the file system of this process: after a fork, another one."""
    import fsspec

    known = SCHEMES[scheme]
    found = fsspec.filesystem(scheme, skip_instance_cache=known.buckets, **known.options)
    if hasattr(found, "retries"):
        found.retries = TRIES
    if hasattr(found, "loop"):  # what comes of a connection that breaks is told by who has asked, not by asyncio too
        found.loop.call_soon_threadsafe(found.loop.set_exception_handler, lambda loop, context: None)
    return found
