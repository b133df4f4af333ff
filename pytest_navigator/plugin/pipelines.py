"""A `nav_pipeline` as it is collected: the suites of its modules, and what the whole of it is checked with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from pytest_navigator.configuration.config import NavConfig
from pytest_navigator.errors import ConfigError
from pytest_navigator.plugin._compat import has_params
from pytest_navigator.plugin.collection import PIPELINE_RUNNER, place_of
from pytest_navigator.plugin.places import LOADER, MODEL, PipelinePlace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pytest_navigator.engine.workspace import SuiteFolder
    from pytest_navigator.plugin.places import Place
    from pytest_navigator.plugin.run import CollectedSuite, Run

    Mix = tuple[str, ...]
    """What runs in the places of the modules, as an id writes it: ("onnx", "cpu"), or ("best",)."""

WHOLE = "test_pipeline"
MIX = "nav_mix"
BEST = ("best",)  # In which each module has what is best for it
OF_A_PLACE = {LOADER, PIPELINE_RUNNER}  # What a test asks for that belongs to a place


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


def is_whole(item: object) -> bool:
    """Whether an item is a test of a whole pipeline: a generated one, or one of the user's."""
    return isinstance(item, pytest.Function) and not {MIX, PIPELINE_RUNNER}.isdisjoint(item.fixturenames)


def mixes_of(place: Place | None, run: Run) -> list[Mix]:
    """Return what a whole pipeline is checked with: one format and runtime in all its modules, and the best of each."""
    matrices = run.matrices(place)
    cells = [(key, m.runners[runner].runtime) for m in matrices for key, runner in m.verifiable]
    return [*dict.fromkeys(cells), BEST] if cells else []


def parametrize(metafunc: pytest.Metafunc, run: Run) -> None:
    """Give a test in the place of a pipeline its module, or what runs in the places of all."""
    place = place_of(metafunc.definition) if OF_A_PLACE.intersection(metafunc.fixturenames) else None
    if not isinstance(place, PipelinePlace):
        return
    if has_params(place.fixture):
        raise ConfigError(f"{place.nodeid} has params: one place is one pipeline; write a class or a folder for each")
    mixes = mixes_of(place, run)
    for name in {MIX, PIPELINE_RUNNER}.intersection(metafunc.fixturenames):
        metafunc.parametrize(name, mixes, indirect=name == PIPELINE_RUNNER, ids=["-".join(mix) for mix in mixes])
    if MODEL in metafunc.fixturenames and metafunc.definition.originalname != WHOLE:
        # In class scope: all tests of one module come before those of the next.
        metafunc.parametrize(MODEL, place.modules, indirect=True, scope="class")


def meet(run: Run, wholes: Iterable[pytest.Function]) -> None:
    """Know the pipelines of the tests that were collected, with the suites of all their modules."""
    places: dict[str, tuple[PipelinePlace, dict[str, str]]] = {}
    for item in wholes:
        place = place_of(item)
        if isinstance(place, PipelinePlace):
            verify = places.setdefault(place.nodeid, (place, {}))[1]
            verify.update(_verified(item))
    run.config.stash[COLLECTED] = {nodeid: _collected(run, place, verify) for nodeid, (place, verify) in places.items()}


def pipeline_of(item: pytest.Item, run: Run) -> CollectedPipeline:
    """Return the pipeline of a test of the whole."""
    place, known = place_of(item), run.config.stash[COLLECTED]
    if place is None or place.nodeid not in known:
        pytest.fail(f"{item.nodeid} sees no nav_pipeline: move it below one", pytrace=False)
    return known[place.nodeid]


def name_of(place: PipelinePlace) -> str:
    """Return what a pipeline is called: what the nav_config of all its modules says, else its place."""
    found = place.nav_config
    return found.name if isinstance(found, NavConfig) and found.name else place.name


def _collected(run: Run, place: PipelinePlace, verify: Mapping[str, str]) -> CollectedPipeline:
    name = name_of(place)
    suites = {module: run.suite(place, module, {MODEL: module}) for module in place.modules}
    return CollectedPipeline(place, name, suites, run.workspace.suite(name, place.nodeid), verify)


def _verified(item: pytest.Function) -> Iterator[tuple[str, str]]:
    callspec: Any = getattr(item, "callspec", None)
    mix: Sequence[str] | object = callspec.params.get(PIPELINE_RUNNER) if callspec else None
    if isinstance(mix, tuple):
        yield item.nodeid, "-".join(mix)
