"""The bytes of a status.yaml -> what the current schema calls for, whatever version wrote them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from typing import Any

import yaml

from pytest_navigator.package import migration
from pytest_navigator.package import schema

if TYPE_CHECKING:
    from pytest_navigator.records import JSON

DEEPEST = 200
"""Levels of nesting: the fast loader has no limit of its own, and ends the process where its stack ends."""

LARGEST = 5_000_000
"""Values, with repeated ones (aliases) counted as often as they are there."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse(content: bytes) -> dict[str, JSON]:
    """Return the content of a status.yaml in the current schema.

    Raises:
        ValueError: it is no YAML, or not of a package, of a newer version, or a value is wrong; with its path.
    """
    status = _loaded(content)
    if not isinstance(status, dict) or "format_version" not in status:
        raise ValueError("it is not that of a package: it has no format_version")
    try:
        migrated = migration.migrated(status)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        version = status["format_version"]
        raise ValueError(
            f"it is not what format_version {version} calls for: {type(error).__name__} {error}"
        ) from error
    if problem := schema.problem(migrated):
        raise ValueError(problem)
    return migrated


def _loaded(content: bytes) -> JSON:
    try:
        _check_depth(content)
        status = yaml.load(content, Loader=_LOADER)
        if _size(status, {}) > LARGEST:
            raise ValueError(f"it has more than {LARGEST} values")
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"it cannot be read ({error})") from error
    return status


def _check_depth(content: bytes) -> None:
    depth = 0
    for event in yaml.parse(content, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST:
            raise ValueError(f"it is nested more than {DEEPEST} levels deep")


def _size(value: JSON, known: dict[int, int]) -> int:
    """Return the number of values; each shared one is looked at once. RecursionError if one contains itself."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in known:
        inner = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_size(each, known) for each in inner)
    return known[id(value)]
