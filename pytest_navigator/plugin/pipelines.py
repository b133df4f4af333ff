"""A `nav_pipeline` as it is collected: the suites of its modules, and what the whole of it is checked with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from pytest_navigator.core.steps import KINDS
from pytest_navigator.errors import ConfigError
from pytest_navigator.plugin._compat import has_params
from pytest_navigator.plugin.collection import MIX, NODEID, PIPELINE_RUNNER, WHOLE, place_of
from pytest_navigator.plugin.places import MODEL, PipelinePlace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_navigator.engine.workspace import SuiteFolder
    from pytest_navigator.plugin.places import Place
    from pytest_navigator.plugin.run import CollectedSuite, Run

    Mix = tuple[str, ...]
    """What runs in the places of the modules, as an id writes it: ("onnx", "cpu"), or ("best",)."""

BEST = ("best",)  # In which each module has what is best for it


@dataclass(frozen=True)
class CollectedPipeline:
    """A pipeline and everything that is checked of it.

    Attributes:
        suites: of its modules, by their names.
        folder: where the outcomes of the whole are.
        verify: node ids of the user's tests of the whole -> what they are of ("onnx-cpu").
    """

    place: PipelinePlace
    name: str
    suites: Mapping[str, CollectedSuite]
    folder: SuiteFolder
    verify: Mapping[str, str]


COLLECTED = pytest.StashKey[dict[str, CollectedPipeline]]()  # By the node of their place


def mixes_of(place: Place | None, run: Run) -> list[Mix]:
    """Return what a whole pipeline is checked with: one format and runtime in all its modules, and the best of each.

    Nothing is the best where nothing is measured.
    """
    matrices = run.matrices(place)
    # What runs the live module would run whatever stands in its place.
    cells = [(k, m.runners[r].runtime) for m in matrices for k, r in m.verifiable if not m.runners[r].live]
    measured = any(m.each(KINDS["profile"]) for m in matrices)
    return [*dict.fromkeys(cells), *([BEST] if cells and measured else [])]


def parametrize(metafunc: pytest.Metafunc, place: PipelinePlace, run: Run) -> None:
    """Give a test in the place of a pipeline its module, or what runs in the places of all."""
    if has_params(place.fixture):
        raise ConfigError(f"{place.nodeid} has params: one place is one pipeline; write a class or a folder for each")
    mixes = mixes_of(place, run)
    for name in {MIX, PIPELINE_RUNNER}.intersection(metafunc.fixturenames):
        metafunc.parametrize(name, mixes, indirect=name == PIPELINE_RUNNER, ids=["-".join(mix) for mix in mixes])
    if MODEL in metafunc.fixturenames and metafunc.definition.originalname != WHOLE:
        # In class scope: all tests of one module come before those of the next.
        metafunc.parametrize(MODEL, place.modules, indirect=True, scope="class")


def meet(run: Run, ours: Iterable[pytest.Function]) -> None:
    """Know the pipelines of the tests that were collected, with the suites of all their modules."""
    places: dict[str, tuple[PipelinePlace, dict[str, str]]] = {}
    for item in ours:
        place = place_of(item)
        if isinstance(place, PipelinePlace):
            item.stash[NODEID] = item.nodeid
            verify = places.setdefault(place.nodeid, (place, {}))[1]
            verify.update(_verified(item))
    run.config.stash[COLLECTED] = {nodeid: _collected(run, place, verify) for nodeid, (place, verify) in places.items()}


def pipeline_of(item: pytest.Item, run: Run) -> CollectedPipeline:
    """Return the pipeline of a test of the whole."""
    place = place_of(item)
    if not isinstance(place, PipelinePlace):
        pytest.fail(f"{item.nodeid} sees no nav_pipeline: move it below one", pytrace=False)
    return pipeline_at(place, run)


def pipeline_at(place: PipelinePlace, run: Run) -> CollectedPipeline:
    """Return the pipeline of a place, of which something was collected."""
    return run.config.stash[COLLECTED][place.nodeid]


def write_records(run: Run) -> None:
    """Record what was collected of each pipeline: the end of the run starts from it, in whatever process."""
    from pytest_navigator.core.plain import save
    from pytest_navigator.engine.manifest import package_path
    from pytest_navigator.engine.workspace import PIPELINE
    from pytest_navigator.pipelines.pipeline_record import PipelineRecord

    for whole in run.config.stash[COLLECTED].values():
        record = PipelineRecord(
            name=whole.name,
            nodeid=whole.place.nodeid,
            package=package_path(run.options.package, whole.name),
            modules={name: suite.folder.path.name for name, suite in whole.suites.items()},
            mixes=tuple("-".join(mix) for mix in mixes_of(whole.place, run)),
            verify=dict(whole.verify),
            run=run.id,
        )
        with run.workspace.writing(whole.folder.path):
            save(whole.folder.path / PIPELINE, record)


def _collected(run: Run, place: PipelinePlace, verify: Mapping[str, str]) -> CollectedPipeline:
    name = place.pipeline_name
    suites = {module: run.suite(place, module, {MODEL: module}) for module in place.modules}
    return CollectedPipeline(place, name, suites, run.workspace.suite(name, place.nodeid), verify)


def _verified(item: pytest.Function) -> Iterator[tuple[str, str]]:
    callspec: Any = getattr(item, "callspec", None)
    mix: Sequence[str] | object = callspec.params.get(PIPELINE_RUNNER) if callspec else None
    if isinstance(mix, tuple):
        yield item.nodeid, "-".join(mix)
