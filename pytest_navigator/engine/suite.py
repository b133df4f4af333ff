"""One model and everything that is checked of it, as a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_navigator.configuration.settings import Settings
    from pytest_navigator.engine.recorded import RecordedBaseline, RecordedModel
    from pytest_navigator.engine.workspace import SuiteFolder
    from pytest_navigator.planning.matrix import Matrix


@dataclass(frozen=True)
class Suite:
    """One model and everything that is checked of it.

    Attributes:
        nodeid: what tells it from the others of its run.
        package: the package that is the source; None for a model.
        baseline: the package of an earlier run that this one is compared with; None without `--nav-baseline`.
        bundle: name of the pipeline in whose file it is packed; "": it has a package of its own.
    """

    nodeid: str
    name: str
    settings: Settings
    matrix: Matrix
    folder: SuiteFolder
    package: RecordedModel | None
    baseline: RecordedBaseline | None = None
    bundle: str = ""
