"""How a correctness script compares: the rules of `pytest_navigator.comparison.verdicts` in plain numpy.

Scripts contain the source text of what they need from here, so nothing here may use anything but numpy. Tests hold
these classes against `pytest_navigator.comparison.correctness` on arbitrary arrays.
"""

from __future__ import annotations

import numpy as np


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
            self.slices.setdefault(index, Slice()).add(difference[at], magnitude[at], self.rtol)
        if difference.any() and expected.dtype == actual.dtype:
            for dtype, (lost, kept) in self.lost.items():
                more = lost_digits(expected, actual, dtype)
                self.lost[dtype] = (lost + more[0], kept + more[1])

    def passes(self) -> bool:
        """Whether the excess of each slice is within atol and the share of its scale, and no digits are lost."""
        near = all(part.excess <= self.atol + self.rtol * part.scale() for part in self.slices.values())
        return near and all(kept or not lost for lost, kept in self.lost.values())


class Slice:
    """What is known of the elements that have one scale."""

    def __init__(self) -> None:
        self.excess = self.largest = 0.0
        self.samples = [np.zeros(0)]

    def add(self, difference: np.ndarray, magnitude: np.ndarray, rtol: float) -> None:
        """Add up the excess over rtol, and magnitudes (of 4096 elements at random) for the scale."""
        if difference.size:
            self.excess = max(self.excess, float((difference - magnitude * rtol).max()))
            self.largest = max(self.largest, float(magnitude.max()))
            flat = sampled(magnitude)
            self.samples.append(np.unique(flat[flat > 0]))

    def scale(self) -> float:
        """Return the typical value."""
        values = np.unique(np.concatenate(self.samples))
        return max(float(np.median(values)), min(self.largest, 1.0)) if values.size else 1.0


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
        """Take the cosine of what is finite in both; of two that are 0 everywhere it is 1, of one such 0."""
        x, y = (wide(array).ravel().view(np.float64) for array in (expected, actual))
        finite = np.isfinite(x) & np.isfinite(y)
        dot, left, right = x[finite] @ y[finite], x[finite] @ x[finite], y[finite] @ y[finite]
        cosine = dot / left**0.5 / right**0.5 if left and right else float(left == right)
        self.smallest = min(self.smallest, 1.0 if cosine > 1 - 1e-12 else float(cosine))

    def passes(self) -> bool:
        """Whether the smallest cosine is large enough."""
        return self.smallest >= self.minimum


class Unchecked(Output):
    """Only shape, type, NaN and infinity are judged."""


def distance(expected: np.ndarray, actual: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return |expected - actual| and |expected|; NaN beside NaN and an infinity beside itself differ by 0."""
    if expected.dtype.kind in "US":
        return (expected != actual).astype(np.float64), np.ones(expected.shape)
    if expected.dtype.kind in "biu":
        high, low = np.maximum(expected, actual), np.minimum(expected, actual)
        # Modulo 2**64, which is exact even from the smallest int64 to the largest.
        return (high.astype(np.uint64) - low.astype(np.uint64)).astype(np.float64), np.abs(wide(expected))
    left, right = wide(expected), wide(actual)
    difference, magnitude = np.abs(left - right), np.abs(left)
    same = (left == right) | (np.isnan(left) & np.isnan(right))
    difference = np.where(same, 0.0, np.where(np.isfinite(difference), difference, np.inf))
    return difference, np.where(np.isfinite(magnitude), magnitude, 0.0)


def sampled(array: np.ndarray) -> np.ndarray:
    """Return 4096 elements of a large array at random."""
    flat = array.reshape(-1)
    return flat if flat.size <= 4096 else flat[np.random.default_rng(0).integers(0, flat.size, 4096)]


def lost_digits(expected: np.ndarray, actual: np.ndarray, dtype: str) -> tuple[int, int]:
    """Return how many elements have lost the digits that `dtype` does not have, and how many have kept them."""
    left, right = sampled(expected), sampled(actual)
    longer = np.isfinite(left) & (left != shortened(left, dtype))
    longer &= np.abs(left) > 1e-3 * np.abs(left[longer]).max(initial=0.0)
    short = right == shortened(right, dtype)
    moved = np.abs(left - right) > 16 * np.finfo(left.dtype).eps * np.abs(left)
    return int(np.count_nonzero(longer & short & moved)), int(np.count_nonzero(longer & ~(short & moved)))


def shortened(array: np.ndarray, dtype: str) -> np.ndarray:
    """Return the values as `dtype` has them."""
    if dtype == "bfloat16":  # the upper half of a float32
        bits = array.astype(np.float32).view(np.uint32)
        return (bits & np.uint32(0xFFFF0000)).view(np.float32)
    return array.astype(dtype).astype(array.dtype)


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


def wide(array: np.ndarray) -> np.ndarray:
    """Return the array in the widest type."""
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)
