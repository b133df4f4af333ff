"""How a correctness script compares: the rules of `pytest_navigator.comparison.verdicts`, on its measures.

Scripts contain the source text of this, so nothing here may use anything but numpy. Tests hold these classes against
`pytest_navigator.comparison.correctness` on arbitrary arrays.
"""

from __future__ import annotations

import numpy as np

from pytest_navigator.comparison.measures import cosine, distance, lost, magnitudes, scale
from pytest_navigator.comparison.signal import Signal


class Output:
    """What is known of one output over all samples; a subclass is the rule that judges it."""

    def __init__(self) -> None:
        self.problem = ""
        self.max_abs = 0.0
        self.max_rel = 0.0

    def add(self, expected: np.ndarray, actual: np.ndarray) -> None:
        """Compare one sample."""
        self.problem = self.problem or difference_in_kind(expected, actual)
        if not comparable(expected, actual):
            self.max_abs = self.max_rel = np.inf
        elif expected.size:
            with np.errstate(all="ignore"):
                self.compare(expected, actual)

    def compare(self, expected: np.ndarray, actual: np.ndarray) -> None:
        """Add the differences of two arrays of one shape and kind."""
        expected, actual = np.atleast_1d(expected, actual)
        difference, magnitude = distance(expected, actual)
        worst = difference.argmax()
        pair = (expected.flat[worst], actual.flat[worst])
        if difference.flat[worst] == np.inf and not np.isfinite(pair).all():
            self.problem = self.problem or f"{pair[1]} where the source has {pair[0]}"
        self.max_abs = max(self.max_abs, float(difference.max()))
        self.max_rel = max(self.max_rel, float(np.fmax.reduce((difference / magnitude).ravel(), initial=0.0)))
        self.measure(difference, magnitude, expected, actual)

    def measure(self, difference: np.ndarray, magnitude: np.ndarray, expected: np.ndarray, actual: np.ndarray) -> None:
        """Add up what the rule needs."""

    def passes(self) -> bool:
        """Whether the values are within the tolerance."""
        return True

    def verdict(self) -> str:
        """Return "passed", or why it failed."""
        return self.problem or ("passed" if self.passes() else "FAILED: outside of the tolerance")


class Scaled(Output):
    """Each difference is at most atol + rtol * (|expected| + scale); the scale is a typical value of the output.

    Along `axis`, each slice has a scale of its own. Values may not be those of a type of fewer digits (`digits`) where
    the source's are not.
    """

    def __init__(self, rtol: float, atol: float, axis: tuple[int, ...] = (), digits: tuple[str, ...] = ()) -> None:
        super().__init__()
        self.rtol, self.atol, self.axis = rtol, atol, axis
        self.slices: dict[tuple[int, ...], Slice] = {}
        self.lost = dict.fromkeys(digits, (0, 0))

    def measure(self, difference: np.ndarray, magnitude: np.ndarray, expected: np.ndarray, actual: np.ndarray) -> None:
        """Add up each slice."""
        for index in np.ndindex(*(difference.shape[axis] for axis in self.axis)):
            chosen = dict(zip(self.axis, index, strict=True))
            at = tuple(chosen.get(axis, slice(None)) for axis in range(difference.ndim))
            self.slices.setdefault(index, Slice()).add(difference[at], magnitude[at], self.rtol, expected[at])
        if difference.any() and expected.dtype == actual.dtype:
            for dtype, before in self.lost.items():
                gone, kept = lost(expected, actual, dtype)
                self.lost[dtype] = (before[0] + gone, before[1] + kept)

    def passes(self) -> bool:
        """Whether the excess of each slice is within atol and the share of its scale, and no digits are lost."""
        near = all(part.excess <= self.atol + self.rtol * part.scale() for part in self.slices.values())
        return near and all(kept or not gone for gone, kept in self.lost.values())


class Slice:
    """What is known of the elements that have one scale."""

    def __init__(self) -> None:
        self.excess = self.largest = 0.0
        self.samples: list[np.ndarray] = []

    def add(self, difference: np.ndarray, magnitude: np.ndarray, rtol: float, expected: np.ndarray) -> None:
        """Add up the excess over rtol, and what tells the scale."""
        self.excess = max(self.excess, float((difference - magnitude * rtol).max()))
        self.largest = max(self.largest, float(magnitude.max()))
        self.samples.append(magnitudes(expected))

    def scale(self) -> float:
        """Return the typical value."""
        return scale(self.samples, self.largest)


class Close(Output):
    """Each difference is at most atol + rtol * |expected|."""

    def __init__(self, atol: float, rtol: float) -> None:
        super().__init__()
        self.atol, self.rtol, self.outside = atol, rtol, 0

    def measure(self, difference: np.ndarray, magnitude: np.ndarray, expected: np.ndarray, actual: np.ndarray) -> None:
        """Count the elements that are outside."""
        self.outside += int(np.count_nonzero(difference > self.atol + magnitude * self.rtol))

    def passes(self) -> bool:
        """Whether no element is outside."""
        return not self.outside


class Share(Output):
    """The share of equal elements over all samples is at least `minimum`."""

    def __init__(self, minimum: float) -> None:
        super().__init__()
        self.minimum, self.unequal, self.total = minimum, 0, 0

    def measure(self, difference: np.ndarray, magnitude: np.ndarray, expected: np.ndarray, actual: np.ndarray) -> None:
        """Count the elements that differ."""
        self.unequal += int(np.count_nonzero(difference))
        self.total += difference.size

    def passes(self) -> bool:
        """Whether enough elements are equal."""
        return not self.total or 1 - self.unequal / self.total >= self.minimum


class Cosine(Output):
    """The cosine of the flattened arrays is at least `minimum` in every sample."""

    def __init__(self, minimum: float) -> None:
        super().__init__()
        self.minimum, self.smallest = minimum, 1.0

    def measure(self, difference: np.ndarray, magnitude: np.ndarray, expected: np.ndarray, actual: np.ndarray) -> None:
        """Take the cosine."""
        self.smallest = min(self.smallest, cosine(expected, actual))

    def passes(self) -> bool:
        """Whether the smallest cosine is large enough."""
        return self.smallest >= self.minimum


class SNR(Output):
    """The ratio of signal to noise over all samples is at least `minimum` (dB), the cosine of each one `cosine`."""

    def __init__(self, minimum: float, cosine: float) -> None:
        super().__init__()
        self.minimum, self.cosine, self.signal = minimum, cosine, Signal()

    def measure(self, difference: np.ndarray, magnitude: np.ndarray, expected: np.ndarray, actual: np.ndarray) -> None:
        """Add up the powers."""
        self.signal.add(expected, actual)

    def passes(self) -> bool:
        """Whether both are large enough."""
        alike = not self.cosine or self.signal.cosine() >= self.cosine
        return self.signal.snr() >= self.minimum and alike


class Unchecked(Output):
    """Only shape, type, NaN and infinity are judged."""


def difference_in_kind(expected: np.ndarray, actual: np.ndarray) -> str:
    """Return what is wrong whatever the values are, "" if nothing is."""
    if expected.shape != actual.shape:
        return f"FAILED: shape {actual.shape} where the source has {expected.shape}"
    if expected.dtype != actual.dtype and not (expected.dtype.kind in "US" and actual.dtype.kind in "US"):
        return f"FAILED: {actual.dtype} where the source has {expected.dtype}"
    return ""


def comparable(expected: np.ndarray, actual: np.ndarray) -> bool:
    """Whether values can be compared: the shapes are equal, and so are the types, or both are floating."""
    floating = not {expected.dtype.kind, actual.dtype.kind} & set("biuUS")
    return expected.shape == actual.shape and (floating or not difference_in_kind(expected, actual))
