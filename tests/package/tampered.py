"""A package whose status.yaml somebody has changed; its files, and their digests, are as they were."""

from __future__ import annotations

import hashlib
import zipfile
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def tampered(package: Path, change: Callable[[dict[str, Any]], object], **more: bytes) -> Path:
    """Write a copy beside a package, evil.nav, with another status.yaml and with more files, which are listed."""
    target = package.with_name("evil.nav")
    with zipfile.ZipFile(package) as old, zipfile.ZipFile(target, "w") as new:
        status = yaml.safe_load(old.read("status.yaml"))
        status["pytest_navigator"]["files"] |= {n: hashlib.sha256(content).hexdigest() for n, content in more.items()}
        change(status)
        new.writestr("status.yaml", yaml.safe_dump(status, sort_keys=False))
        for name in old.namelist():
            if name != "status.yaml":
                new.writestr(name, old.read(name))
        for name, content in more.items():
            new.writestr(name, content)
    return target


def put(*place: str | int, value: Any) -> Callable[[dict[str, Any]], None]:
    """Return a change: the value at a place of our part of status.yaml."""

    def change(status: dict[str, Any]) -> None:
        within: Any = status["pytest_navigator"]
        for part in place[:-1]:
            within = within[part]
        within[place[-1]] = value

    return change
