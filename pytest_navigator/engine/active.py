"""The runner of a step: what the child needs to load it, and one of the live model, loaded here."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pytest_navigator.isolation.live_section import live_section
from pytest_navigator.runners.spec import runner_class

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_navigator.engine.context import Context
    from pytest_navigator.runners.base import Runner


def subject(context: Context) -> dict[str, Any]:
    """Return the arguments with which a function of `engine/isolated.py` finds the step's runner."""
    return {"folder": context.folder.path, "variant": context.variant, "runner": context.runner}


@contextmanager
def live_runner(context: Context, *, recording: bool = False) -> Iterator[Runner]:
    """Load the step's runner of the live model; what it prints goes to the log, its time is limited.

    Args:
        recording: see `Runner.recording`.
    """
    source = context.live.source()
    kind = runner_class(context.runner)
    active = kind(source, context.folder.signature, context.variant.parameters)
    active.recording = recording
    with live_section(context.log, context.limit), source.preserved(), active as runner:
        yield runner
