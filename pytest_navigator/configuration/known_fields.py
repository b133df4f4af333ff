"""Configuration classes whose unknown fields are told with the nearest known one."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from pytest_navigator.errors import unknown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self


class KnownFields:
    """Mixin of the configuration dataclasses: a field that does not exist is named with the nearest one that does."""

    def __new__(cls, *args: object, **kwargs: object) -> Self:
        """Check the names before the dataclass's own `__init__` raises a TypeError without a hint."""
        valid = [f.name for f in fields(cls)]  # type: ignore[arg-type]
        for name in kwargs:
            if name not in valid:
                raise unknown(f"field of {cls.__name__}", name, valid)
        return super().__new__(cls)  # the dataclass's own __init__ does the rest

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Return a configuration with these fields; the others have their defaults.

        Raises:
            ConfigError: a field does not exist, or a value is not possible.
        """
        return cls(**values)
