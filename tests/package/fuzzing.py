"""Packages that are almost right: values, structure, text and bytes of a real one, changed at random, by a seed."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    Place = tuple[Any, Any]

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 10**30, 0.0, -1.5, float("nan"), float("inf"), "", "x", "..", "/etc/passwd",
    "a\nb", "\x1b[2J", "\u202e", "\ufffe", "é" * 300, "torch", "onnx", "OnnxCPU", "passed", "failed", "profile",
    "2026-01-01", "9" * 50, [], {}, [None], [[]], {"": None}, {"x": {}}, [1, "x", None], {1: 2}, {"value": []},
    {"leaf": "x"}, {"list": "x"}, {"object": {"type": "os:path", "fields": []}}, {"args": [], "kwargs": []},
)  # fmt: skip
"""What stands for a value of any kind."""


def values(status: dict[str, Any], chance: random.Random) -> None:
    """Put another value into one to three places."""
    for _ in range(chance.randint(1, 3)):
        within, key = chance.choice(places(status))
        within[key] = chance.choice(VALUES)


def structure(status: dict[str, Any], chance: random.Random) -> None:
    """Take away, repeat, rename, exchange or move what is in one to three places."""
    for _ in range(chance.randint(1, 3)):
        within, key = chance.choice(places(status))
        chance.choice((_drop, _repeat, _rename, _wrap, _exchange))(status, within, key, chance)


def text(content: bytes, chance: random.Random) -> bytes:
    """Change lines of YAML: without some, repeated, indented otherwise, with letters that mean something."""
    lines = content.decode().split("\n")
    for _ in range(chance.randint(1, 4)):
        position = chance.randrange(len(lines))
        lines[position : position + 1] = _edited(lines[position], chance, lines)
    return "\n".join(lines).encode(errors="replace")


def _edited(line: str, chance: random.Random, lines: list[str]) -> list[str]:
    kind = chance.randrange(8)
    found = {
        0: [],
        1: [line, chance.choice(lines)],
        2: [chance.choice((" ", "  ", "- ", "? ")) + line],
        3: [line.lstrip()],
        4: [line.replace(": ", chance.choice((":", ": !!str ", ": &a ", ": *a ")), 1)],
        5: [line[: chance.randint(0, len(line))]],
        6: [line + chance.choice("[]{}'\"#&*!|>%@`,:-?\t\0\x85\ufeff")],
        7: [f"{line.rpartition(' ')[0]} {chance.choice(VALUES)!r}"],
    }
    return found[kind]


def flipped(content: bytes, chance: random.Random) -> bytes:
    """Change, take away or add a few bytes."""
    changed = bytearray(content)
    for _ in range(chance.randint(1, 4)):
        position = chance.randrange(len(changed))
        edit = chance.randrange(3)
        if edit == 0:
            changed[position] ^= 1 << chance.randrange(8)
        elif edit == 1:
            del changed[position : position + chance.randint(1, 40)]
        else:
            changed[position:position] = chance.randbytes(chance.randint(1, 8))
    return bytes(changed)


def places(value: Any) -> list[Place]:
    """Return every place of plain data: what it is in, and the key or the index."""
    found: list[Place] = []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found.append((value, key))
        found += places(inner)
    return found


def rewritten(package: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """Return a package with another status.yaml; its other files are as they were."""
    target = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(package)) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, change(content) if name == "status.yaml" else content)
    return target.getvalue()


def status_of(package: bytes) -> dict[str, Any]:
    """Return the content of a package's status.yaml."""
    with zipfile.ZipFile(io.BytesIO(package)) as file:
        status: dict[str, Any] = yaml.safe_load(file.read("status.yaml"))
    return status


class Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Writes everything in full."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def dumped(status: dict[str, Any]) -> bytes:
    """Return a status.yaml."""
    return yaml.dump(status, Dumper=Dumper, sort_keys=False, allow_unicode=True).encode(errors="replace")


def _drop(status: Any, within: Any, key: Any, chance: random.Random) -> None:
    del within[key]


def _repeat(status: Any, within: Any, key: Any, chance: random.Random) -> None:
    if isinstance(within, list):
        within.insert(key, within[key])
    else:
        within[f"{key}2"] = within[key]


def _rename(status: Any, within: Any, key: Any, chance: random.Random) -> None:
    if isinstance(within, dict):
        within[chance.choice((*within, "x", "", 3, "a/b", ".hidden"))] = within.pop(key)


def _wrap(status: Any, within: Any, key: Any, chance: random.Random) -> None:
    within[key] = chance.choice(([within[key]], {"x": within[key]}, str(within[key])))


def _exchange(status: Any, within: Any, key: Any, chance: random.Random) -> None:
    other, place = chance.choice(places(status))
    if not _holds(within[key], other) and not _holds(other[place], within):
        within[key], other[place] = other[place], within[key]


def _holds(value: Any, within: Any) -> bool:
    return value is within or any(_holds(inner[key], within) for inner, key in places(value) if inner[key] is within)
