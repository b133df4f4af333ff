"""YAML of others as plain data: what it costs is counted before anything is made of it."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from pytest_navigator.core.plain import JSON

DEEPEST = 200  # Levels of nesting: the fast loader has no limit of its own, and ends the process where its stack ends
MOST_ANCHORS = 10_000  # Names of repeated values: each one is looked for among all
MOST_DIRECTIVES = 64  # Lines before a document that say how it is written: each one is compared with all

DIRECTIVE = re.compile(rb"(?:^|[\r\n]|\xc2\x85|\xe2\x80[\xa8\xa9])%")

REPEATED_TEXT = 2**20  # Characters that texts may have beyond those that are written, because aliases repeat them

# Characters of a number that is a key: numbers of 61 bits and more can be chosen so that all have one hash.
LONGEST_KEY = 18

LONGEST_NUMBER = 40  # Characters of a number: a longer one takes time in the square of its length
SEXAGESIMAL = ":"  # In what YAML takes for a number to the base 60, which nobody writes on purpose: it stays a text

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# YAML's types that are plain data here; a time stays a text, a set or bytes are refused.
PLAIN = ("null", "bool", "int", "float", "str", "seq", "map", "timestamp", "value")


def load(content: str | bytes, most: int, *, unique: bool = False) -> JSON:
    """Return YAML as dicts, lists, texts, numbers, booleans and None.

    Args:
        most: values; repeated and merged ones (aliases, `<<`) count as often as they are there.
        unique: whether a key that comes twice is an error.

    Raises:
        yaml.YAMLError: it is no YAML, or something else than plain data.
        ValueError: it is nested too deep, has too many values, holds itself, or has a number that is too long.
    """
    encoded = _utf8(content)
    _check(encoded, most)
    found: JSON = yaml.load(encoded, Loader=_Unique if unique else _Plain)
    return found


def _utf8(content: str | bytes) -> bytes:
    if isinstance(content, bytes) and content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        content = content.decode("utf-16")  # PyYAML reads it too, but what counts directives looks at bytes
    return content.encode(errors="surrogatepass") if isinstance(content, str) else content


def _check(content: bytes, most: int) -> None:
    # Nothing is made of them yet: the first alias bomb would be in memory by then.
    if sum(1 for _ in DIRECTIVE.finditer(content)) > MOST_DIRECTIVES:
        raise ValueError(f"more than {MOST_DIRECTIVES} of its lines start with %, as directives do")
    count = _Count(most, len(content) + REPEATED_TEXT)
    for event in yaml.parse(content, Loader=_LOADER):
        if isinstance(event, yaml.DocumentStartEvent):
            count.document()
        elif isinstance(event, yaml.CollectionStartEvent):
            count.begin(event.anchor)
        elif isinstance(event, yaml.CollectionEndEvent):
            count.end()
        elif isinstance(event, yaml.AliasEvent):
            count.alias(event.anchor or "")
        elif isinstance(event, yaml.ScalarEvent):
            count.scalar(event.anchor, len(event.value))


@dataclass
class _Count:
    """How many values there are, and how long their texts, with repeated ones counted as often as they are there.

    Attributes:
        open: anchor of each collection that has begun, and how much came before it.
        sizes: by anchor; None while its collection is open.
    """

    most: int
    most_text: int
    total: int = 0
    text: int = 0
    documents: int = 0
    open: list[tuple[str | None, int, int]] = field(default_factory=list)
    sizes: dict[str, tuple[int, int] | None] = field(default_factory=dict)

    def document(self) -> None:
        self.documents += 1
        if self.documents > 1:
            raise ValueError("it has more than one document")

    def begin(self, anchor: str | None) -> None:
        self.open.append((anchor, self.total, self.text))
        if len(self.open) > DEEPEST:
            raise ValueError(f"it is nested more than {DEEPEST} levels deep")
        self._name(anchor, None)
        self._add(1, 0)

    def end(self) -> None:
        anchor, total, text = self.open.pop()
        self._name(anchor, (self.total - total, self.text - text))

    def scalar(self, anchor: str | None, length: int) -> None:
        self._name(anchor, (1, length))
        self._add(1, length)

    def alias(self, anchor: str) -> None:
        size = self.sizes.get(anchor, (1, 0))
        if size is None:
            raise ValueError(f"it cannot be read: the value &{anchor} holds itself")
        self._add(*size)

    def _name(self, anchor: str | None, size: tuple[int, int] | None) -> None:
        if anchor:
            self.sizes[anchor] = size
        if len(self.sizes) > MOST_ANCHORS:
            raise ValueError(f"it has more than {MOST_ANCHORS} anchors")

    def _add(self, values: int, text: int) -> None:
        self.total += values
        self.text += text
        if self.total > self.most:
            raise ValueError(f"it has more than {self.most} values")
        if self.text > self.most_text:
            raise ValueError(f"its aliases repeat more than {REPEATED_TEXT} characters")


class _Plain(_LOADER):  # type: ignore[misc]
    """The loader of plain data alone."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Merge what is to be merged; what would be a dictionary of one bucket is refused."""
        super().flatten_mapping(node)
        _check_keys(node)

    def number(self, node: yaml.ScalarNode) -> str | float:
        """Return a number; a text, if it is one to the base 60."""
        if SEXAGESIMAL in node.value:
            return str(node.value)
        if len(node.value) > LONGEST_NUMBER:
            raise ValueError(f"the number {node.value[:LONGEST_NUMBER]}... is {len(node.value)} characters long")
        construct: Callable[[yaml.ScalarNode], float] = (
            self.construct_yaml_int if node.tag.endswith(":int") else self.construct_yaml_float
        )
        try:
            return construct(node)
        except (ValueError, OverflowError) as error:
            raise yaml.constructor.ConstructorError(None, None, str(error), node.start_mark) from None


class _Unique(_Plain):
    """PyYAML's own takes the last of two equal keys without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        _check_keys(node)
        keys = [self.construct_object(key, deep=True) for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        seen: set[Hashable] = set()
        for key in keys:
            if key in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key!r} comes twice", node.start_mark)
            seen.add(key)
        found: dict[Hashable, Any] = super().construct_mapping(node, deep)
        return found


def _check_keys(node: yaml.MappingNode) -> None:
    for key, _ in node.value:
        if len(key.value) > LONGEST_KEY and key.tag.endswith(":int") and SEXAGESIMAL not in key.value:
            raise ValueError(f"the number {key.value[:LONGEST_KEY]}..., a key, is {len(key.value)} characters long")


def _constructors() -> dict[str | None, Any]:
    text, number = _LOADER.construct_yaml_str, _Plain.number
    own = {"int": number, "float": number, "timestamp": text, "value": text}
    known = _LOADER.yaml_constructors
    tags = {f"tag:yaml.org,2002:{name}": own.get(name) for name in PLAIN}
    return {None: _LOADER.construct_undefined, **{tag: make or known[tag] for tag, make in tags.items()}}


_Plain.yaml_constructors = _constructors()
_Plain.yaml_multi_constructors = {}  # what others have registered with PyYAML is not asked
