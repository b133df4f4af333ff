"""Whether a module gives for a recorded call what it gave in the pipeline: only then a format can."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from pytest_navigator.comparison.correctness import Comparison, failure_line
from pytest_navigator.comparison.tolerances import resolve
from pytest_navigator.core.records import TensorSpec
from pytest_navigator.errors import SourceError
from pytest_navigator.isolation.causes import error_line
from pytest_navigator.pipelines.class_code import hooks_of
from pytest_navigator.pipelines.copies import copied
from pytest_navigator.pipelines.deciding import decisions
from pytest_navigator.pipelines.refusals import AUTOCAST
from pytest_navigator.pipelines.structures import arrays
from pytest_navigator.samples.differences import difference
from pytest_navigator.samples.npz import dtype_name
from pytest_navigator.samples.structure import flatten_call, flatten_output

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from pytest_navigator.backends.torch.source import TorchFramework
    from pytest_navigator.pipelines.calls import RecordedCall
    from pytest_navigator.pipelines.graphs import Graph
    from pytest_navigator.samples.structure import Call

REPLAYED = 4
"""Calls of a graph that are run again, at most: the first, the last, and some in between."""

HOOKED = "its part {!r} has forward hooks, which no format calls: take them off, or register them on the module itself"


def problem_of(graph: Graph) -> str:
    """Return why no format can stand in the place of the module in these calls, in one line; "" if one can.

    The module must not be swapped.
    """
    if graph.refused:
        return graph.refused
    if all(call.autocast for call in graph.calls):
        return AUTOCAST
    from pytest_navigator.backends.torch.source import TorchFramework

    framework, changed = TorchFramework(), _changed_arguments(graph.calls)
    if changed:
        return f"it changes its {changed} in place, which no format does"
    if hooked := hooks_of(graph.wrapped.module):
        return HOOKED.format(next(iter(hooked)))
    if any(call.viewed for call in graph.calls):
        return "its output is a view of an argument or a weight, which a format copies"
    try:
        flatten_call(graph.calls[0].call, (), None, framework)
        framework.source(graph.wrapped.module, {}).check()
    except SourceError as error:
        said = str(error).replace("nav_model", "the module")
        return said.replace("return model.eval()", f"call {graph.wrapped.name}.eval()")
    return _replayed(graph, framework)


def _changed_arguments(calls: Sequence[RecordedCall]) -> str:
    found = (place for call in calls for place in call.changed if place.startswith("argument"))
    return next(found, "")


def _replayed(graph: Graph, framework: TorchFramework) -> str:
    source = framework.source(graph.wrapped.module, {})
    for call in _some(graph.calls):
        try:
            own = copied(call.call)
            with source.preserved(), decisions(_numbers(own, graph)) as decided:
                output = source.call(own.args, dict(own.kwargs))
        except Exception as error:
            return f"{_how(graph)} it raises {error_line(error)}"
        if decided:
            return f"it decides by the number {_places(graph)} what runs ({decided[0]}), which no format does"
        if problem := _difference(call.output, output, framework):
            return f"{_how(graph)} it gives something else than in the pipeline{kept_between(graph.calls)}: {problem}"
    return ""


def _some(calls: Sequence[RecordedCall]) -> list[RecordedCall]:
    step = max(1, (len(calls) - 1) // (REPLAYED - 1))
    return [*calls[:-1:step][: REPLAYED - 1], calls[-1]]


def _how(graph: Graph) -> str:
    if not graph.varied:
        return "called again,"
    return f"with a tensor in the place of the number {_places(graph)},"


def _places(graph: Graph) -> str:
    return ", ".join(place_text(graph.wrapped.module, place) for place in graph.varied)


def _numbers(call: Call, graph: Graph) -> list[torch.Tensor]:
    """Return the tensors in a call that stand for numbers."""
    return [array for place, array in arrays(call) if place in graph.varied]


def place_text(module: torch.nn.Module, place: str) -> str:
    """Return a place in a call with the name of its parameter: "0.scale" -> "sample.scale"."""
    import inspect

    head, dot, rest = place.partition(".")
    with suppress(ValueError, IndexError, TypeError):
        head = list(inspect.signature(type(module).forward).parameters)[int(head) + 1]
    return f"{head}{dot}{rest}"


def kept_between(calls: Sequence[RecordedCall]) -> str:
    """Return what a module keeps between calls, as the end of a sentence; "" for nothing."""
    kept = sorted({place for call in calls for place in call.changed})
    return f", for it keeps {', '.join(kept[:3])} between calls" if kept else ""


def _difference(expected: Any, actual: Any, framework: TorchFramework) -> str:
    try:
        (tree, arrays), (other, found) = (flatten_output(value, None, framework) for value in (expected, actual))
    except SourceError as error:
        return str(error)
    if problem := difference(other, tree):
        return problem
    specs = [TensorSpec(name, array.shape, dtype_name(array.dtype)) for name, array in arrays.items()]
    comparison = Comparison(resolve(specs, variant_key="module", format_name=""))
    comparison.add(0, "batch", arrays, found)
    return failure_line(comparison.reports())
