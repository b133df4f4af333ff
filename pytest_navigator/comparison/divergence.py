"""The first value on the way to the outputs that a format computes otherwise: the rule, the record and its text (pure).

Each value is computed from right inputs, so that its error is its own and nothing adds up: `Segment`. Such errors are
far apart: what is right differs by rounding, what is wrong by 100 times that and more.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_navigator.comparison import layer_errors
from pytest_navigator.comparison.layer_errors import LayerError  # noqa: TC001  # cattrs reads annotations
from pytest_navigator.comparison.stretches import Operation, kept, told
from pytest_navigator.comparison.tolerances import number

if TYPE_CHECKING:
    from collections.abc import Sequence

APART = 100  # Times the usual local error, from which on one is none of rounding
ROUNDING = 10  # Units of rounding that any one value may be off
FLOAT32 = 2.0**-23
MOST_OTHERS = 8  # Other suspicious places that are recorded

# Who is to blame, as text.
EXPORT, FUSION, RUNTIME = "export", "runtime optimizer (fusion)", "runtime"
QUANTIZED = "quantization"
SPREAD = "no single place"
UNKNOWN, NOT_APPLICABLE = "not diagnosed", "not applicable"

WHOLE = "the model itself"  # The module that is called so
FOLDER = "diagnose"  # In the folder of a variant: what a diagnosis leaves, which goes into no package


@dataclass(frozen=True)
class Segment:
    """One value of an artifact, computed from right inputs.

    Attributes:
        value: its name in the artifact.
        operator, node: what computes it ("gelu"), and the name of that in the artifact.
        module: path of the module in the user's model ("layers.2.mlp"), "" where it is not known.
        location: the user's line ("model.py:14"), "" where it is not known.
        inputs: types and shapes of what it is computed from ("float32[2, 16, 64]"); output: of itself.
        error: largest absolute difference; infinite where shapes differ, or only one is finite.
        magnitude: largest absolute value that is right.
        precision: unit of rounding of what it is computed in.
        stretch: the operations between right inputs and it, in order, its own the last: any of them may be wrong; none
            if that is one alone.
    """

    value: str
    operator: str
    error: float
    magnitude: float = 1.0
    node: str = ""
    module: str = ""
    location: str = ""
    inputs: tuple[str, ...] = ()
    output: str = ""
    precision: float = FLOAT32
    stretch: tuple[Operation, ...] = ()

    @property
    def share(self) -> float:
        """The error as a share of the magnitude: a large value is rounded by more."""
        return self.error / self.magnitude if 0 < self.magnitude < math.inf else self.error

    @property
    def place(self) -> str:
        """Where it is, for people: "layers.2.mlp gelu at model.py:14", "mlp (mul model.py:14, gelu :15)"."""
        if self.stretch:
            return f"{self.module or WHOLE} ({told(self.stretch, len(self.stretch))})"
        known = self.module or ("" if self.operator and self.value.startswith(self.operator) else self.value)
        named = f"{known} {self.operator if self.module or known else self.value}".strip()
        return f"{named} at {self.location}" if self.location else named


@dataclass(frozen=True)
class Divergence:
    """What a diagnosis found out.

    Attributes:
        verdict: "export" (the artifact computes something else), "runtime optimizer (fusion)", "runtime",
            "quantization", "no single place", "not diagnosed", or "not applicable".
        method: how it was looked for ("cut every edge").
        reason: why nothing was told, or what is to know beside it, one line.
        module, operator, node, location, inputs, output, error, magnitude: of the first place, as in `Segment`; value:
            its name in the artifact.
        stretch: where not `operator` alone can be wrong, but any operation between right inputs and it: these in order,
            of more than 32 the first and the last 16. `location` is that of the last one.
        operators: how many those are.
        ratio: the error of the first place by the largest one of those that are right, each as a share; None: there
            is no other, or it has none.
        others: further suspicious places, as text.
        compared: how many values were.
        sample, case: of the samples, as in `OutputReport`.
        evidence: folder with the arrays, and script that computes the place again, below the suite's folder; "": none.
        script: that script.
        seconds: what it took.
        layers: of a quantized model, the worst first: what each adds to the error; the fields above are of the first.
        exclude: what leaves the worst of them in floating point; passes: whether it was seen that this is enough for
            the sample.
    """

    verdict: str = UNKNOWN
    method: str = ""
    reason: str = ""
    value: str = ""
    operator: str = ""
    node: str = ""
    module: str = ""
    location: str = ""
    inputs: tuple[str, ...] = ()
    output: str = ""
    error: float = 0.0
    magnitude: float = 0.0
    ratio: float | None = None
    others: tuple[str, ...] = ()
    compared: int = 0
    sample: int | None = None
    case: str = ""
    evidence: str = ""
    script: str = ""
    seconds: float = 0.0
    stretch: tuple[Operation, ...] = ()
    operators: int = 0
    layers: tuple[LayerError, ...] = ()
    exclude: tuple[str, ...] = ()
    passes: bool = False

    @property
    def place(self) -> str:
        """Where it is, for people; "" where nothing was found."""
        if self.stretch:
            return f"{self.module or WHOLE} ({told(self.stretch, self.operators)})"
        segment = Segment(self.value, self.operator, self.error, module=self.module, location=self.location)
        return segment.place if self.value else ""


def suspicious(segments: Sequence[Segment], *, exact: bool = False) -> list[Segment]:
    """Return the segments whose error is none of rounding, in their order.

    That is a share of the magnitude above 10 units of rounding and above 100 times what the other ones have: the
    lower median of those with an error, so that two wrong ones of three do not excuse each other.

    Args:
        exact: what is right is so to the last bit, for the source's own kernels compute it: no error counts as one.
    """
    shares = sorted(each.share for each in segments if exact or each.share > 0)
    return [each for each in segments if each.share > max(ROUNDING * each.precision, APART * _usual(shares, each))]


def _usual(shares: Sequence[float], own: Segment) -> float:
    """Return the lower median of sorted shares, one of which is a segment's own and does not count."""
    others = list(shares)
    if own.share in others:
        others.remove(own.share)
    return others[(len(others) - 1) // 2] if others else 0.0


def first_divergence(
    segments: Sequence[Segment], verdict: str = EXPORT, method: str = "", *, exact: bool = False
) -> Divergence | None:
    """Return the first place that is wrong; None where none stands out.

    Args:
        segments: in topological order.
        verdict: what it means where one is wrong.
        method: how they were computed.
        exact: as in `suspicious`.
    """
    found = suspicious(segments, exact=exact)
    if not found:
        return None
    first, *others = found
    right = max((each.share for each in segments if each not in found), default=0.0)
    return Divergence(
        verdict,
        method,
        value=first.value,
        operator=first.operator,
        node=first.node,
        module=first.module,
        location=first.location,
        inputs=first.inputs,
        output=first.output,
        error=first.error,
        magnitude=first.magnitude,
        ratio=first.share / right if right else None,
        others=tuple(each.place for each in others[:MOST_OTHERS]),
        compared=len(segments),
        stretch=kept(first.stretch),
        operators=len(first.stretch),
    )


def no_divergence(segments: Sequence[Segment], method: str = "") -> Divergence:
    """Return what is said where no segment stands out: errors add up, or are alike everywhere."""
    if not segments:
        return Divergence(UNKNOWN, method, "no value on the way to the outputs could be compared")
    worst = max(segments, key=lambda each: each.share)
    reason = f"the largest local error is {number(worst.error)}, {worst.place}"
    return Divergence(SPREAD, method, reason, compared=len(segments))


def line(found: Divergence) -> str:
    """Return a divergence as people read it: "first divergence: layers.2.mlp gelu at model.py:14: 1.8e-4, ..."."""
    if found.verdict in (UNKNOWN, NOT_APPLICABLE):
        return f"{UNKNOWN}: {found.reason}"
    if found.layers:
        return _layers(found)
    if not found.value:
        return f"first divergence: {found.verdict}{f': {found.reason}' if found.reason else ''}"
    parts = [f"first divergence: {found.place}: {number(found.error)}{_times(found.ratio)}"]
    parts += [f"by the {found.verdict}"] * (found.verdict != EXPORT)
    parts += [f"also {', '.join(found.others[:2])}{_more(len(found.others) - 2)}"] * bool(found.others)
    return "; ".join([*parts, *filter(None, [found.reason])])


def _layers(found: Divergence) -> str:
    """Return the worst layers of a quantized model, and what to write to leave them out."""
    parts = [f"worst layers: {layer_errors.told(found.layers)}", found.reason, to_leave_out(found)]
    return "; ".join(filter(None, parts))


def to_leave_out(found: Divergence) -> str:
    """Return what to write to leave the worst layers of a quantized model in floating point, "" if nobody knows."""
    if not found.exclude:
        return ""
    asked = layer_errors.exclusion(found.exclude)
    return f"with {asked} this sample passes" if found.passes else f"leave them out by {asked}"


def text(found: Divergence) -> str:
    """Return all of a divergence, a line each; of many layers the worst, all are in its record."""
    return "\n".join([line(found), details(found)]).strip()


def details(found: Divergence) -> str:
    """Return what `line` does not say, a line each, or of layers more of it; "" where that is nothing."""
    shapes = f"{', '.join(found.inputs)} -> {found.output}" if found.inputs else found.output
    rows = {
        "value": found.value,
        "shapes": shapes,
        "verdict": found.verdict if found.value else "",
        "method": f"{found.method} ({found.compared} compared, {found.seconds:.1f} s)" if found.method else "",
        "operators": ", ".join(f"{each.operator} {each.location}".strip() for each in found.stretch),
        "also": ", ".join(found.others),
        "layers": "\n    ".join(layer_errors.listed(found.layers)),
        "again": found.script,
    }
    return "\n".join(f"  {name}: {value}" for name, value in rows.items() if value)


def _times(ratio: float | None) -> str:
    if ratio is None:
        return ""
    return f", {ratio:.0f} × the next" if ratio < 1e6 else f", {number(ratio)} × the next"


def _more(count: int) -> str:
    return f" and {count} more" if count > 0 else ""
