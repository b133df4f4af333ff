"""What must not enter a package: values of secrets, user-info in URLs, home folders, names of users."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.parse import urlunsplit

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_navigator.records import JSON

SECRET_NAMES = re.compile(r"TOKEN|SECRET|PASSW|API_?KEY|ACCESS_?KEY|PRIVATE_?KEY|CREDENTIAL", re.IGNORECASE)
SHORTEST_SECRET = 8
"""Shorter values are words that appear by chance ("true", "bearer")."""

PATTERNS = (
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://)[^\s/@'\"]+@", re.IGNORECASE), r"\1"),
    (re.compile(r"(?<![\w.-])/(?:home|Users)/[^/\s'\":,;)]+"), "~"),
    (re.compile(r"\b[A-Z]:\\+Users\\+[^\\\s'\":,;)]+", re.IGNORECASE), "~"),
    (re.compile(r"\bpytest-of-[^/\s'\":,;)]+"), "pytest-of-user"),
)


def scrubber() -> Callable[[str], str]:
    """Return a function that takes out of a text what this process knows to be private, now."""
    secrets = sorted(_secrets(), key=len, reverse=True)
    home = _home_pattern()

    def scrub(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, "***")
        text = home.sub("~", text) if home else text
        for pattern, replacement in PATTERNS:
            text = pattern.sub(replacement, text)
        return text

    return scrub


def scrubbed(value: JSON, scrub: Callable[[str], str]) -> JSON:
    """Return plain data with every text scrubbed, in lists and dictionaries of its own."""
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, dict):
        return {scrubbed(key, scrub): scrubbed(item, scrub) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [scrubbed(item, scrub) for item in value]
    return value


def public_url(url: str) -> str:
    """Return the address of a git remote without user, password, query and fragment."""
    if "://" not in url:
        host, colon, path = url.partition(":")
        return f"{host.rpartition('@')[2]}{colon}{path}"
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))


def _secrets() -> set[str]:
    values = {value for name, value in os.environ.items() if SECRET_NAMES.search(name)}
    return {value for value in values if len(value) >= SHORTEST_SECRET}


def _home_pattern() -> re.Pattern[str] | None:
    """Match this user's home folder, also where it is neither below /home nor below /Users."""
    homes = {os.environ.get("HOME", ""), str(Path("~").expanduser())}
    paths = sorted((home.rstrip("/") for home in homes if len(Path(home).parts) > 1), key=len, reverse=True)
    every = "|".join(re.escape(path) for path in paths)
    return re.compile(rf"(?<![\w.-])(?:{every})(?![\w.-])") if every else None
