"""What stands in the place of `forward`: each call goes to the format of its structure, or to the module itself."""

from __future__ import annotations

import threading
import warnings
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_navigator.core.warned import warn
from pytest_navigator.isolation.causes import error_line
from pytest_navigator.pipelines.aliases import restored, with_arrays_of
from pytest_navigator.pipelines.calls import ENDLESS, bound, call_of
from pytest_navigator.pipelines.refusals import AUTOCAST, autocasting, compiling
from pytest_navigator.pipelines.registry import StandIn
from pytest_navigator.pipelines.routes import Routes, Unplain
from pytest_navigator.pipelines.spelling import Spelt
from pytest_navigator.pipelines.structures import arrays, numbers, structure_of, tensor_of, with_arrays
from pytest_navigator.pipelines.weights import OTHER_HOOKS, OTHER_SETTINGS, OTHER_WEIGHTS, PART_IN_TRAINING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import torch

    from pytest_navigator.pipelines.loaded_graph import LoadedGraph, Range
    from pytest_navigator.pipelines.registry import Wrapped
    from pytest_navigator.pipelines.weights import Weights
    from pytest_navigator.samples.structure import Call

MOST_REASONS = 50
OTHERS = "other reasons"
UNSEEN = "a structure that was not recorded"
TRAINING = "the module is in training mode"
GRADIENTS = "an argument needs gradients, which no format computes"
TRACING = "torch traces it, and would keep the values of a format"
FAILED = "the format failed"
STATES = (TRAINING, PART_IN_TRAINING, OTHER_WEIGHTS, OTHER_SETTINGS, OTHER_HOOKS, AUTOCAST, TRACING, ENDLESS)
"""Reasons that do not depend on what the module is called with."""


class Swapped(StandIn):
    """The `forward` of a module whose graphs have formats. Several threads may call it.

    Attributes:
        graphs: digest of a structure -> what runs it.
        eager: why calls ran the module itself -> how many; each reason is warned of once (UserWarning).
        calls: how many there were, the eager ones too; threads that call at the same time may be counted as one.
        strict: whether what a format raises goes through, instead of running the module itself.
    """

    def __init__(
        self,
        wrapped: Wrapped,
        graphs: Mapping[str, LoadedGraph],
        *,
        strict: bool = False,
        weights: Weights | None = None,
    ) -> None:
        """Args: `weights`: asked in each call whether the module is still that of the formats; None: nobody is."""
        super().__init__(wrapped)
        self.graphs = {structure: _named(graph) for structure, graph in graphs.items()}
        self.strict = strict
        self.eager: Counter[str] = Counter()
        self.calls = 0
        self._lock = threading.Lock()
        self._weights = weights
        self._options = wrapped.options
        self._signature = wrapped.signature
        self._routes = Routes(self._signature)
        self._surroundings = _surroundings(self._module)
        self._compiling = compiling()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run one inference; a structure or size that no format knows runs the module itself."""
        if self.closed or self._compiling():  # or compiled: what is counted or warned of here would be a part of it
            return self._original(*args, **kwargs)
        self.calls += 1
        if reason := self._state():
            return self._eagerly(reason, args, kwargs)
        try:
            graph, given, reason = self._found(args, kwargs)
        except TypeError:  # it says itself what it is called wrongly with
            return self._original(*args, **kwargs)
        except RecursionError:
            return self._eagerly(ENDLESS, args, kwargs)
        if graph is None:
            return self._eagerly(reason, args, kwargs)
        try:
            output = _run(graph, given)
        except Exception as error:
            if self.strict:
                raise
            return self._eagerly(FAILED, args, kwargs, error_line(error))
        mapping = self._options.output_mapping
        return output if mapping is None else mapping(output)

    def _state(self) -> str:
        """Return why no format runs now, whatever the call is; "" if nothing keeps one from it."""
        if self._module.training:
            return TRAINING
        if self._weights is not None and (problem := self._weights.problem()):
            return problem
        return self._surroundings()

    def _found(
        self, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> tuple[LoadedGraph | None, Call | list[Any], str]:
        """Return what runs a call, and what it is given: the inputs alone, or the call; or why nothing runs it."""
        if self._options.input_mapping is not None:
            return self._graph(call_of(self.wrapped, args, kwargs, self._signature))
        try:
            kind, found = self._routes.kind(args, kwargs)
        except Unplain:
            return self._graph(call_of(self.wrapped, args, kwargs, self._signature))
        route = self._routes.of(kind, found)
        if route is not None:
            return route.graph, route.inputs(found) if route.graph else found, route.reason
        call = call_of(self.wrapped, args, kwargs, self._signature)
        graph, given, reason = self._graph(call)
        self._routes.keep(kind, found, call, graph, reason)
        return graph, given, reason

    def _graph(self, call: Call) -> tuple[LoadedGraph | None, Call, str]:
        import torch

        reason = UNSEEN
        if torch.is_grad_enabled() and any(_needs_gradients(array) for _, array in arrays(call)):
            return None, call, GRADIENTS
        names = list(self._signature.parameters)
        for structure, graph in self.graphs.items():
            beyond = _beyond(call, graph, names)
            given = with_arrays(call, graph.varied, _blank if beyond else tensor_of)
            if structure_of(given) == structure:
                reason = beyond or _problem(given, graph.sizes, names)
                if not reason:
                    return graph, given, ""
        return None, call, reason

    def _eagerly(self, reason: str, args: Sequence[Any], kwargs: Mapping[str, Any], more: str = "") -> Any:
        with self._lock:
            if reason not in self.eager and len(self.eager) >= MOST_REASONS:
                reason = OTHERS
            self.eager[reason] += 1
            first = self.eager[reason] == 1
        if first:
            more = more or (self._spelt(args, kwargs) if reason not in STATES else "")
            said = f"{self.wrapped.name} ran eagerly: {reason}{more and f': {more}'}"
            warn(said)
        return self._original(*args, **kwargs)

    def _spelt(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        """Return how the module is called, as people read it."""
        try:
            return Spelt.of(self._signature, bound(self._signature, args, kwargs)).text
        except RecursionError:
            return ""


@contextmanager
def swapping(
    graphs: Mapping[Wrapped, Mapping[str, LoadedGraph]], *, strict: bool = False
) -> Iterator[dict[str, Swapped]]:
    """Let modules run formats until the block ends; gives what stands in the place of each `forward`, by name.

    Args:
        graphs: module -> digest of a structure -> what runs it. A module without any stays as it is.
        strict: let through what a format raises.
    """
    with ExitStack() as stack:
        found = {each.name: Swapped(each, known, strict=strict) for each, known in graphs.items() if known}
        for swapped in found.values():
            stack.enter_context(swapped.wrapped.standing_in(swapped))
        yield found


def idle(swapped: Swapped) -> str:
    """Return why no call of a module ran a format, "" if one did, or there was none."""
    if not swapped.calls or swapped.eager.total() < swapped.calls:
        return ""
    return f"none of its calls in the pipeline ran the format: {swapped.eager.most_common(1)[0][0]}"


def none_ran(swapped: Mapping[str, Swapped]) -> str:
    """Return why no call of any module ran a format, "" if one did: the pipeline was then seen without any."""
    if any(each.eager.total() < each.calls for each in swapped.values()):
        return ""
    why = [f"{name}: {idle(each) or 'it was not called'}" for name, each in swapped.items()]
    return f"no format ran in the pipeline: {'; '.join(why)}"


@contextmanager
def quietly() -> Iterator[None]:
    """Warn of no call that runs eagerly: a check of a pipeline, in which some may, is no use of it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* ran eagerly: ", UserWarning)
        yield


def _named(graph: LoadedGraph) -> LoadedGraph:
    signature = getattr(graph.run, "signature", None)
    if graph.names or signature is None:
        return graph
    return replace(graph, names=tuple(spec.name for spec in signature.inputs))


def _run(graph: LoadedGraph, given: Call | list[Any]) -> Any:
    inputs = given if isinstance(given, list) else [array for _, array in arrays(given)]
    if graph.names and len(graph.names) == len(inputs):
        output = graph.run(**dict(zip(graph.names, inputs)))  # noqa: B905 (as many; it costs)
    else:
        assert not isinstance(given, list)
        output = graph.run(*given.args, **given.kwargs)
    if inputs and getattr(inputs[0], "is_cpu", True) is False:
        output = with_arrays_of(output, (array.to(inputs[0].device) for _, array in arrays(output)))
    return restored(graph.aliases, inputs, output) if graph.aliases else output


def _needs_gradients(array: object) -> bool:
    return bool(getattr(array, "requires_grad", False))


def _surroundings(module: torch.nn.Module) -> Callable[[], str]:
    """Return what tells whether a call is one that formats were made for, by what torch is told outside of it."""
    import torch

    tracing, autocast = torch.jit.is_tracing, autocasting(module)

    def surroundings() -> str:
        if autocast():
            return AUTOCAST
        return TRACING if tracing() else ""

    return surroundings


def _problem(call: Call, sizes: Sequence[Sequence[Range]], names: Sequence[str]) -> str:
    """Return which size of a call was not recorded, "" if all were."""
    for (place, array), known in zip(arrays(call), sizes, strict=False):
        for axis, (size, (least, most)) in enumerate(zip(array.shape, known, strict=False)):
            if not least <= size <= most:
                was = str(least) if least == most else f"{least} to {most}"
                return f"axis {axis} of {_argument(place, names)!r} is not {was}, as it was recorded"
    return ""


def _beyond(call: Call, graph: LoadedGraph, names: Sequence[str]) -> str:
    """Return which number of a call is beyond those that were recorded, "" if none is."""
    if not graph.numbers:
        return ""
    given = dict(numbers(call))
    for place, (least, most) in zip(graph.varied, graph.numbers, strict=True):
        if place in given and not least <= given[place] <= most:
            return f"the number {_argument(place, names)!r} is not {least:g} to {most:g}, as it was recorded"
    return ""


def _blank(number: float) -> object:
    return tensor_of(type(number)())  # one of its type: itself may be too large for a tensor


def _argument(place: str, names: Sequence[str]) -> str:
    """Return a place in a call as people know it: "0.hidden" is "x.hidden"."""
    first, _, rest = place.partition(".")
    name = names[int(first)] if first.isdigit() and int(first) < len(names) else first
    return f"{name}.{rest}" if rest else name
