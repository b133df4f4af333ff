"""By what name a model is deployed: a folder in a repository, and a part of an address."""

from __future__ import annotations

import re

from pytest_navigator.errors import ConfigError

LONGEST = 200
PART = r"[A-Za-z0-9_.+-]"
NAME = re.compile(rf"[A-Za-z0-9_]{PART}{{0,{LONGEST - 1}}}")


def check_name(name: object, option: str) -> None:
    """Raise ConfigError for a name of a model that is not possible.

    Args:
        option: what the caller calls the name.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name):
        allowed = f"letters, digits and any of _ . + - ({LONGEST} at most), the first one a letter, a digit or _"
        raise ConfigError(f"{option}={name!r} is not possible for a folder and a part of an address: {allowed}")


def name_of(text: str) -> str:
    """Return the name of a model that is called so: "my net: v1" is deployed as my_net_v1."""
    return "_".join(re.findall(f"{PART}+", text)).lstrip(".+-")[:LONGEST] or "model"
