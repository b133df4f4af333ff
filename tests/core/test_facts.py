"""What a step finds out is written and read as one record of its kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_navigator.comparison.facts import CorrectnessFacts
from pytest_navigator.comparison.tolerances import share
from pytest_navigator.core.facts import MakingFacts, ProfileFacts, SourceFacts, as_data, facts_of
from pytest_navigator.core.plain import load, save
from pytest_navigator.core.records import Case, Outcome, OutputReport, ProfileResult
from pytest_navigator.core.steps import Status
from pytest_navigator.devices.built_with import BoundFacts, BuiltWith, Library

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_navigator.core.facts import Facts

TEXT = st.text(max_size=5)
MAKING = st.builds(
    MakingFacts,
    bytes=st.none() | st.integers(0),
    loaded=st.none() | TEXT,
    engine=st.none() | TEXT,
    declined=st.none() | st.dictionaries(TEXT, TEXT),
    opset=st.none() | st.integers(0),
    interface=st.none() | TEXT,
    warnings=st.none() | st.lists(TEXT).map(tuple),
)
BUILT = BuiltWith("H200", "9.0", "570.1", "12.8", Library("TensorRT", "10.12"), ("9.0",))
EACH = [
    SourceFacts((Case(0, "batch", "a.npz", "b.npz", 3),), "a.npz", "cpu", fingerprint="f", max_batch_size=3),
    MakingFacts(bytes=3, loaded="OnnxCPU", settings={"torch": {"num_threads": 2}}, opset=18),
    BoundFacts(BUILT, {"trt": BUILT}),
    CorrectnessFacts((OutputReport("y", 0.1, float("inf"), index=(1, 2)),), 4, {"y": share(0.9)}),
    ProfileFacts(ProfileResult(1, 1.0, 0.1, 1.0, 1.0, 1.0, 1.0, 10.0, 5, latencies=(1.0, 2.0)), {}, "cpu"),
]


@pytest.mark.parametrize("facts", EACH, ids=lambda facts: type(facts).__name__)
def test_what_is_recorded_is_what_is_read(facts: Facts, tmp_path: Path) -> None:
    for step in facts.steps:
        save(tmp_path / "outcome.json", Outcome(step, Status.PASSED, data=as_data(facts)))
        assert facts_of(load(tmp_path / "outcome.json", Outcome), type(facts)) == facts


@given(MAKING)
def test_what_is_not_known_is_not_recorded(facts: MakingFacts) -> None:
    data = as_data(facts)
    assert None not in data.values()
    assert facts_of(Outcome("export", Status.PASSED, data=data), MakingFacts) == facts


def test_what_a_format_adds_stays_and_disturbs_nobody() -> None:
    data = {"sizes": [1, 2], **as_data(MakingFacts(opset=17)), "route": "direct"}
    assert facts_of(Outcome("convert", Status.PASSED, data=data), MakingFacts) == MakingFacts(opset=17)


@pytest.mark.parametrize("facts", EACH, ids=lambda facts: type(facts).__name__)
def test_a_step_of_another_kind_says_nothing(facts: Facts) -> None:
    other = Outcome("verify", Status.PASSED, data=as_data(facts))
    assert facts_of(other, type(facts)) == type(facts)() == facts_of(None, type(facts))


def test_what_is_noted_leaves_the_facts_alone() -> None:
    found = Outcome("export", Status.FAILED, data=as_data(MakingFacts(opset=17)))
    noted = found.noted(run="a", reported=True).noted(run="b", machine="gpu")
    assert (noted.notes.run, noted.notes.reported, noted.notes.machine, found.notes.run) == ("b", True, "gpu", "")
    assert facts_of(noted, MakingFacts) == MakingFacts(opset=17)
