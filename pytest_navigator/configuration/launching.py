"""Model Navigator's `launch_mode: docker`: every format in one container of an image that is named."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Any

from pytest_navigator.configuration.interpreters import EVERY, GPUS
from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

IMAGE = re.compile(r"[a-zA-Z0-9][\w.:/@-]*")


def image(value: Any, where: str) -> str:
    """Parse `framework_docker_image`.

    Raises:
        ConfigError: it is no name of an image.
    """
    if not isinstance(value, str) or not IMAGE.fullmatch(value):
        raise ConfigError(f"{where}: {value!r} is no name of an image, like my/tensorflow:22.07")
    return value


def launched(mode: str | None, image: str | None, named: Callable[[str], str]) -> dict[str, tuple[str, ...]] | None:
    """Return the interpreters that a configuration file asks for; None: this Python.

    Args:
        mode: "local" or "docker"; None: not said. An image alone asks for "docker".
        named: how an error names a key.

    Raises:
        ConfigError: the two contradict each other.
    """
    if mode == "docker" and image is None:
        raise ConfigError(
            f"{named('launch_mode')}: docker: no image is built or guessed; name one that is there in "
            f"{named('framework_docker_image')}"
        )
    if mode == "local" and image is not None:
        contradicted = f"{named('launch_mode')}: local"
        raise ConfigError(
            f"{named('framework_docker_image')}: {image} contradicts {contradicted}; leave out one of them"
        )
    return None if image is None else {EVERY: _command(image)}


def _command(image: str) -> tuple[str, ...]:
    # As Model Navigator does it: the same user, so that the files are the user's own; there it has no home.
    own = ("--user", f"{os.getuid()}:{os.getgid()}", "-e", "HOME=/tmp")
    return ("docker", "run", "--rm", "-i", "-v", "{workspace}:{workspace}", *own, GPUS, image, "python")
