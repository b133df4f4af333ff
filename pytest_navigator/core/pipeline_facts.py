"""What one check of a whole pipeline found out, with formats in the places of its modules."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_navigator.core.plain import structured

if TYPE_CHECKING:
    from pytest_navigator.core.records import Outcome

STEP, VERIFY = "pipeline", "verify"
BEST, EAGER = "best", "eager"


@dataclass(frozen=True)
class WholeFacts:
    """What one check of a whole pipeline found out.

    Attributes:
        eager_ms, ms: what a call of the pipeline takes, the median of all samples, as it is and with this mix; None
            where it was not measured.
        caveat: what a reader of both must know; "" for nothing.
        modules: name -> what ran in its place: "onnx-cpu", "eager".
        reasons: name -> why it stayed as it is, or what the choice of its format rests on.
        eagerly: name -> calls that ran the module itself although a format was there, each with its reason.
        nodeid: of the test that verified it.
        slower: names of the modules that went back to eager for speed alone.
    """

    eager_ms: float | None = None
    ms: float | None = None
    modules: dict[str, str] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    eagerly: dict[str, list[str]] = field(default_factory=dict)
    nodeid: str = ""
    slower: list[str] = field(default_factory=list)
    caveat: str = ""

    @property
    def speed_up(self) -> float | None:
        """How many times as fast the pipeline is with this mix; None where it was not measured."""
        return self.eager_ms / self.ms if self.eager_ms and self.ms else None


def facts_of_whole(outcome: Outcome) -> WholeFacts:
    """Return what a check of a whole pipeline found out; defaults for what it does not say."""
    return structured(outcome.data, WholeFacts)
