"""A model that somebody has recorded: what stands for the live one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_navigator.core.records import Outcome, OutputReport, Signature, SuiteRecord
    from pytest_navigator.devices.built_with import BuiltWith
    from pytest_navigator.gates.sides import Baseline


class RecordedModel(Protocol):
    """A package whose samples, outputs and artifacts are checked again."""

    @property
    def path(self) -> Path:
        """The file."""

    @property
    def suite(self) -> SuiteRecord:
        """What was checked of it."""

    @property
    def signature(self) -> Signature:
        """Its inputs and outputs."""

    @property
    def source(self) -> Outcome:
        """What the source step found."""

    @property
    def verifications(self) -> tuple[Outcome, ...]:
        """What `verify_` tests found."""

    @property
    def built_with(self) -> Mapping[str, BuiltWith]:
        """Key of each bound artifact -> what it was built with."""

    def extract(self, target: Path) -> None:
        """Write the samples, the recorded outputs and the exported artifacts below `target`."""

    def lost(self) -> list[str]:
        """Return the user's own comparisons, which nothing can record."""


class RecordedBaseline(Protocol):
    """The package of an earlier run, which this one is to be no worse than; as a text, what people call it."""

    @property
    def path(self) -> Path:
        """The file."""

    def fetch(self) -> None:
        """Have the file at its path, if there is one."""

    def read(self) -> Baseline:
        """Return what it records."""

    def extract(self, key: str, target: Path) -> None:
        """Write the artifact of a variant below `target`; raises PackageError with the reason where there is none."""

    def other_outputs(self, folder: Path, samples: Mapping[str, str]) -> list[OutputReport]:
        """Return the outputs of the source that are others on the same samples, by what a run has in its folder."""
