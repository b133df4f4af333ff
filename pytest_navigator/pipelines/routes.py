"""Where a call goes, decided once for all calls of its kind: what a call costs beside the format is this."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from pytest_navigator.pipelines.structures import NUMBERS, leaves, tensor_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from inspect import Signature

    from pytest_navigator.pipelines.loaded_graph import LoadedGraph
    from pytest_navigator.samples.structure import Call

    Kind = tuple[Any, ...]

MOST_KINDS = 512
MOST_OF_ONE = 32
"""Routes of calls that differ by their numbers alone."""


class Unplain(Exception):
    """A call with something else than tensors, constants, lists, tuples and dicts."""


@dataclass(frozen=True)
class Route:
    """Where calls of one kind go.

    Attributes:
        graph: what runs them; None: the module itself. reason: why that.
        picks: which of the tensors and numbers of a call are the inputs of the format, in their order.
        numbers: which of these are numbers, to be made tensors of.
        fixed: numbers that calls of this kind have in common: (which of the tensors and numbers, the number).
        spans: numbers that vary: (which of the tensors and numbers, the least, the most of it).
    """

    graph: LoadedGraph | None
    reason: str = ""
    picks: tuple[int, ...] = ()
    numbers: tuple[int, ...] = ()
    fixed: tuple[tuple[int, float], ...] = ()
    spans: tuple[tuple[int, float, float], ...] = ()

    def fits(self, found: Sequence[Any]) -> bool:
        """Whether the numbers of a call are those of this route."""
        for i, number in self.fixed:
            if found[i] != number:
                return False
        for i, least, most in self.spans:  # noqa: SIM110 (it costs)
            if not least <= found[i] <= most:
                return False
        return True

    def inputs(self, found: Sequence[Any]) -> list[Any]:
        """Return the inputs of the format in a call's tensors and numbers."""
        inputs = [found[i] for i in self.picks]
        for i in self.numbers:
            inputs[i] = tensor_of(inputs[i])
        return inputs


class Routes:
    """The routes that are known; several threads may ask."""

    def __init__(self, signature: Signature) -> None:
        self._signature = signature
        self._known: dict[Kind, list[Route]] = {}
        self._orders: dict[Kind, tuple[tuple[int, ...], tuple[float, ...]]] = {}

    def kind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Kind, list[Any]]:
        """Return what calls of one kind have in common, and the tensors and numbers, in the order of a bound call.

        Raises:
            Unplain: it has something in it that is looked at for itself.
            TypeError: as the call itself would.
        """
        pattern = (len(args), *kwargs)
        order, defaults = self._orders.get(pattern) or self._ordered(pattern, len(args), list(kwargs))
        values = (*args, *kwargs.values(), *defaults)
        found: list[Any] = []
        kind_of = _kinds()
        return (pattern, *[kind_of(values[i], found) for i in order]), found

    def of(self, kind: Kind, found: Sequence[Any]) -> Route | None:
        """Return the route of a call, None if it was not decided yet."""
        for route in self._known.get(kind, ()):
            if route.fits(found):
                return route
        return None

    def keep(self, kind: Kind, found: Sequence[Any], call: Call, graph: LoadedGraph | None, reason: str) -> None:
        """Keep what was decided of a call, for those of its kind."""
        if len(self._known) >= MOST_KINDS:
            self._known.clear()
        route = _route(found, call, graph, reason)
        if route is not None and len(known := self._known.setdefault(kind, [])) < MOST_OF_ONE:
            known.append(route)

    def _ordered(self, pattern: Kind, count: int, names: Sequence[str]) -> tuple[tuple[int, ...], tuple[float, ...]]:
        """Return the order of a bound call's values, as `calls.bound` has it, and the numbers left at their default."""
        given = self._signature.bind(*range(count), **{name: count + i for i, name in enumerate(names)}).arguments
        spread = any(isinstance(mark, tuple) for mark in given.values())
        order: list[int] = []
        defaults: list[float] = []
        for name, parameter in self._signature.parameters.items():
            mark = given.get(name)
            if mark is not None:
                order += mark.values() if isinstance(mark, dict) else mark if isinstance(mark, tuple) else [mark]
            elif type(parameter.default) in NUMBERS and not spread:
                order.append(count + len(names) + len(defaults))
                defaults.append(parameter.default)
        return self._orders.setdefault(pattern, (tuple(order), tuple(defaults)))


def _route(found: Sequence[Any], call: Call, graph: LoadedGraph | None, reason: str) -> Route | None:
    numbers = {i: value for i, value in enumerate(found) if type(value) in NUMBERS}
    if graph is None:
        return Route(None, reason, fixed=tuple(numbers.items()))
    known = list(leaves(call))
    if len(known) != len(found) or not graph.names:
        return None  # what runs takes no names
    picks = [i for i, (place, _) in enumerate(known) if i not in numbers or place in graph.varied]
    if len(picks) != len(graph.names):
        return None
    made = tuple(at for at, i in enumerate(picks) if i in numbers)
    fixed = tuple((i, number) for i, number in numbers.items() if i not in picks)
    spans = dict(zip(graph.varied, graph.numbers))  # noqa: B905 (none if they are not known)
    beyond = tuple((i, *spans[place]) for i, (place, _) in enumerate(known) if i in numbers and place in spans)
    return Route(graph, "", tuple(picks), made, fixed, beyond)


@cache
def _kinds() -> Callable[[Any, list[Any]], Any]:
    """Return what tells the kind of a value, and collects the tensors and numbers in it."""
    import torch

    tensor, enabled, constants = torch.Tensor, torch.is_grad_enabled, (type(None), bool, str)

    def kind_of(value: Any, found: list[Any]) -> Any:
        kind = type(value)
        if kind is tensor:
            found.append(value)
            return value.dtype, value.shape, value.device, value.requires_grad and enabled()
        if kind in NUMBERS:
            found.append(value)
            return kind
        if kind in constants:
            return value
        if kind is tuple or kind is list:
            return (kind, *[kind_of(part, found) for part in value])
        if kind is dict:
            return (kind, *value, *[kind_of(part, found) for part in value.values()])
        raise Unplain

    return kind_of
