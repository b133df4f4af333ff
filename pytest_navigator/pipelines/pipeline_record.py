"""A pipeline of a run as plain data, as it was collected."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_navigator.core.plain import load
from pytest_navigator.engine.workspace import PIPELINE, SuiteFolder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_navigator.engine.workspace import Workspace

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


def recorded_pipelines(workspace: Workspace) -> Iterator[tuple[SuiteFolder, PipelineRecord]]:
    """Yield the folders of the pipelines of a run, in the order of their names."""
    for path in sorted(workspace.root.glob(f"*/{PIPELINE}")):
        yield SuiteFolder(path.parent, workspace.root), load(path, PipelineRecord)
