"""A format that is loaded, as it stands in the place of a graph of a module."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pytest_navigator.pipelines.aliases import Alias
    from pytest_navigator.pipelines.registry import Forward

Range = tuple[int, int]
Span = tuple[float, float]


@dataclass(frozen=True)
class LoadedGraph:
    """A format that is loaded.

    Attributes:
        run: called like the module, gives its structure: a `PackageRunner`, or a `RunnerProxy` of a run.
        varied: where numbers are tensors, see `Graph.varied`.
        names: of the inputs, in the order of the call's arrays: `run` is called with the arrays alone, by these. Empty:
            those of its signature, or with the whole call if it does not tell one.
        sizes: for each array of the call the smallest and the largest size of each axis that was recorded; a call
            beyond them runs the module itself. Empty: any size.
        numbers: for each number that varied the least and the most that was recorded; as `sizes`.
        aliases: see `RecordedCall.aliases`.
    """

    run: Forward
    varied: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    sizes: tuple[tuple[Range, ...], ...] = ()
    aliases: tuple[Alias, ...] = ()
    numbers: tuple[Span, ...] = ()


class RecordedCalls(Protocol):
    """What is known of the calls that a format stands for: of a `Graph`, a `GraphRecord`, a `Choice`."""

    @property
    def varied(self) -> tuple[str, ...]:
        """See `LoadedGraph`, as for the others."""

    @property
    def sizes(self) -> tuple[tuple[Range, ...], ...]:
        """Empty: any size."""

    @property
    def aliases(self) -> tuple[Alias, ...]:
        """Those of every call."""

    @property
    def numbers(self) -> tuple[Span, ...]:
        """Empty: any number."""


def loaded_graph(calls: RecordedCalls, run: Forward) -> LoadedGraph:
    """Return what stands in the place of a module in these calls where `run` is its format."""
    return LoadedGraph(run, calls.varied, sizes=calls.sizes, aliases=calls.aliases, numbers=calls.numbers)
