"""The runner of a step: what the child needs to load it, and one of the live model, loaded here."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pytest_navigator.engine import compiled
from pytest_navigator.isolation.live_section import live_section
from pytest_navigator.runners.spec import runner_class

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pytest_navigator.engine.context import Context
    from pytest_navigator.frameworks.base import Source
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
    kind, source = runner_class(context.runner), context.live.source()

    def made() -> Runner:
        runner = kind(source, context.folder.signature, context.variant.parameters)
        runner.recording = recording
        return runner

    loaded = _kept(context, source, made) if kind.keeps else made()
    with live_section(context.log, context.limit), source.preserved(), loaded as runner:
        yield runner


@contextmanager
def _kept(context: Context, source: Source, made: Callable[[], Runner]) -> Iterator[Runner]:
    """Give a runner that compiles: the one of an earlier step, or another one with what an earlier run has compiled."""
    known = made()

    def load() -> Runner:
        compiled.recall(context, known)
        known.activate()
        return known

    def fits(kept: Runner) -> bool:
        same = getattr(kept.artifact, "model", None) is getattr(source, "model", kept)
        alike = (kept.parameters, kept.signature) == (known.parameters, known.signature)
        return same and alike and (kept.recording or not known.recording)

    cell = context.suite.nodeid, context.variant.key, context.runner.name
    with context.host.kept.one(cell, load, fits) as runner:
        yield runner
        compiled.remember(context, runner)
