"""What gates found out, as records: apart from what judges, since who opens a package reads these alone."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_navigator.configuration.budgets import BOUNDS
from pytest_navigator.core.facts import Facts
from pytest_navigator.gates.rows import Row  # noqa: TC001  # cattrs reads annotations
from pytest_navigator.profiling.figures import rounded

SLOWER, FASTER, UNCHANGED, INCONCLUSIVE, NOT_JUDGED = "slower", "faster", "unchanged", "inconclusive", "not judged"

TIMES = ("avg", "p50", "p90", "p95", "p99")
DISTURBED = (*TIMES, "speedup")  # What others on the machine change
NODES = ("full_offload", "cpu_nodes")

NOT_WORTH = "quantization"  # Type of the failure of what is slower or larger than its float format, in a record

# Of the size of a float format: what names and options may add to the same weights.
SAME_SIZE = 1.02


@dataclass(frozen=True)
class SpeedFacts:
    """How fast an artifact is beside the old one; None: not measured.

    Attributes:
        verdict: "slower" (the only one that fails), "faster", "unchanged", "inconclusive" (passes, with a caveat), or
            "not judged".
        reason: why, one line; "" where the figures say it.
        ratio: time of new over old: the median of the quads by their fastest calls; cpu_ratio: by processor time.
        bound: where the ratio is at least, at 99.5 %; of a "faster" one at most.
        quads: how many ratios it is the median of.
        old, new: the fastest call of all, ms.
        threshold: the share that was allowed.
        again: the ratio of the second child that had to confirm "slower".
        seconds: that the measurements took.
    """

    verdict: str
    reason: str = ""
    ratio: float | None = None
    cpu_ratio: float | None = None
    bound: float | None = None
    quads: int = 0
    old: float | None = None
    new: float | None = None
    threshold: float = 0.0
    again: float | None = None
    seconds: float = 0.0

    @property
    def failed(self) -> bool:
        """Whether this is a regression."""
        return self.verdict == SLOWER


@dataclass(frozen=True)
class QuantizationFacts(Facts):
    """What a format with fewer digits loses, and what it gains.

    Attributes:
        reference: key of the variant with more digits that it is measured beside.
        output: with the most noise; snr: its ratio of signal to noise, dB, inf where nothing differs; cosine: its
            lowest one. None: no output has any digits.
        bytes: of its artifact; reference_bytes: of the other one; None: not known.
        speed: how fast it is beside the other one, with its batch of 1.
        allowed: what of `worse` the user lets pass.
    """

    steps = ("quantization",)

    reference: str = ""
    output: str = ""
    snr: float | None = None
    cosine: float | None = None
    bytes: int | None = None
    reference_bytes: int | None = None
    speed: SpeedFacts | None = None
    allowed: tuple[str, ...] = ()

    @property
    def size_ratio(self) -> float | None:
        """Its size over that of the other one; None: not known."""
        return self.bytes / self.reference_bytes if self.bytes is not None and self.reference_bytes else None

    @property
    def worse(self) -> list[str]:
        """What of it is worse than of the other one: "slower", "larger"."""
        larger = (self.size_ratio or 0.0) > SAME_SIZE
        slower = self.speed is not None and self.speed.failed
        return [word for word, holds in ((SLOWER, slower), ("larger", larger)) if holds]


@dataclass(frozen=True)
class RegressionFacts(Facts):
    """What a comparison with a baseline found.

    Attributes:
        baseline: which run it was: "main.nav, 1a2b3c4 of 2026-11-21".
        rows: a verdict on each thing that was compared.
        speed: how fast the artifact is beside the baseline's; None: not measured.
    """

    steps = ("regression",)

    baseline: str = ""
    rows: tuple[Row, ...] = ()
    speed: SpeedFacts | None = None


@dataclass(frozen=True)
class BudgetFacts(Facts):
    """Whether a limit is kept.

    Attributes:
        name: what the budget is of, as the user wrote it; bound: the kind of limit ("p50").
        batch_size: of what was measured; None: without one.
        allowed: the limit, in `unit` ("ms", "MiB", "x", "").
        values: what was measured, one a try; none: it was not recorded.
        kept: whether one of them is within the limit.
        why: what a reader must know: why there is no value, which nodes, what the machine did meanwhile; "": nothing.
    """

    steps = ("budget",)

    name: str = ""
    bound: str = ""
    batch_size: int | None = None
    allowed: float = 0.0
    unit: str = ""
    values: tuple[float, ...] = ()
    kept: bool = False
    why: str = ""

    @property
    def value(self) -> float | None:
        """The value that counts: the best one."""
        if not self.values:
            return None
        return max(self.values) if BOUNDS[self.bound].sign == ">" else min(self.values)

    @property
    def measured(self) -> str:
        """The value as text: "4.2 ms"; with the first one, where a second one was needed."""
        if self.value is None:
            return "not recorded"
        first = f" ({self.text(self.values[0])} at first)" if len(self.values) > 1 else ""
        return self.text(self.value) + first

    @property
    def title(self) -> str:
        """What is limited: "p50 at batch 8"."""
        return f"{self.bound} at batch {self.batch_size}" if (self.batch_size or 1) > 1 else self.bound

    @property
    def note(self) -> str:
        """What is noted of one that is kept: a second try, or what the machine did; "": nothing."""
        return self.line if len(self.values) > 1 or (self.why and self.bound in DISTURBED) else ""

    @property
    def line(self) -> str:
        """One line: "p50: 7.3 ms, over the budget of 5 ms: measured while others used 40 % of the processors"."""
        verdict = "within" if self.kept else "below" if BOUNDS[self.bound].sign == ">" else "over"
        said = f"{self.title}: {self.measured}, {verdict} the budget of {self.text(self.allowed)}"
        if self.value is None:
            said = f"{self.title}: not recorded, so nothing tells whether the budget is kept"
        return f"{said}: {self.why}" if self.why else said

    def text(self, value: float) -> str:
        """Return a value with its unit."""
        if self.unit:
            return f"{rounded(value, 0.0)}{'' if self.unit == 'x' else ' '}{self.unit}"
        if self.bound == "delegated":
            return f"{value:.3g} of the nodes"
        return f"{round(value)} {'node' if self.bound in NODES else 'graph break'}{'' if value == 1 else 's'}"
