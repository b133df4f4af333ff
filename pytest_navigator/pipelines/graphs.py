"""Recorded calls of a module -> its graphs: one for each structure, with what its samples and settings are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_navigator.pipelines.batch_axis import Batch, batch_of
from pytest_navigator.pipelines.structures import arrays, form_of, numbers, structure_of, with_arrays

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_navigator.pipelines.aliases import Alias
    from pytest_navigator.pipelines.calls import RecordedCall
    from pytest_navigator.pipelines.loaded_graph import Range, Span
    from pytest_navigator.pipelines.registry import Wrapped
    from pytest_navigator.pipelines.structures import Form

MOST_GRAPHS = 4
"""Structures of one module that get formats; the rarer ones run eagerly."""


@dataclass(frozen=True)
class Graph:
    """The calls of one module that have one structure: what formats are made of, and checked on.

    Attributes:
        name: of the module, with the number of the structure after the first: "unet", "unet.2".
        key: digest of the structure; numbers that vary are tensors in it.
        calls: with tensors in the place of numbers that varied from call to call.
        varied: where those numbers are, as a path below the call ("timestep").
        unbatched: names of the inputs without a batch axis.
        rows: how many rows the module has for each of the pipeline's batch: 2 for classifier-free guidance. None: it
            has no batch axis that the calls show.
        refused: why no format can be made of it; "" if it can.
    """

    wrapped: Wrapped
    name: str
    key: str
    calls: tuple[RecordedCall, ...]
    varied: tuple[str, ...] = ()
    unbatched: tuple[str, ...] = ()
    rows: int | None = None
    refused: str = ""

    @property
    def sizes(self) -> tuple[tuple[Range, ...], ...]:
        """For each array of the calls the smallest and the largest size of each axis."""
        shapes = [[tuple(array.shape) for _, array in arrays(each.call)] for each in self.calls]
        return tuple(
            tuple((min(sizes), max(sizes)) for sizes in zip(*own, strict=True)) for own in zip(*shapes, strict=True)
        )

    @property
    def numbers(self) -> tuple[Span, ...]:
        """For each number that varied the least and the most of it."""
        found = [dict(arrays(each.call)) for each in self.calls]
        values = [[float(own[place].item()) for own in found] for place in self.varied]
        return tuple((min(own), max(own)) for own in values)

    @property
    def aliases(self) -> tuple[Alias, ...]:
        """Which arrays of the output are another array, in every call."""
        first, *others = (each.aliases for each in self.calls)
        return tuple(alias for alias in first if all(alias in each for each in others))

    @property
    def batch_dim(self) -> int | None:
        """The batch axis, as `NavConfig.batch_dim` has it."""
        return None if self.rows is None else 0


def graphs_of(
    wrapped: Wrapped,
    calls: Sequence[RecordedCall],
    *,
    batching: bool | None = None,
    input_names: Sequence[str] | None = None,
) -> list[Graph]:
    """Return the graphs of a module, the most frequent one first; those beyond `MOST_GRAPHS` are refused.

    Calls that differ by the values of numbers only are one graph, with a tensor in the place of each that varied.

    Args:
        batching: whether the inputs have a batch axis; None: as the calls show it.
        input_names: the user's names, in flattening order.

    Raises:
        ConfigError: `input_names` are not as many as the inputs.
    """
    groups: dict[Form, list[RecordedCall]] = {}
    for call in calls:
        groups.setdefault(form_of(call.call, values=False), []).append(call)
    # Calls under autocast run the module itself: formats are made of the others, where there are any.
    groups = {form: [call for call in own if not call.autocast] or own for form, own in groups.items()}
    ordered = sorted(groups.values(), key=len, reverse=True)
    found = [_graph(wrapped, i, group, batching, input_names) for i, group in enumerate(ordered, start=1)]
    return [replace(graph, refused=_too_many(len(found), i)) for i, graph in enumerate(found)]


def _too_many(count: int, i: int) -> str:
    if i < MOST_GRAPHS:
        return ""
    return f"the module is called in {count} structures: the {MOST_GRAPHS} most frequent ones get formats"


def _graph(
    wrapped: Wrapped,
    number: int,
    calls: Sequence[RecordedCall],
    batching: bool | None,
    input_names: Sequence[str] | None,
) -> Graph:
    varied = varied_places(calls)
    changed = tuple(_with_arrays(call, varied) for call in calls)
    name = wrapped.name if number == 1 else f"{wrapped.name}.{number}"
    said = wrapped.options.batching if wrapped.options.batching is not None else batching
    batch = batch_of(wrapped.signature, changed, said, input_names) if number <= MOST_GRAPHS else Batch()
    return Graph(wrapped, name, structure_of(changed[0].call), changed, varied, batch.unbatched, batch.rows)


def _with_arrays(recorded: RecordedCall, varied: Sequence[str]) -> RecordedCall:
    """Return a call with arrays in the place of numbers: the arrays after them have other numbers then."""
    call = with_arrays(recorded.call, varied)
    own = [i for i, (place, _) in enumerate(arrays(call)) if place not in varied]
    of_input = {alias: replace(alias, number=own[alias.number]) for alias in recorded.aliases if alias.of == "input"}
    return replace(recorded, call=call, aliases=tuple(of_input.get(alias, alias) for alias in recorded.aliases))


def varied_places(calls: Sequence[RecordedCall]) -> tuple[str, ...]:
    """Return the places of the numbers that are not the same in all of these calls of one structure."""
    seen: dict[str, set[str]] = {}
    for call in calls:
        for place, value in numbers(call.call):
            seen.setdefault(place, set()).add(repr(value))
    return tuple(place for place, values in seen.items() if len(values) > 1)
