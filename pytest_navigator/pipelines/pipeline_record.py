"""A pipeline of a run as plain data: what was collected of it, and what the whole of it gave with formats in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_navigator.core.plain import load, structured
from pytest_navigator.engine.workspace import PIPELINE, SuiteFolder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_navigator.core.records import Outcome
    from pytest_navigator.engine.workspace import Workspace

STEP, VERIFY = "pipeline", "verify"
BEST, EAGER = "best", "eager"
MODULES = "modules"  # In the folder of a pipeline: what is known of the calls of each module


@dataclass(frozen=True)
class PipelineRecord:
    """A pipeline as it was collected.

    Attributes:
        nodeid: of its place.
        package: where the bundle of its modules is to be written; "" for nowhere.
        modules: name -> the folder of its suite in the workspace.
        mixes: what the whole is checked with: "onnx-cpu", "best".
        verify: node id of a user's test -> the mix that it is of.
        run: id of the run.
    """

    name: str
    nodeid: str
    package: str
    modules: dict[str, str]
    mixes: tuple[str, ...] = ()
    verify: dict[str, str] = field(default_factory=dict)
    run: str = ""


@dataclass(frozen=True)
class WholeFacts:
    """What one check of a whole pipeline found out.

    Attributes:
        eager_ms, ms: what a call of the pipeline takes, the median of all samples, as it is and with this mix; None
            where it was not measured.
        modules: name -> what ran in its place: "onnx-cpu", "eager".
        reasons: name -> why it stayed as it is, or what the choice of its format rests on.
        eagerly: name -> calls that ran the module itself although a format was there, each with its reason.
        nodeid: of the test that verified it.
    """

    eager_ms: float | None = None
    ms: float | None = None
    modules: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    eagerly: dict[str, list[str]] = field(default_factory=dict)
    nodeid: str = ""


def recorded_pipelines(workspace: Workspace) -> Iterator[tuple[SuiteFolder, PipelineRecord]]:
    """Yield the folders of the pipelines of a run, in the order of their names."""
    for path in sorted(workspace.root.glob(f"*/{PIPELINE}")):
        yield SuiteFolder(path.parent, workspace.root), load(path, PipelineRecord)


def facts_of_whole(outcome: Outcome) -> WholeFacts:
    """Return what a check of a whole pipeline found out; defaults for what it does not say."""
    return structured(outcome.data, WholeFacts)
