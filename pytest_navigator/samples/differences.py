"""Two structures beside each other: where they differ, and which leaves are at the same place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.samples.structure import children

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_navigator.core.plain import Tree


def difference(tree: Tree, expected: Tree, reference: str = "sample 0") -> str | None:
    """Return the first difference of two structures with its place, None if they are the same.

    Mappings of the same keys are the same in any order, as long as the arrays have the same names.

    Args:
        tree: the structure at hand.
        expected: the structure of `reference`.
        reference: what the text calls the other one.
    """
    return next(_differences(tree, expected, reference, "" if "args" in tree else "output"), None)


def paired(tree: Tree, expected: Tree) -> dict[str, str] | None:
    """Return the names of the leaves of `expected` by those at the same places of `tree`.

    Mappings have their keys in any order.

    Returns:
        None: the structures differ.
    """
    if _kind(tree) != _kind(expected) or not _same_value(tree, expected):
        return None
    if "leaf" in tree:
        return {tree["leaf"]: expected["leaf"]}
    here, there = children(tree), children(expected)
    if here.keys() != there.keys():
        return None
    found: dict[str, str] = {}
    for place, child in here.items():
        names = paired(child, there[place])
        if names is None:
            return None
        found |= names
    return found


def _differences(tree: Tree, expected: Tree, reference: str, place: str) -> Iterator[str]:
    if _kind(tree) != _kind(expected):
        yield f"{place} is {_described(tree)}, {reference} has {_described(expected)}"
        return
    if not _same_value(tree, expected):
        yield f"{place} is {_described(tree)}, {reference} has {_described(expected)}"
    if tree.get("leaf") != expected.get("leaf"):
        yield f"{place} is named {tree['leaf']!r}, {reference} has {expected['leaf']!r} there: keep the order of keys"
    here, there = children(tree), children(expected)
    if _kind(tree) in ("list", "tuple") and len(here) != len(there):
        yield f"{place} is {_described(tree)}, {reference} has {len(there)}"
    yield from (f"{place}{key} is missing" for key in there if key not in here)
    yield from (f"{place}{key} is not in {reference}" for key in here if key not in there)
    for key in here:
        if key in there:
            yield from _differences(here[key], there[key], reference, place + key)


def _kind(tree: Tree) -> str:
    tag = next(iter(tree))
    return str(tree[tag]["type"]) if tag == "object" else tag


def _same_value(tree: Tree, expected: Tree) -> bool:
    # A NaN is itself, though it equals nothing; and True is not 1 here.
    a, b = tree.get("value"), expected.get("value")
    return type(a) is type(b) and (a == b or (a != a and b != b))


def _described(tree: Tree) -> str:
    match tree:
        case {"leaf": _}:
            return "an array"
        case {"value": constant}:
            return f"the constant {constant!r}"
        case {"object": {"type": kind}}:
            return f"a {kind.replace(':', '.')}"
    return f"a {_kind(tree)} of {len(children(tree))}"
