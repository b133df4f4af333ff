"""Two artifacts measured beside each other, in a process that is theirs alone: what the child does."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.core.records import Signature  # noqa: TC001  # cattrs reads annotations
from pytest_navigator.core.variants import Variant  # noqa: TC001
from pytest_navigator.devices.built_with import BuiltWith  # noqa: TC001
from pytest_navigator.errors import NavigatorError, StepFailed
from pytest_navigator.gates.speed import clear
from pytest_navigator.isolation.causes import error_line
from pytest_navigator.profiling.paired import compare
from pytest_navigator.runners.spec import runner_class

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy as np

    from pytest_navigator.core.variants import RunnerRecord
    from pytest_navigator.profiling.paired import Paired, Side
    from pytest_navigator.runners.base import Runner

THE_OLD, THE_NEW = "the baseline's artifact", "the new artifact"


@dataclass(frozen=True)
class Artifact:
    """An artifact in a folder, and how it is called.

    Attributes:
        folder: in which `variant.place` is it, as in the folder of a suite.
        variant: its format and parameters; they are its own, and may be others than those of today.
        signature: its inputs and outputs.
        built_with: what it is bound to; None: to nothing.
    """

    folder: str
    variant: Variant
    signature: Signature
    built_with: BuiltWith | None = None

    @property
    def path(self) -> Path:
        """Its file or folder."""
        return Path(self.folder, self.variant.place)


def measured(
    old: Artifact,
    new: Artifact,
    runner: RunnerRecord,
    feed: Mapping[str, np.ndarray],
    threshold: float,
    seed: int,
    seconds: float,
    old_runner: RunnerRecord | None = None,
) -> Paired:
    """Measure two artifacts on the same inputs.

    Args:
        old_runner: of the old one, which is another format then; None: the same.

    Raises:
        StepFailed: one of them cannot be loaded or called; says which.
    """
    titles = (old.variant.key, new.variant.key) if old_runner else (THE_OLD, THE_NEW)
    runs = ((old, old_runner or runner, titles[0]), (new, runner, titles[1]))
    sides = [_side(artifact, own, feed, title) for artifact, own, title in runs]
    enough = partial(clear, threshold=threshold, gpu=runner.device == "cuda")
    return compare(*sides, enough=enough, seed=seed, seconds=seconds)


def _side(artifact: Artifact, runner: RunnerRecord, feed: Mapping[str, np.ndarray], title: str) -> Side:
    return partial(_loaded, artifact, runner, feed, title)


@contextmanager
def _loaded(
    artifact: Artifact, runner: RunnerRecord, feed: Mapping[str, np.ndarray], title: str
) -> Iterator[Callable[[], object]]:
    """Give the bare call of an artifact that has taken the inputs once."""
    active: Runner = runner_class(runner)(artifact.path, artifact.signature, artifact.variant.parameters)
    active.single_thread = active.device == "cpu"
    with _saying(title):
        active.activate()
    try:
        with _saying(title):
            call = active.bind(feed)
            call()
        yield call
    finally:
        active.deactivate()


@contextmanager
def _saying(title: str) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        text = str(error) if isinstance(error, NavigatorError) else error_line(error)
        raise StepFailed(f"{title}: {text}", kind=type(error).__name__) from error
