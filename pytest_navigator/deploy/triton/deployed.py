"""A format of a package that is deployed, with what its records say of it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pytest_navigator.backends.builtin import written_as
from pytest_navigator.core.facts import MakingFacts, ProfileFacts, facts_of
from pytest_navigator.deploy.batches import obstacle, only_batches
from pytest_navigator.deploy.triton.onnx_file import of_file, of_signature
from pytest_navigator.errors import PackageError
from pytest_navigator.package.running import artifacts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.records import Signature
    from pytest_navigator.deploy.triton.chosen import Choice
    from pytest_navigator.deploy.triton.onnx_file import Tensors
    from pytest_navigator.package.container.reader import PackageFile
    from pytest_navigator.package.query.results import Results


@dataclass(frozen=True)
class Deployed:
    """A format of a package, with what its records say.

    Attributes:
        folder: of the format in the package; files: names of its files there.
    """

    package: PackageFile
    results: Results
    chosen: Choice
    signature: Signature
    folder: str
    files: tuple[str, ...]

    @classmethod
    def of(cls, package: PackageFile, results: Results, chosen: Choice) -> Deployed:
        """Return what is deployed.

        Raises:
            PackageError: the package has no signature, or not the format's files.
        """
        if results.signature is None:
            raise PackageError(f"{package.path} has no signature: its source step did not pass")
        folder, files = artifacts.names(package, results, chosen.variant)
        return cls(package, results, chosen, results.signature, folder, tuple(files))

    @property
    def file(self) -> str:
        """Name of the format's file in the package."""
        return f"{self.folder}/{self.chosen.variant.file}"

    @cached_property
    def written_as(self) -> str:
        """The format whose files its file is one of: "onnx" of quantized ONNX."""
        return written_as(self.chosen.variant.format)

    @cached_property
    def tensors(self) -> Tensors:
        """The tensors as the file has them."""
        if self.written_as == "onnx":
            return of_file(self.package.read(self.file), self.signature)
        return of_signature(self.signature)

    @cached_property
    def settings(self) -> Mapping[str, JSON]:
        """Of the runner when it was measured; empty if it was not."""
        measured = (facts_of(each, ProfileFacts).settings for each in self._profiles)
        return next((found for found in measured if found), {})

    @cached_property
    def made(self) -> MakingFacts:
        """What the step found out that made the file."""
        return facts_of(self.results.made(self.chosen.variant.key), MakingFacts)

    @cached_property
    def unbatched(self) -> str:
        """Why requests cannot be joined; "" if they can."""
        if fixed := self.results.source_facts.fixed_batch:
            return f"the model takes batches of {fixed} alone"
        if sizes := only_batches(self.results, self.chosen.variant.key):
            return sizes
        return obstacle(self.signature.batch_dim, self.tensors.all)

    @property
    def _profiles(self) -> list[Any]:
        found = self.results.profiles(self.chosen.variant.key, self.chosen.runner.name)
        figure = self.chosen.figure
        first = [o for o in found if figure and o.passed and figure.batch_size == _batch(o)]
        return [*first, *(outcome for outcome in found if outcome.passed)]


def _batch(outcome: Any) -> int | None:
    result = facts_of(outcome, ProfileFacts).result
    return result.batch_size if result else None
