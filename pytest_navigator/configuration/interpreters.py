"""Which formats are made and run by another Python: `tf-trt=/venvs/tf215/bin/python`."""

from __future__ import annotations

import os
import re
import shlex
from argparse import ArgumentTypeError
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_navigator.configuration.rules import are_texts, is_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

EVERY = "*"  # The name of all formats that no other entry names
GPUS = "{gpus}"  # What becomes --gpus=all where this machine has a driver of NVIDIA's, else nothing
EXAMPLE = "tf-trt=/venvs/tf215/bin/python"

# Programs that start containers, and their commands that run something in one.
CONTAINERS = ("docker", "podman", "nerdctl")
RUNNING = ("run", "exec")
INTERACTIVE, TERMINAL = re.compile(r"-[a-zA-Z]*i[a-zA-Z]*|--interactive"), re.compile(r"-[a-zA-Z]*t[a-zA-Z]*|--tty")


def parse(text: str) -> tuple[str, ...]:
    """Parse `FORMAT=PYTHON`, one a line; returns them, each as it is to be written.

    Raises:
        ArgumentTypeError: one of them names no format or no Python.
    """
    return tuple(f"{name}={shlex.join(command)}" for name, command in map(_entry, text.splitlines()) if name)


def lines_of(given: Mapping[str, str | Sequence[str]]) -> tuple[str, ...]:
    """Return what `NavConfig` says in the same form.

    Raises:
        ArgumentTypeError: a command starts a container otherwise than it can be.
    """
    return tuple(f"{name}={shlex.join(_command(words, name))}" for name, words in given.items())


def commands_of(lines: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return format -> the words of the command, of what `parse` and `lines_of` return.

    Raises:
        ArgumentTypeError: two of them are for one format.
    """
    found: dict[str, tuple[str, ...]] = {}
    for line in lines:
        name, _, command = line.partition("=")
        if name in found:
            raise ArgumentTypeError(f"two interpreters for {name!r}: {shlex.join(found[name])} and {command}")
        found[name] = tuple(shlex.split(command))
    return found


def are_interpreters(value: Any) -> bool:
    """Whether this is a mapping of names to a Python, or to the words of a command."""
    return isinstance(value, Mapping) and all(
        is_text(name) and (is_text(command) or (are_texts(command) and bool(command)))
        for name, command in value.items()
    )


def _entry(line: str) -> tuple[str, tuple[str, ...]]:
    name, sign, command = (part.strip() for part in line.partition("="))
    if not line.strip():
        return "", ()
    if not (sign and name and command):
        raise ArgumentTypeError(f"{line.strip()!r} is no interpreter: write FORMAT=PYTHON, like {EXAMPLE}")
    return name, _command(command, name)


def _command(given: str | Sequence[str], name: str) -> tuple[str, ...]:
    """Return the words of a command; one that starts a container is made to listen."""
    if isinstance(given, str) and not os.path.exists(os.path.expanduser(given)):
        try:
            words = shlex.split(given)
        except ValueError as error:
            raise ArgumentTypeError(f"{name}={given}: {error}") from None
    else:
        words = [given] if isinstance(given, str) else list(given)  # a path may have blanks
    return _listening([os.path.expanduser(words[0]), *words[1:]], name)


def _listening(words: list[str], name: str) -> tuple[str, ...]:
    if os.path.basename(words[0]) not in CONTAINERS:
        return tuple(words)
    place = next((index for index, word in enumerate(words) if word in RUNNING), None)
    if place is None or len(words) < place + 3:
        what = "docker run --rm -v {workspace}:{workspace} IMAGE python"
        raise ArgumentTypeError(f"{name}={shlex.join(words)}: a container is started, like {what}")
    if terminal := next((word for word in words[place:] if TERMINAL.fullmatch(word)), ""):
        raise ArgumentTypeError(f"{name}={shlex.join(words)}: {terminal} puts a terminal in between; leave it out")
    listens = any(INTERACTIVE.fullmatch(word) for word in words[place:])
    return (*words[: place + 1], *(() if listens else ("-i",)), *words[place + 1 :])
