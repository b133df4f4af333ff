"""Structures that a package says its model takes and returns: ours, with the arrays that there are (pure)."""

from __future__ import annotations

import keyword
from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_navigator.core.plain import JSON, Tree

# Of a node: the part of the call, and the keys that lead there. Its text is made where it is said alone: a key may be
# longer than all the rest.
Place = tuple[str | int, ...]

SCALARS = (bool, int, float, str, type(None))


def tree_problem(tree: Tree, names: Sequence[str]) -> str:
    """Return what is wrong with a structure, with its place in it; "" if nothing is.

    Args:
        names: of its arrays: each is there once.
    """
    return _problem(list(_walk(tree, ("",))), names)


def call_problem(tree: Any, names: Sequence[str]) -> str:
    """Return the same of the arguments of a call."""
    if not isinstance(tree, dict) or tree.keys() != {"args", "kwargs"} or not isinstance(tree["args"], list):
        return ": it is no call with args and kwargs"
    positional = [each for i, item in enumerate(tree["args"]) for each in _walk(item, (".args", i))]
    return _problem([*positional, *_pairs(tree["kwargs"], (".kwargs",), _is_text)], names)


def _problem(found: Sequence[tuple[str, str]], names: Sequence[str]) -> str:
    """Return the first problem among ("", name of an array) and (problem, "")."""
    if problem := next((problem for problem, _ in found if problem), ""):
        return problem
    return "" if Counter(name for _, name in found) == Counter(names) else f": its arrays are not {list(names)}"


def _walk(tree: Tree, place: Place) -> Iterator[tuple[str, str]]:
    """Yield the name of every array, or what is wrong with a node; see `pytest_navigator.samples.structure`."""
    match tree:
        case {"leaf": str(name), **more} if not more:
            yield "", name
        case {"value": constant, **more} if not more and isinstance(constant, SCALARS):
            return
        case {"list": list(items), **more} | {"tuple": list(items), **more} if not more:
            for position, item in enumerate(items):
                yield from _walk(item, (*place, position))
        case {"dict": items, **more} if not more:
            yield from _pairs(items, place, _is_key)
        case {"object": {"type": str(kind), "fields": items}, **more} if not more and _is_path(kind):
            yield from _pairs(items, place, _is_name)
        case _:
            yield f"{_text(place)}: it is no node of a structure", ""


def _pairs(items: JSON, place: Place, is_key: Callable[[JSON], bool]) -> Iterator[tuple[str, str]]:
    for position, item in enumerate(items if isinstance(items, list) else [items]):
        match item:
            case [key, inner] if is_key(key):
                yield from _walk(inner, (*place, key))
            case _:
                yield f"{_text((*place, position))}: it is no name with a node", ""


def _text(place: Place) -> str:
    return f"{place[0]}{''.join(f'[{key!r}]' for key in place[1:])}"


def _is_path(kind: str) -> bool:
    module, _, name = kind.partition(":")
    # "<locals>": a class in a function, which nobody can find again.
    return all(part.isidentifier() or part == "<locals>" for part in (*module.split("."), *name.split(".")))


def _is_text(key: JSON) -> bool:
    return isinstance(key, str)


def _is_key(key: JSON) -> bool:
    return isinstance(key, str | int)


def _is_name(key: JSON) -> bool:
    return isinstance(key, str) and key.isidentifier() and not keyword.iskeyword(key)
