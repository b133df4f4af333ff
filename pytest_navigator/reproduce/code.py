"""Plain data and structures as Python source text (pure)."""

from __future__ import annotations

import ast
import keyword
import math
import re
from textwrap import indent
from typing import TYPE_CHECKING, Any

from pytest_navigator.samples.caches import DYNAMIC, KINDS, LAYERS
from pytest_navigator.samples.structure import nodes, record_class

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from functools import partial

    from pytest_navigator.core.plain import Tree
    from pytest_navigator.core.records import Signature

WIDTH = 110
BRACKETS: dict[type, str] = {dict: "{}", list: "[]", tuple: "()", set: "{}"}


class NoScript(Exception):
    """A value cannot be written as source text."""


def literal(value: object, name: str = "") -> str:
    """Return a literal of `value`, on several lines if it is long; with `name`, the assignment to it.

    Raises:
        NoScript: there is no literal for it.
    """
    text = repr(value)
    if isinstance(value, float) and not math.isfinite(value):
        text = f'float("{value}")'
    else:
        try:
            ast.literal_eval(text)
        except (ValueError, SyntaxError):
            raise NoScript(f"{text} cannot be written as source text") from None
        text = _laid_out(value, WIDTH - len(name))
    return f"{name} = {text}" if name else text


def _laid_out(value: Any, width: int) -> str:
    """Return a literal on several lines if it is longer than one: of a dict a key a line, of others what fits."""
    text, brackets = repr(value), BRACKETS.get(type(value))
    if len(text) <= width or brackets is None or not value:
        return text
    lines: list[str] = []
    for one in value:
        key = f"{one!r}: " if isinstance(value, dict) else ""
        item = key + _laid_out(value[one] if key else one, WIDTH - 8 - len(key)) + ","
        if key or not lines or "\n" in lines[-1] + item or len(lines[-1]) + len(item) >= WIDTH - 4:
            lines.append(item)
        else:
            lines[-1] += f" {item}"
    return f"{brackets[0]}\n{indent(chr(10).join(lines), '    ')}\n{brackets[1]}"


def keywords(options: Mapping[str, object]) -> str:
    """Return keyword arguments, each after a comma: `, opset_version=18, verbose=False`."""
    if all(map(is_name, options)):  # what a library calls an option may be no identifier
        return "".join(f", {name}={literal(value)}" for name, value in options.items())
    return f", **{literal(dict(options))}"


def call_of(work: partial[Any], *live: str) -> str:
    """Return the call of a function, which the script has the source of, with the plain arguments that are given here.

    Args:
        live: expressions of the arguments that come first.
    """
    given = [literal(value) for value in work.args]
    named = [literal(value, name).replace(" = ", "=", 1) for name, value in work.keywords.items()]
    line = f"{work.func.__name__}({', '.join([*given, *live, *named])})"
    if len(line) <= WIDTH and "\n" not in line:
        return line
    return f"{work.func.__name__}(\n{indent(''.join(f'{one},{chr(10)}' for one in [*given, *live, *named]), '    ')})"


def model_call(signature: Signature) -> str:
    """Return the arguments of the call of a model whose inputs are in `x`, by name."""
    return call_arguments(signature.input_tree, lambda name: f"x[{name!r}]")


def converted(values: Mapping[str, str], function: str) -> str:
    """Return a dict of what a function makes of each of the expressions, by name."""
    items = "".join(f"    {name!r}: {function}({value}),\n" for name, value in values.items())
    return f"{{\n{items}}}"


def call_arguments(tree: Tree, leaf: Callable[[str], str]) -> str:
    """Return the arguments of a call of the structure `tree`.

    Args:
        leaf: gives the expression of an array by its name.
    """
    positional = [expression(item, leaf) for item in tree["args"]]
    named = {key: expression(item, leaf) for key, item in tree["kwargs"]}
    if all(map(is_name, named)):
        return ", ".join([*positional, *(f"{key}={text}" for key, text in named.items())])
    items = ", ".join(f"{key!r}: {text}" for key, text in named.items())
    return ", ".join([*positional, f"**{{{items}}}"])


def expression(tree: Tree, leaf: Callable[[str], str]) -> str:
    """Return a structure as an expression."""
    match tree:
        case {"leaf": name}:
            return leaf(name)
        case {"value": constant}:
            return literal(constant)
        case {"list": items}:
            return f"[{', '.join(expression(item, leaf) for item in items)}]"
        case {"tuple": items}:
            return f"({''.join(expression(item, leaf) + ', ' for item in items).strip()})"
        case {"dict": items}:
            return f"{{{', '.join(f'{literal(key)}: {expression(item, leaf)}' for key, item in items)}}}"
        case {"object": {"type": kind, "fields": items}}:
            return _object(kind, {name: expression(item, leaf) for name, item in items})
    raise NoScript(f"not a node of a structure: {tree!r}")


def imports_of(tree: Tree) -> list[str]:
    """Return the imports that the expression of a structure needs."""
    kinds = {node["object"]["type"] for node in nodes(tree) if "object" in node}
    return sorted(
        {f"import {kind.partition(':')[0]}" for kind in kinds if kind in KINDS or record_class(kind) is not None}
    )


def paths(tree: Tree, root: str, field: str = "{0}.{1}") -> dict[str, str]:
    """Return the expression of every array in a value of the structure `tree`, by name.

    Args:
        root: expression of the value.
        field: how a field of an object is reached: {0} is the object, {1} the field's name, {2} its index.
    """
    match tree:
        case {"leaf": name}:
            return {name: root}
        case {"list": items} | {"tuple": items}:
            children = [(f"{root}[{i}]", item) for i, item in enumerate(items)]
        case {"dict": items}:
            children = [(f"{root}[{literal(key)}]", item) for key, item in items]
        case {"object": {"fields": items}}:
            children = [(field.format(root, name, i), item) for i, (name, item) in enumerate(items)]
        case _:
            children = []
    return {name: path for text, item in children for name, path in paths(item, text, field).items()}


def has_objects(tree: Tree) -> bool:
    """Whether there is an object in a structure."""
    return any("object" in node for node in nodes(tree))


def is_name(text: str) -> bool:
    """Whether a text can be the name of a parameter."""
    return text.isidentifier() and not keyword.iskeyword(text)


def identifiers(names: list[str]) -> list[str]:
    """Return names as distinct Python identifiers ("input-ids" becomes `input_ids`)."""
    found: list[str] = []
    for name in names:
        base = re.sub(r"\W", "_", name, flags=re.ASCII)
        base = base if is_name(base) and base != "self" else f"_{base}"
        while base in found:
            base += "_"
        found.append(base)
    return found


def _object(kind: str, values: dict[str, str]) -> str:
    if kind in KINDS:
        return _cache(kind, values)
    if record_class(kind) is None:
        return f"{{{', '.join(f'{name!r}: {text}' for name, text in values.items())}}}"
    return f"{kind.replace(':', '.')}({', '.join(f'{name}={text}' for name, text in values.items())})"


def _cache(kind: str, values: dict[str, str]) -> str:
    # A layer is made of the tuple of its tensors.
    if kind in LAYERS:
        window = f", torch.tensor({values['sliding_window']})" if "sliding_window" in values else ""
        return f"({values['keys']}, {values['values']}{window})"
    return f"{kind.replace(':', '.')}({values['layers'] if kind == DYNAMIC else ', '.join(values.values())})"
