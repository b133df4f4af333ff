"""What Model Navigator 0.14 knows of a format: the rest of a package must be where its loader does not look."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping


class Navigator(NamedTuple):
    """A format of Model Navigator's own.

    Attributes:
        runners: names of those that it has.
        framework: its name of the framework that a source of this format is of; "": that of the format.
        config: name of the custom configuration; "": there is none.
        fields: of that configuration, which refuses others, beside those that all have.
        folder: parameter -> what it appends to the folder's name where the parameter is set; "": the value.
    """

    runners: tuple[str, ...]
    framework: str = ""
    config: str = ""
    fields: tuple[str, ...] = ()
    folder: Mapping[str, str] = {}
