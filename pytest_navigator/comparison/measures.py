"""How far two arrays are apart: one pass over blocks that stay in the processor's cache."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pytest_navigator.comparison.edge import Edge
    from pytest_navigator.comparison.tolerances import Rule

    Array = NDArray[Any]
    Floats = NDArray[np.float64]

BLOCK = 1 << 15  # Elements that are looked at together: a few float64 temporaries of this size fit in a core's cache
SAMPLE = 4096  # Magnitudes that are kept of one array for telling the output's scale
SHIFT = 18  # Bits that a float32 loses to become the number of its bin: bins are 3 % wide

BINS = 1 << 31 - SHIFT

SMALL = 1e-3  # Part of the largest element below which nobody looks for digits

# Units in the last place that two ways of computing may differ by; rounding to a smaller type changes far more.
LAST_BITS = 16

STEPS = 50  # Standard deviations up to which a tolerance is searched


@dataclass
class Measure:
    """What one pass over a pair of arrays finds.

    Attributes:
        atol: largest absolute difference, inf where only one of the two is finite; where: its flat index.
        rtol: largest difference relative to the expected value (0/0 = 0, x/0 = inf).
        largest: largest finite expected magnitude.
        excess: largest difference that is left after the rule's rtol; what an atol would have to be.
        beyond: the same after what rounding explains.
        mismatched: elements that break the rule, for the rules that can tell at once.
        bins: number of elements by size of their excess, for the rule that cannot.
    """

    atol: float = 0.0
    where: int = 0
    rtol: float = 0.0
    largest: float = 0.0
    excess: float = 0.0
    beyond: float = 0.0
    mismatched: int = 0
    bins: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))


@dataclass(frozen=True)
class Spread:
    """How one pair's differences are spread.

    Attributes:
        mean, std: of the absolute differences.
        rtols: for every k, the largest relative difference of the elements that are k std or more above the mean.
    """

    mean: float
    std: float
    rtols: Floats


def measure(expected: Array, actual: Array, rule: Rule, edge: Edge | None = None) -> Measure:
    """Compare two arrays of one shape and kind.

    Args:
        edge: what is kept of all differences is added to it.
    """
    # Overflow, 0/0 and NaN are what is looked for here: a warning says nothing new.
    result = Measure()
    with np.errstate(all="ignore"):
        for start, difference, magnitude in blocks(expected, actual):
            result.largest = max(result.largest, float(magnitude.max()))
            worst = float(difference.max())
            if worst > 0:
                _account(result, rule, start, worst, difference, magnitude, edge)
    return result


def _account(
    result: Measure,
    rule: Rule,
    start: int,
    worst: float,
    difference: Floats,
    magnitude: Floats,
    edge: Edge | None,
) -> None:
    if worst > result.atol:
        result.atol, result.where = worst, start + int(difference.argmax())
    # fmax leaves out 0/0, which is no difference; x/0 is infinite, and stays.
    relative = float(np.fmax.reduce(difference / magnitude))
    result.rtol = max(result.rtol, relative)
    if edge is not None:
        edge.add(difference, magnitude, relative)
    if rule.kind in ("equal", "share"):
        result.mismatched += int(np.count_nonzero(difference))
    if rule.kind in ("close", "scaled"):
        allowed = magnitude * rule.rtol
        left = difference - allowed
        result.excess = max(result.excess, float(left.max()))
        result.beyond = max(result.beyond, float((difference - magnitude * rule.explained).max()))
        if rule.kind == "close":
            result.mismatched += int(np.count_nonzero(difference > rule.atol + allowed))
        elif float(left.max()) > 0:
            result.bins = added(result.bins, np.bincount(_bin(left[left > 0]), minlength=BINS))


def added(bins: NDArray[np.int64], more: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the sum of two counts, of which one or both may be empty yet."""
    return bins + more if bins.size and more.size else bins if bins.size else more


def above(bins: NDArray[np.int64], limit: float) -> int:
    """Return how many of the binned differences are larger than `limit`, to the width of a bin."""
    with np.errstate(over="ignore"):
        first = int(_bin(np.array([limit]))[0])
    return int(bins[first + 1 :].sum())


def _bin(values: Floats) -> NDArray[np.int32]:
    # Positive floats sort like their bits; the upper ones are a logarithmic scale.
    return values.astype(np.float32).view(np.int32) >> SHIFT


def magnitudes(expected: Array) -> Floats:
    """Return distinct magnitudes of (a sample of) the array's elements, without zeros, NaN and infinities.

    Distinct, so that a constant that masks most elements (-1e9, the type's minimum) is one value among many. The sample
    is drawn at random from a fixed seed: a stride could meet one channel only.
    """
    values = np.unique(np.abs(_wide(sampled(expected))))
    return np.asarray(values[np.isfinite(values) & (values > 0)], np.float64)


def sampled(array: Array) -> Array:
    """Return the elements of an array, or as many of a large one as are looked at."""
    flat = array.reshape(-1)
    return flat if flat.size <= SAMPLE else flat[np.random.default_rng(0).integers(0, flat.size, SAMPLE)]


def lost(expected: Array, actual: Array, dtype: str) -> tuple[int, int]:
    """Return how many elements have lost the digits that a type does not have, and how many have kept them.

    Differences of the last bits do not count, nor do elements that are small beside the largest.
    """
    left, right = sampled(expected), sampled(actual)
    with np.errstate(all="ignore"):
        longer = np.isfinite(left) & (left != _shortened(left, dtype))
        longer &= np.abs(left) > SMALL * np.abs(left[longer]).max(initial=0.0)
        short = right == _shortened(right, dtype)
        moved = np.abs(left - right) > LAST_BITS * np.finfo(left.dtype).eps * np.abs(left)
    return int(np.count_nonzero(longer & short & moved)), int(np.count_nonzero(longer & ~(short & moved)))


def _shortened(array: Array, dtype: str) -> Array:
    if dtype == "bfloat16":  # the upper half of a float32
        bits: Array = array.astype(np.float32).view(np.uint32) & np.uint32(0xFFFF0000)
        return bits.view(np.float32)
    return array.astype(dtype).astype(array.dtype)


def scale(samples: list[Floats], largest: float) -> float:
    """Return the size of an output's typical value, over all its comparisons.

    The median of the distinct magnitudes, which neither a huge element nor a mask moves; but no less than the largest
    magnitude or 1, whichever is smaller, so that probabilities are judged as such however many are near 0. An output
    that is 0 everywhere has the scale 1.
    """
    values = np.unique(np.concatenate(samples)) if samples else np.zeros(0)
    if not values.size:
        return 1.0
    return max(float(np.median(values)), min(largest, 1.0))


def spread(expected: Array, actual: Array) -> Spread:
    """Return how the differences are spread. Two passes: for failures only."""
    with np.errstate(all="ignore"):
        sums = [(float(d.sum()), float(np.dot(d, d))) for _, d, _ in blocks(expected, actual)]
        mean = sum(first for first, _ in sums) / expected.size
        std = max(sum(second for _, second in sums) / expected.size - mean * mean, 0.0) ** 0.5
        std = std if math.isfinite(std) else 0.0  # the squares of differences above 1e154 are no float64
        rtols = np.full(STEPS, 1e-5)
        for _, difference, magnitude in blocks(expected, actual):
            _add_rtols(rtols, difference, magnitude, mean, std)
    return Spread(mean, std, np.maximum.accumulate(rtols[::-1])[::-1])


def _add_rtols(rtols: Floats, difference: Floats, magnitude: Floats, mean: float, std: float) -> None:
    chosen = difference >= mean
    steps = (difference[chosen] - mean) / std if std else np.full(np.count_nonzero(chosen), STEPS)
    relative = np.nan_to_num(difference[chosen] / magnitude[chosen], nan=0.0, posinf=np.inf)
    np.maximum.at(rtols, np.clip(steps, 0, STEPS - 1).astype(np.intp), relative)


def cosine(expected: Array, actual: Array) -> float:
    """Return the cosine of the two arrays as vectors; of two that are 0 everywhere 1, of one such 0.

    Elements that are not finite in both do not count here: they fail, or are equal, under every rule.
    """
    dot = left = right = 0.0
    for part, other in zip(_chunks(expected), _chunks(actual), strict=True):
        x, y = _wide(part).view(np.float64), _wide(other).view(np.float64)
        finite = np.isfinite(x) & np.isfinite(y)
        x, y = x[finite], y[finite]
        dot, left, right = dot + float(x @ y), left + float(x @ x), right + float(y @ y)
    if not left or not right:
        return float(left == right)
    value = dot / left**0.5 / right**0.5
    # Rounding leaves two equal vectors a little short of 1, and cosine(1.0) has to pass them.
    return 1.0 if value > 1 - 1e-12 else value


def blocks(expected: Array, actual: Array) -> Iterator[tuple[int, Floats, Floats]]:
    """Yield (start, absolute difference, magnitude of expected), block by block of the flattened arrays.

    NaN beside NaN and infinity beside the same infinity differ by 0; any other pair with one of them by infinity.
    """
    for number, (left, right) in enumerate(zip(_chunks(expected), _chunks(actual), strict=True)):
        difference, magnitude = distance(left, right)
        yield number * BLOCK, difference, magnitude


def _chunks(array: Array) -> Iterator[Array]:
    flat = array.reshape(-1)
    return (flat[start : start + BLOCK] for start in range(0, flat.size, BLOCK))


def distance(expected: Array, actual: Array) -> tuple[Floats, Floats]:
    """Return the absolute differences, and the magnitudes of what is expected; of text 1 for what differs."""
    if is_text(expected.dtype):
        return _text_distance(expected, actual)
    return (_integer_distance if is_exact(expected.dtype) else _float_distance)(expected, actual)


def _float_distance(expected: Array, actual: Array) -> tuple[Floats, Floats]:
    wide = _wide(expected)
    difference = np.abs(np.subtract(wide, _wide(actual)))
    magnitude = np.abs(wide)
    # Only then: the masks cost more than all the rest.
    if not np.isfinite(difference.max()):
        same = (expected == actual) | (np.isnan(expected) & np.isnan(actual))
        difference = np.where(same, 0.0, np.where(np.isfinite(difference), difference, np.inf))
        magnitude = np.where(np.isfinite(magnitude), magnitude, 0.0)
    return difference, magnitude


def _integer_distance(expected: Array, actual: Array) -> tuple[Floats, Floats]:
    left, right = _integer(expected), _integer(actual)
    unsigned = f"u{left.dtype.itemsize}"
    # The difference of two's complements, as unsigned, is exact even from the smallest int64 to the largest.
    difference = np.maximum(left, right).view(unsigned) - np.minimum(left, right).view(unsigned)
    return difference.astype(np.float64), np.abs(left.astype(np.float64))


def _text_distance(expected: Array, actual: Array) -> tuple[Floats, Floats]:
    unequal = expected.astype(object) != actual.astype(object)
    return unequal.astype(np.float64), np.ones(expected.shape)


def _integer(array: Array) -> Array:
    return array.astype(array.dtype.newbyteorder("=") if array.dtype.kind in "iu" else np.int8, copy=False)


def _wide(array: Array) -> Array:
    return array.astype(np.complex128 if array.dtype.kind == "c" else np.float64)


def is_text(dtype: np.dtype[Any]) -> bool:
    """Whether elements are strings (or objects), which differ or do not."""
    return dtype.kind in "USOT"


def is_exact(dtype: np.dtype[Any]) -> bool:
    """Whether elements are integers or booleans, those of ml_dtypes included."""
    return dtype.kind in "biu" or dtype.name.startswith(("int", "uint"))
