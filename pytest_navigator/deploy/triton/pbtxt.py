"""Plain data as the text form of a protobuf message, as `config.pbtxt` has it (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import indent
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

Message: TypeAlias = Mapping[str, Any]
"""Fields by name: text, numbers, `Name`s, messages, and lists of one of these."""


class Name(str):
    """The member of an enumeration, which is written without quotes."""

    __slots__ = ()


def text(message: Message) -> str:
    """Return a message, a field a line; a mapping is a message, a list is a repeated field."""
    return "".join(f"{line}\n" for name, value in message.items() for line in _field(name, value))


def entries(values: Mapping[Any, Any]) -> list[Message]:
    """Return what a map field has: an entry a key."""
    return [{"key": key, "value": value} for key, value in values.items()]


def _field(name: str, value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        yield f"{name} {_nested(value)}"
    elif not isinstance(value, list | tuple):
        yield f"{name}: {_scalar(value)}"
    elif any(isinstance(each, Mapping) for each in value):
        yield from (f"{name} {_nested(each)}" for each in value if isinstance(each, Mapping))
    else:
        yield f"{name}: [{', '.join(map(_scalar, value))}]"


def _nested(message: Message) -> str:
    return f"{{\n{indent(text(message), '  ')}}}" if message else "{}"


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Name):
        return str(value)
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(value: str) -> str:
    r"""Return a string in quotes: what is neither plain ASCII nor anything special there is the octal of its bytes."""
    found = value.encode("utf-8", "surrogateescape")
    return '"' + "".join(chr(b) if 32 <= b < 127 and b not in b'"\\' else f"\\{b:03o}" for b in found) + '"'
