"""What must not enter a package: values of secrets, user-info in URLs, home folders, names of users."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from pytest_navigator.core.own_words import is_own
from pytest_navigator.core.secrets import Form
from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pytest_navigator.core.plain import JSON

# Environment variable: regular expressions, one a line, of what is taken out too; what `--nav-redact` adds to.
REDACT = "NAV_REDACT"

KNOWN_TEXTS = 4096  # How many that were scrubbed are remembered, none of them longer than
SHORT_TEXT = 128

USERS = ("USER", "LOGNAME", "USERNAME", "SUDO_USER")
SHORTEST_USER = 3
# Names of accounts that are nobody's.
NOBODY = frozenset(("root", "user", "admin", "runner", "ubuntu", "jenkins", "nobody", "test", "model"))

PATTERNS = (
    (Form(re.compile(r"(\b[a-z][a-z0-9+.-]{0,30}://)[^\s/@'\"]+@", re.IGNORECASE), ("://",)), r"\1"),
    (Form(re.compile(r"(?<![\w.-])/(?:home|Users)/[^/\s'\":,;)]+"), ("/home/", "/users/")), "~"),
    (Form(re.compile(r"\b[A-Z]:\\+Users\\+[^\\\s'\":,;)]+", re.IGNORECASE), (":\\",)), "~"),
    (Form(re.compile(r"\bpytest-of-[^/\s'\":,;)]+"), ("pytest-of-",)), "pytest-of-user"),
)


_redacted: list[re.Pattern[str]] = []  # What the options of the run that goes on in this process take out


def redact(patterns: Iterable[str]) -> list[str]:
    """Have every text from now on lose what these regular expressions match; returns what was said before.

    Raises:
        ConfigError: one of them is none.
    """
    before = [each.pattern for each in _redacted]
    _redacted[:] = [_compiled(pattern, "--nav-redact=") for pattern in patterns]
    return before


def scrubber() -> Callable[[str], str]:
    """Return a function that takes out of a text what this process knows to be private, now."""

    from pytest_navigator.core import secrets

    known = secrets.pattern(secrets.secrets(os.environ))
    said = [_compiled(line, f"{REDACT}=") for line in os.environ.get(REDACT, "").splitlines() if line.strip()]
    return _scrubber(tuple(each for each in (*_redacted, *said, known) if each), _home_pattern(), _user_pattern())


@lru_cache(maxsize=2)
def _scrubber(
    values: Sequence[re.Pattern[str]], home: re.Pattern[str] | None, user: re.Pattern[str] | None
) -> Callable[[str], str]:
    """Return the same function for the same knowledge: the packages of one run have most of their texts in common."""
    from pytest_navigator.core import secrets

    def scrub(text: str) -> str:
        for value in values:
            text = value.sub(_opaque, text)
        text = home.sub("~", text) if home else text
        for form, replacement in PATTERNS:
            text = form.sub(replacement, text)
        # The user's name last: it is a part of what the others know as a whole, a home folder or an address.
        return user.sub("user", secrets.hidden(text)) if user else secrets.hidden(text)

    known = lru_cache(maxsize=KNOWN_TEXTS)(scrub)
    return lambda text: known(text) if len(text) <= SHORT_TEXT else scrub(text)


def _opaque(found: re.Match[str]) -> str:
    from pytest_navigator.core import secrets

    return secrets.OPAQUE if found[0] else ""  # a place between two letters is nothing that can be taken out


def scrubbed_fields(value: Mapping[str, JSON], scrub: Callable[[str], str]) -> dict[str, JSON]:
    """Return a dictionary with every text in it scrubbed, names too."""
    return {_key(key, scrub): scrubbed(item, scrub) for key, item in value.items()}


def scrubbed(value: JSON, scrub: Callable[[str], str]) -> JSON:
    """Return plain data with every text scrubbed, in lists and dictionaries of its own."""
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, dict):
        return scrubbed_fields(value, scrub)
    if isinstance(value, (list, tuple)):
        return [scrubbed(item, scrub) for item in value]
    return value


def _key(key: Any, scrub: Callable[[str], str]) -> str:
    """Return a name scrubbed; an axis is a number until it is written."""
    return scrub(key) if isinstance(key, str) else key


def public_url(url: str) -> str:
    """Return the address of a git remote without user, password, query and fragment."""
    if "://" not in url:
        host, colon, path = url.partition(":")
        return f"{host.rpartition('@')[2]}{colon}{path}"
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _compiled(pattern: str, where: str) -> re.Pattern[str]:
    try:
        found = re.compile(pattern)
    except re.error as error:
        raise ConfigError(f"{where}{pattern}: no regular expression: {error}") from None
    if found.match(""):
        raise ConfigError(f"{where}{pattern}: it matches nothing at all, and so everywhere; name what is to be found")
    return found


def _user_pattern() -> re.Pattern[str] | None:
    names = {os.environ.get(name, "") for name in USERS}
    found = sorted(re.escape(n) for n in names if len(n) >= SHORTEST_USER and n.lower() not in NOBODY and not is_own(n))
    return re.compile(rf"(?<![\w-])(?:{'|'.join(found)})(?![\w-])") if found else None


def _home_pattern() -> re.Pattern[str] | None:
    # Not every home is below /home or /Users.
    homes = {os.environ.get("HOME", ""), str(Path("~").expanduser())}
    paths = sorted((home.rstrip("/") for home in homes if len(Path(home).parts) > 1), key=len, reverse=True)
    every = "|".join(re.escape(path) for path in paths)
    return re.compile(rf"(?<![\w.-])(?:{every})(?![\w.-])") if every else None
