"""The Python that makes and runs the files of a format, if it is another one."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, NamedTuple

from pytest_navigator.configuration.interpreters import EVERY, GPUS, commands_of
from pytest_navigator.devices.driver_library import has_driver
from pytest_navigator.isolation.interpreter import with_workspace

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_navigator.configuration.settings import Settings


class Places(NamedTuple):
    """What paths in a command start from: where pytest was started, the root of the project; and the workspace."""

    start: Path
    project: Path
    workspace: Path


def command_of(places: Places, settings: Settings, form: str) -> tuple[str, ...]:
    """Return what starts the Python that makes and runs a format's files; () for this one."""
    if not settings.interpreters:
        return ()
    commands = commands_of(settings.interpreters)
    words = commands.get(form) or commands.get(EVERY, ())
    if not words:
        return ()
    found = [_program(places, settings, words[0]), *words[1:]]
    if GPUS in found:
        found[found.index(GPUS) : found.index(GPUS) + 1] = ["--gpus=all"] if has_driver() else []
    return with_workspace(found, places.workspace)


def origin_of(settings: Settings) -> str:
    """Return where the interpreters are said."""
    return settings.all["interpreters"].origin


def _program(places: Places, settings: Settings, word: str) -> str:
    """Return the path of a program: the child works in another folder.

    As everywhere, a flag is read where pytest was started, the rest from the root of the project.
    """
    if os.sep not in word:
        return shutil.which(word) or word
    start = places.start if origin_of(settings).startswith("--") else places.project
    return os.path.abspath(start / word)  # no link is followed: that of a virtual environment leads out of it
