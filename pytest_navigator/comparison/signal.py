"""How much of an output is noise: the ratio of signal to noise, and the cosine, which only very few bits need."""

from __future__ import annotations

import math

import numpy as np

LEVEL = 0.01  # Part of an output's mean power below which the direction of a comparison alone tells nothing


class Signal:
    """Adds up the powers of one output and of its differences, over all comparisons.

    Elements that are not finite in both do not count here: they fail, or are equal, under every rule.
    """

    def __init__(self) -> None:
        self.powers: list[tuple[float, float, float, float, int]] = []

    def add(self, expected: np.ndarray, actual: np.ndarray) -> None:
        """Add one comparison, of two arrays of one shape."""
        kind = np.complex128 if "c" in (expected.dtype.kind, actual.dtype.kind) else np.float64
        x, y = (np.ravel(array).astype(kind).view(np.float64) for array in (expected, actual))
        finite = np.isfinite(x) & np.isfinite(y)
        if not finite.all():
            x, y = x[finite], y[finite]
        if x.size:
            noise = x - y
            self.powers.append((float(x @ x), float(noise @ noise), float(y @ y), float(x @ y), x.size))

    def snr(self) -> float:
        """Return 10 log10(signal / noise) over all comparisons, in dB; inf where nothing differs.

        An output that is 0 everywhere counts as if it were 1 everywhere: nothing tells how large it could be.
        """
        signal, noise = (sum(each[i] for each in self.powers) for i in (0, 1))
        signal = signal or float(sum(each[4] for each in self.powers))
        if not noise or signal == math.inf:
            return math.inf if math.isfinite(noise) else -math.inf
        return 10 * (math.log10(signal) - math.log10(noise)) if math.isfinite(noise) else -math.inf

    def cosine(self) -> float:
        """Return the lowest cosine of a comparison.

        Those of one element, whose cosine is its sign alone, are one vector together; those that are small beside the
        others (below 1 % of the mean power) do not count, since noise gives them any direction.
        """
        signal, size = (sum(each[i] for each in self.powers) for i in (0, 4))
        level = LEVEL * signal / size if size else 0.0
        several = [each for each in self.powers if each[4] > 1 and each[0] > level * each[4]]
        single = [each for each in self.powers if each[4] == 1]
        together = [tuple(map(sum, zip(*single, strict=True)))] if len(single) > 1 else []
        found = [self._cosine(*map(float, each[:4])) for each in (*several, *together)]
        return min(found, default=1.0)

    @staticmethod
    def _cosine(left: float, noise: float, right: float, dot: float) -> float:
        if not noise or not left:
            return 1.0
        if not right:
            return 0.0
        # Rounding leaves two equal vectors a little short of 1, or beyond.
        value = dot / left**0.5 / right**0.5
        return 1.0 if value > 1 - 1e-12 else max(value, -1.0)
