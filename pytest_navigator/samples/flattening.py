"""The walk over a structure that finds its arrays and names them."""

from __future__ import annotations

import json
from collections import Counter, UserList
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import TYPE_CHECKING

from pytest_navigator.errors import ConfigError, SourceError
from pytest_navigator.samples.caches import MODULE, CacheField, cache_fields, constants, name_of

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    import numpy as np

    from pytest_navigator.core.plain import Tree
    from pytest_navigator.samples.libraries import ArrayLibrary

Arrays = dict[str, "np.ndarray"]

CONSTANTS = (type(None), bool, int, float, str)
SUPPORTED = "arrays, None, bool, int, float, str, list, tuple, mappings, dataclasses and namedtuples are supported"
MAX_DEPTH = 100


@dataclass(frozen=True)
class Place:
    """Where a value is.

    Attributes:
        text: as people write it, `args[0]["x"]`.
        root: name of the parameter that it is in, "" for none.
        head: what the full name starts with.
        path: the way from the argument to the value: str for keys and fields, int for positions in a list or tuple.
    """

    text: str
    root: str = ""
    head: str = ""
    path: tuple[str | int, ...] = ()

    def below(self, text: str, part: str | int) -> Place:
        """Return the place of a value in this one: how it is written after this one, and its part of the path."""
        return Place(self.text + text, self.root, self.head, (*self.path, part))

    @property
    def short_name(self) -> str:
        """The keys, from the first one on, else the parameter; "" if there is neither."""
        first = next((i for i, part in enumerate(self.path) if isinstance(part, str)), None)
        if first is not None:
            return _joined(*self.path[first:])
        return _joined(self.root, *self.path) if self.root else ""

    @property
    def full_name(self) -> str:
        """The name with every part of the path in it."""
        return _joined(self.head, *self.path)


@dataclass(frozen=True)
class _Leaf:
    node: Tree
    array: np.ndarray
    place: Place


class Flattener:
    """One walk over a structure.

    Args:
        framework: tells its arrays and converts them.
        outputs: whether numbers and strings are leaves; in inputs they are constants.
    """

    def __init__(self, framework: ArrayLibrary, outputs: bool) -> None:
        self.framework = framework
        self.outputs = outputs
        self.leaves: list[_Leaf] = []

    def node(self, value: object, place: Place) -> Tree:
        """Return the structure of `value`; the names of its leaves are filled in by `named`.

        Raises:
            SourceError: a value of a type that is not supported.
        """
        import numpy as np

        if isinstance(value, np.ndarray | np.generic):
            return self._leaf(np.array(value, order="C"), place)  # a copy: loaders use their buffers again
        if self.framework.is_array(value):
            return self._leaf(self.framework.to_numpy(value), place)
        if type(value) in CONSTANTS:
            return self._constant(value, place)
        return self._container(value, place)

    def named(self, prefix: str, configured: Sequence[str] | None, taken: Collection[str] = ()) -> Arrays:
        """Name the leaves: fill in their nodes and return their arrays by name.

        Args:
            prefix: "input" or "output".
            configured: the user's names, None or empty for none.
            taken: names that something else has: of outputs those of the inputs, which an ONNX graph shares with them.

        Raises:
            ConfigError: the names in `configured` are not as many as the leaves, or not unique, or taken.
        """
        names = _names([leaf.place for leaf in self.leaves], prefix, taken)
        if configured:
            _check_configured(configured, names, prefix, taken)
            names = list(configured)
        for leaf, name in zip(self.leaves, names, strict=True):
            leaf.node["leaf"] = name
        return {name: leaf.array for leaf, name in zip(self.leaves, names, strict=True)}

    def _leaf(self, array: np.ndarray, place: Place) -> Tree:
        if array.dtype.hasobject:
            raise SourceError(f"{place.text} is an array of Python objects: give it a numeric type")
        node: Tree = {"leaf": ""}
        self.leaves.append(_Leaf(node, array.astype(array.dtype.newbyteorder("="), copy=False), place))
        return node

    def _constant(self, value: object, place: Place) -> Tree:
        import numpy as np

        if self.outputs and value is not None:
            return self._leaf(np.array(value), place)
        return {"value": value}

    def _container(self, value: object, place: Place) -> Tree:
        if len(place.path) > MAX_DEPTH:
            raise SourceError(f"{place.text[:80]}... is nested deeper than {MAX_DEPTH}: does it contain itself?")
        parts = _cache_fields(value, place)
        if parts is not None:
            return self._cache(value, parts, place)
        members = _fields(value)
        if members is not None:
            nodes = [[name, self.node(item, place.below(f".{name}", name))] for name, item in members]
            return {"object": {"type": f"{type(value).__module__}:{type(value).__qualname__}", "fields": nodes}}
        if isinstance(value, Mapping):
            return {"dict": [[_key(key, place), self._item(key, item, place)] for key, item in value.items()]}
        if isinstance(value, tuple | list | UserList):
            items = [self.node(item, place.below(f"[{i}]", i)) for i, item in enumerate(value)]
            return {"tuple" if isinstance(value, tuple) else "list": items}
        hint = "; turn it off with use_cache=False" if type(value).__name__.endswith("Cache") else ""
        raise SourceError(f"{place.text} is a {type_name(value)}: {SUPPORTED}{hint}")

    def _cache(self, value: object, parts: Sequence[CacheField], place: Place) -> Tree:
        """Return a cache as an object; what a name has of its attributes is shorter than they are."""
        nodes = [
            [
                name,
                self.node(item, place.below(f".{name}", part) if part else replace(place, text=f"{place.text}.{name}")),
            ]
            for name, part, item in parts
        ]
        nodes += [[name, {"value": number}] for name, number in constants(value).items()]
        return {"object": {"type": f"{MODULE}:{name_of(value)}", "fields": nodes}}

    def _item(self, key: object, value: object, place: Place) -> Tree:
        return self.node(value, place.below(f"[{quoted(key)}]", str(key)))


def _cache_fields(value: object, place: Place) -> list[CacheField] | None:
    try:
        return cache_fields(value)
    except SourceError as error:
        raise SourceError(f"{place.text} is {error}") from None


def _fields(value: object) -> list[tuple[str, object]] | None:
    """Return the fields of a dataclass or namedtuple, None for anything else."""
    if is_dataclass(value) and not isinstance(value, type):
        if isinstance(value, Mapping):
            # transformers' ModelOutput: as a mapping it has the fields that are not None.
            return list(value.items())
        return [(field.name, getattr(value, field.name)) for field in fields(value)]
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return list(zip(value._fields, value, strict=True))
    return None


def _names(places: Sequence[Place], prefix: str, taken: Collection[str]) -> list[str]:
    """Return a unique name for every place: the shortest that is."""
    short = [place.short_name or f"{prefix}__{i}" for i, place in enumerate(places)]
    count = Counter([*short, *taken])
    wanted = [name if count[name] == 1 else place.full_name or name for name, place in zip(short, places, strict=True)]
    names: list[str] = []
    for name in wanted:
        names.append(_unused(name, {*names, *taken}))
    return names


def _unused(name: str, used: Collection[str]) -> str:
    candidate, i = name, 0
    while candidate in used:
        i += 1
        candidate = f"{name}__{i}"
    return candidate


def _check_configured(configured: Sequence[str], found: Sequence[str], prefix: str, taken: Collection[str]) -> None:
    if len(configured) != len(found):
        raise ConfigError(
            f"{prefix}_names has {len(configured)} names ({', '.join(configured)}) for {len(found)} {prefix}s "
            f"({', '.join(found)})"
        )
    if twice := [name for name, count in Counter(configured).items() if count > 1]:
        raise ConfigError(f"{prefix}_names has {twice[0]!r} more than once: every {prefix} needs its own name")
    if shared := [name for name in configured if name in taken]:
        raise ConfigError(f"{prefix}_names has {shared[0]!r}, which an input is called: ONNX needs different names")


def _key(key: object, place: Place) -> str | int:
    if type(key) is str or type(key) is int:
        return key
    raise SourceError(f"{place.text} has the key {key!r}, a {type_name(key)}: only str and int keys are supported")


def _joined(*parts: str | int) -> str:
    return "__".join(str(part) for part in parts if part != "")


def quoted(key: object) -> str:
    """Return a key as it is written in a place."""
    return json.dumps(key, ensure_ascii=False) if isinstance(key, str | int) else repr(key)


def type_name(value: object) -> str:
    """Return the type of a value as people know it: with its module unless it is built in."""
    cls = type(value)
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
