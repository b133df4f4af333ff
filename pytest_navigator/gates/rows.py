"""What a gate says of one thing: how it was, how it is, and what that means."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from pytest_navigator.core.plain import JSON  # noqa: TC001  # cattrs reads annotations

if TYPE_CHECKING:
    from collections.abc import Iterable


class Verdict(StrEnum):
    """What a difference means; of what is merely different nobody can tell."""

    WORSE = "worse"
    DIFFERENT = "different"
    NOT_JUDGED = "not judged"
    INCONCLUSIVE = "inconclusive"
    BETTER = "better"
    SAME = "same"


@dataclass(frozen=True)
class Row:
    """One thing, in the baseline and now.

    Attributes:
        topic: a key of `TOPICS`.
        subject: what it is about: "onnx-cpu", "onnx-cpu logits", "input x".
        before, after: as plain data; None where there is no such thing.
        reason: why it is judged so; "" where that is plain.
    """

    topic: str
    subject: str
    before: JSON
    after: JSON
    verdict: Verdict
    reason: str = ""


# In the order of reports: what each topic is about.
TOPICS = {
    "model": "parameters, samples and recorded outputs",
    "signature": "inputs, outputs, types, axes",
    "coverage": "formats and runners that pass",
    "verified": "what verify_ tests vouch for",
    "tolerance": "measured differences from the source",
    "noise": "measured ratios of signal to noise",
    "size": "of artifacts",
    "memory": "peak of the process that runs an artifact",
    "speed": "of one artifact beside the other",
    "latency": "figures of two runs",
    "environment": "machine, interpreter, libraries",
}


def worse(rows: Iterable[Row]) -> list[Row]:
    """Return what is worse."""
    return [row for row in rows if row.verdict is Verdict.WORSE]
