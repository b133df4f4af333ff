"""`--nav-batch-sizes=auto[:MAX]`: what is searched instead of sizes that somebody names (pure)."""

from __future__ import annotations

from argparse import ArgumentTypeError
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

AUTO = "auto"
WRITE = "write auto, or auto:64 for 64 rows at most"

MOST = 2**30  # Rows, where nobody has set a largest size: Model Navigator's


@dataclass(frozen=True)
class Search:
    """How the batch sizes that are worth measuring are found: powers of two, until nothing is gained.

    Attributes:
        largest: the last size, whether it is a power of two or not; None: nobody has set one.
        threshold: gain of throughput over the best so far below which a size counts as saturated; None: never.
        backoff: how many saturated sizes in a row are tried before the search ends.
        latency_budget: ms that the median call may take; None: any.
        seconds: limit of the whole search.
    """

    largest: int | None = None
    threshold: float | None = 0.05
    backoff: int = 2
    latency_budget: float | None = None
    seconds: float = 10.0

    def sizes(self) -> Iterator[int]:
        """Return the sizes to try, in order."""
        size, most = 1, self.largest or MOST
        while size < most:
            yield size
            size *= 2
        yield most

    def saturated(self, throughputs: Sequence[float]) -> bool:
        """Whether the search is over after these throughputs of the sizes so far, in order."""
        if self.threshold is None:
            return False
        best, in_a_row = 0.0, 0
        for throughput in throughputs:
            # One that gains little may be followed by one that gains much: a tile of the processor is full again.
            in_a_row = in_a_row + 1 if throughput < best * (1 + self.threshold) else 0
            best = max(best, throughput)
        return in_a_row > 0 and in_a_row >= self.backoff


def largest_of(said: str) -> int | None:
    """Return the MAX of `auto:MAX`; None for `auto`."""
    _, limited, largest = said.partition(":")
    return int(largest) if limited else None


def parse_auto(text: str) -> str:
    """Parse `auto` and `auto:64`.

    Raises:
        ArgumentTypeError: it is neither.
    """
    word, limited, largest = text.strip().partition(":")
    if word.strip() != AUTO or "," in text:
        raise ArgumentTypeError(f"{text!r}: {AUTO} searches the batch sizes, and stands alone; {WRITE}")
    if not limited:
        return AUTO
    if not largest.strip().isascii() or not largest.strip().isdigit() or not 0 < int(largest) <= MOST:
        raise ArgumentTypeError(f"{text!r}: {largest!r} is not a largest batch size (1 to {MOST}); {WRITE}")
    return f"{AUTO}:{int(largest)}"
