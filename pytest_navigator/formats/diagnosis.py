"""How the first value is found that an artifact computes otherwise than its source: what such code gets and gives.

A format names its `Diagnosis` in `diagnosis`, a runner that needs another one in its own. `compare` runs in the child,
from plain data and files, after a comparison has failed. What needs the live model is asked before, where that is.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pytest_navigator.comparison.divergence import FOLDER
from pytest_navigator.comparison.tolerances import Rule  # noqa: TC001  # cattrs reads annotations
from pytest_navigator.core.records import Case, Signature  # noqa: TC001  # cattrs reads annotations
from pytest_navigator.core.variants import RunnerRecord, Variant  # noqa: TC001  # cattrs reads annotations
from pytest_navigator.samples.cases import read_input, read_output

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from pytest_navigator.comparison.divergence import Divergence
    from pytest_navigator.core.records import OutputReport
    from pytest_navigator.frameworks.base import Source

REFERENCES = ".references"  # Beside its folder: what the live model was asked for, removed once it is compared


@dataclass(frozen=True)
class Question:
    """One comparison that failed, as plain data.

    Attributes:
        folder: of the suite: the artifacts are in folders of their variants, the samples where `case` says.
        key: of the variant; variants: all of the suite by key, `parent` says what it is made from.
        runner: that failed. cell: of both, "onnx-cpu".
        signature: of the source.
        case: the sample that failed worst; outputs: those that failed on it, the worst first.
        rules: of every output.
        seconds: that the whole diagnosis may take.
        began: `time.monotonic` when it began, which is the same clock in all processes of a machine.
    """

    folder: str
    key: str
    variants: dict[str, Variant]
    runner: RunnerRecord
    cell: str
    signature: Signature
    case: Case
    outputs: tuple[str, ...] = ()
    rules: dict[str, Rule] = field(default_factory=dict)
    seconds: float = 60.0
    began: float = field(default_factory=time.monotonic)

    @property
    def root(self) -> Path:
        """The folder of the suite."""
        return Path(self.folder)

    @property
    def variant(self) -> Variant:
        """The variant that failed."""
        return self.variants[self.key]

    def artifact(self, key: str = "") -> Path:
        """Return where the artifact of a variant is, of the one that failed by default."""
        variant = self.variants[key or self.key]
        return self.root / variant.key / variant.file

    @property
    def references(self) -> Path:
        """The folder for what `capture` finds; it is there while `capture` and `compare` run."""
        return self.root / self.key / REFERENCES

    @property
    def evidence(self) -> Path:
        """The folder for the arrays of the place that is blamed; the script that computes it again is beside it."""
        return self.root / self.key / FOLDER / self.cell

    @property
    def left(self) -> float:
        """How much of the time is left, in s."""
        return self.began + self.seconds - time.monotonic()

    def feed(self) -> dict[str, np.ndarray]:
        """Return what goes into the case, by name."""
        return read_input(self.root, self.case, self.signature)

    def expected(self) -> dict[str, np.ndarray]:
        """Return what the source gave for it, by name."""
        return read_output(self.root, self.case, self.signature)


class Diagnosis(ABC):
    """Finds the first value that an artifact of a format computes otherwise. Plain code without state."""

    needs_model: ClassVar[bool] = True
    """Whether nothing can be told without what `capture` finds, where `asks_model`: of a package there is no model."""

    def asks_model(self, question: Question) -> bool:
        """Whether `capture` is needed for this case. Runs where the model is; imports nothing heavy."""
        return False

    def capture(self, source: Source, question: Question) -> None:
        """Write below `question.references` what the live model computes on the way to its outputs.

        Runs in the process that holds the model.

        Raises:
            NotApplicable: nothing can be told of such a model, with why.
        """
        raise NotImplementedError

    @abstractmethod
    def compare(self, question: Question) -> Divergence:
        """Compute each value of the artifact from right inputs, judge, and leave evidence. Runs in the child.

        Raises:
            NotApplicable: nothing can be told of such an artifact, with why.
        """


def worst_case(reports: Sequence[OutputReport], cases: Sequence[Case]) -> tuple[Case, tuple[str, ...]]:
    """Return the case that failed worst, and the outputs that failed, the worst one first.

    Where none failed it is the case with the largest difference.
    """
    failed = sorted((r for r in reports if r.problem), key=lambda r: -r.mismatched / max(r.total, 1))
    ordered = failed or sorted(reports, key=lambda r: -r.atol)
    found = (case for report in ordered for case in cases if (case.sample, case.kind) == (report.sample, report.case))
    return next(found, cases[0]), tuple(report.name for report in failed)


def save_evidence(
    question: Question,
    inputs: Mapping[str, np.ndarray],
    expected: Mapping[str, np.ndarray],
    actual: Mapping[str, np.ndarray],
    script: str,
) -> tuple[str, str]:
    """Write what goes into the place that is blamed, what should come out and what did, and the script beside it.

    Args:
        script: its text; it runs from the root of the suite's folder, or of a package.

    Returns:
        The folder and the script, as paths below the suite's folder.
    """
    from pytest_navigator.core.plain import write_atomically
    from pytest_navigator.samples.npz import save_npz

    folder = question.evidence
    for name, arrays in (("inputs", inputs), ("expected", expected), ("actual", actual)):
        save_npz(folder / f"{name}.npz", arrays)
    path = folder.with_name(f"{folder.name}.py")
    write_atomically(path, script.encode())
    return folder.relative_to(question.root).as_posix(), path.relative_to(question.root).as_posix()
