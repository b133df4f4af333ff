"""The code of one kind of step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.engine.context import Context, Result


def _nothing(context: Context) -> None:
    return None


def _no_files(context: Context) -> dict[str, Path]:
    return {}


def _as_it_is(context: Context, folder: Path, data: dict[str, JSON]) -> None:
    pass


@dataclass(frozen=True)
class StepCode:
    """What runs a step, and what `--nav-cache` needs where it keeps such steps.

    Attributes:
        run: does the work; what it raises is the outcome.
        content: all that the outcome depends on beside the step, its code and the machine; None: it is not kept.
        files: what it leaves, by name.
        restore: puts those files, which are in a folder, to their places, and writes its scripts by what it recorded.
    """

    run: Callable[[Context], Result]
    content: Callable[[Context], dict[str, JSON] | None] = _nothing
    files: Callable[[Context], dict[str, Path]] = _no_files
    restore: Callable[[Context, Path, dict[str, JSON]], None] = _as_it_is
