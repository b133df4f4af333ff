"""The bytes of a status.yaml -> what the current schema calls for, whatever version wrote them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from pytest_navigator._version import __version__
from pytest_navigator.core import bounded_yaml
from pytest_navigator.package.layout import migration, schema

if TYPE_CHECKING:
    from pytest_navigator.core.plain import JSON

# A status.yaml may have the first number of values, and one more for every so many bytes of its package.
FEWEST_VALUES = 100_000
BYTES_OF_VALUE = 16


def parse(content: bytes, size: int = 0) -> dict[str, JSON]:
    """Return the content of a status.yaml in the current schema.

    Args:
        size: of its package in B: a small package has no million values.

    Raises:
        ValueError: it is no YAML, or not of a package, of a newer version, or a value is wrong; with its path.
    """
    status = _loaded(content, FEWEST_VALUES + size // BYTES_OF_VALUE)
    if not isinstance(status, dict) or "format_version" not in status:
        raise ValueError("it is not that of a package: it has no format_version")
    try:
        migrated = migration.migrated(status)
    except (KeyError, TypeError, AttributeError, IndexError, RecursionError) as error:
        version = status["format_version"]
        raise ValueError(
            f"it is not what format_version {version} calls for: {type(error).__name__} {error}"
        ) from error
    if problem := schema.problem(migrated):
        raise ValueError(f"{problem}{_version(migrated)}")
    return migrated


def _loaded(content: bytes, most: int) -> JSON:
    try:
        return bounded_yaml.load(content, most)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"it cannot be read ({error})") from error


def _version(status: dict[str, JSON]) -> str:
    own = status.get("pytest_navigator")
    version = own.get("version") if isinstance(own, dict) else None
    return "" if version in (None, __version__) else f" (it was written by version {version})"
