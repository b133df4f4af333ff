"""Recorded calls become graphs: numbers that vary, the batch axis, and how many graphs a module has."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import pytest
import torch

import pytest_navigator as nav
from pytest_navigator.errors import ConfigError
from pytest_navigator.pipelines import registry
from pytest_navigator.pipelines.aliases import Alias
from pytest_navigator.pipelines.graphs import MOST_GRAPHS, Graph, graphs_of
from pytest_navigator.pipelines.recording import recording
from pytest_navigator.pipelines.registry import registered
from pytest_navigator.pipelines.replaying import problem_of


class Calls(torch.nn.Module):
    """Computes what it is given."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function
        self.register_buffer("seen", torch.zeros(1))

    def forward(self, x, timestep=0, more=None, *, name="a"):
        return self.function(self, x, timestep, more)


KEPT: list[torch.nn.Module] = []


def graphs(*calls, function=lambda self, x, timestep, more: x * timestep, batching=None, **options) -> list[Graph]:
    """Return the graphs of calls, each (batch size, args, kwargs)."""
    registry.forget()
    module = nav.Module(Calls(function).eval(), "module", batching=batching)
    KEPT.append(module)  # what nobody has is no longer wrapped
    with recording(registered()) as recorder:
        for recorder.sample, (recorder.batch_size, args, kwargs) in enumerate(calls):
            module(*args, **kwargs)
    (wrapped,) = registered()
    return graphs_of(wrapped, recorder.calls["module"], **options)


def rows(*shape: int) -> torch.Tensor:
    return torch.rand(shape)


def test_a_number_that_varies_is_one_tensor_and_not_a_graph_for_each_value() -> None:
    (graph,) = graphs((1, (rows(1, 3), 7), {}), (1, (rows(1, 3),), {"timestep": 999}), (1, (rows(1, 3),), {}))

    assert graph.varied == ("1",)
    assert [call.call.args[1].item() for call in graph.calls] == [7, 999, 0]
    assert (graph.calls[0].call.args[1].dtype, graph.calls[0].call.args[1].shape) == (torch.int64, ())


def test_an_output_that_is_an_input_is_so_where_numbers_before_it_are_tensors() -> None:
    def returning(self, x, timestep, more):
        return more, x * timestep

    calls = [(1, (rows(1, 3), number, rows(1, 3)), {}) for number in (1, 2)]
    (varying,) = graphs(*calls, function=returning)
    (constant,) = graphs(calls[0], function=returning)
    assert (varying.aliases, constant.aliases) == ((Alias(0, "input", 2),), (Alias(0, "input", 1),))


def test_a_number_that_stays_is_a_constant_and_a_string_is_another_graph() -> None:
    often, seldom = graphs((1, (rows(1, 3), 5), {}), (1, (rows(1, 3), 5), {}), (1, (rows(1, 3), 5), {"name": "b"}))

    assert (often.name, seldom.name) == ("module", "module.2")
    assert (len(often.calls), often.varied) == (2, ())
    assert often.key != seldom.key


@pytest.mark.parametrize(
    ("shapes", "batching", "expected"),
    [
        ([(1, (1, 3)), (2, (2, 3))], None, (1, ())),
        ([(1, (2, 3)), (2, (4, 3))], None, (2, ())),
        ([(1, (2, 3)), (2, (3, 3))], None, (None, ())),
        ([(1, (1, 3)), (2, (1, 3))], None, (None, ())),
        ([(2, (2, 3)), (2, (2, 3))], None, (None, ())),
        ([(2, (4, 3)), (2, (4, 3))], True, (2, ())),
        ([(1, (1, 3)), (2, (2, 3))], False, (None, ())),
        ([(1, ()), (2, ())], None, (None, ())),
    ],
    ids=["batch", "twice", "not-a-multiple", "constant", "one-batch-size", "said", "refused", "no-axes"],
)
def test_the_batch_axis_has_a_fixed_number_of_rows_for_each_of_the_pipelines_batch(shapes, batching, expected) -> None:
    (graph,) = graphs(*((size, (rows(*shape),), {}) for size, shape in shapes), batching=batching)

    assert (graph.rows, graph.unbatched) == expected
    assert graph.batch_dim == (0 if expected[0] else None)


def test_inputs_without_the_batch_are_named_and_two_multiples_are_no_batch() -> None:
    (graph,) = graphs(*((n, (rows(2 * n, 3), 1, rows(5, 3)), {}) for n in (1, 2)))
    assert (graph.rows, graph.unbatched) == (2, ("more",))
    (graph,) = graphs(*((n, (rows(2 * n, 3), 1, rows(n, 3)), {}) for n in (1, 2)))
    assert graph.rows is None


def test_the_sizes_of_each_array_are_known() -> None:
    (graph,) = graphs((1, (rows(1, 3), 1), {}), (4, (rows(4, 9), 2), {}))

    assert graph.sizes == (((1, 4), (3, 9)), ())


def test_too_many_structures_are_refused_by_their_number() -> None:
    found = graphs(*((1, (rows(*[1] * axes),), {}) for axes in range(1, MOST_GRAPHS + 3)))

    assert [bool(graph.refused) for graph in found] == [False] * MOST_GRAPHS + [True] * 2
    assert found[-1].refused == (
        f"the module is called in {MOST_GRAPHS + 2} structures: the {MOST_GRAPHS} most frequent ones get formats"
    )


def test_input_names_that_do_not_fit_are_told() -> None:
    with pytest.raises(ConfigError, match="input_names has 2 names"):
        graphs(*((n, (rows(n, 3),), {}) for n in (1, 2)), input_names=["a", "b"])


def counting(self, x, timestep, more):
    self.seen += 1
    return x * self.seen


def mutating(self, x, timestep, more):
    return x.add_(1)


def deciding(self, x, timestep, more):
    return x * 2 if type(timestep) is int else x * 3


def branching(self, x, timestep, more):
    return x * 2 if timestep * 2 + 1 > 50 else x


def strict(self, x, timestep, more):
    return x * [1.0, 2.0, 3.0][timestep + 0] if isinstance(timestep, int) else x * "no"


@pytest.mark.parametrize(
    ("function", "problem"),
    [
        (lambda self, x, timestep, more: x * timestep, ""),
        (counting, "it gives something else than in the pipeline, for it keeps attribute 'seen' between calls"),
        (mutating, "it changes its argument 'x' in place, which no format does"),
        (deciding, "with a tensor in the place of the number timestep, it gives something else than in the pipeline"),
        (lambda self, x, timestep, more: x[:, :2], "its output is a view of an argument or a weight"),
        (lambda self, x, timestep, more: (x * 2, self.seen[:1]), "its output is a view of an argument or a weight"),
        (lambda self, x, timestep, more: (x, x * 2), ""),
        (branching, "it decides by the number timestep what runs (test_graphs.py:"),
        (lambda self, x, timestep, more: x * max(timestep, 0), "it decides by the number timestep what runs"),
        (lambda self, x, timestep, more: x if x.sum() > timestep - 100 else -x, ""),
        (strict, "with a tensor in the place of the number timestep, it raises TypeError"),
        (lambda self, x, timestep, more: torch.rand(2), "called again, it gives something else"),
    ],
    ids=[
        "right",
        "state",
        "in-place",
        "another-branch",
        "view",
        "view-of-buffer",
        "itself",
        "branch",
        "most",
        "branch-of-data",
        "raises",
        "random",
    ],
)
def test_what_no_format_could_stand_for_is_told_before_one_is_made(function, problem) -> None:
    varied = (1, 1) if "again" in problem else (1, 2)
    (graph,) = graphs(*((1, (rows(1, 3), timestep), {}) for timestep in varied), function=function)

    found = problem_of(graph)

    assert problem in found
    assert bool(found) == bool(problem)


class Mode(Enum):
    FAST = 1


@dataclass
class Options:
    mask: torch.Tensor
    name: str = "a"


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (torch.Generator(), "args[2] is a torch._C.Generator: arrays, None, bool"),
        (Mode.FAST, f"args[2] is a {Mode.__module__}.Mode: arrays, None, bool"),
        (torch.float16, "args[2] is a torch.dtype: arrays, None, bool"),
        ("text", ""),
        (None, ""),
        (Options(torch.ones(1)), ""),
        ({"mask": torch.ones(1), "more": [1, (2.0, None)]}, ""),
    ],
    ids=["generator", "enum", "dtype", "text", "none", "dataclass", "dict"],
)
def test_an_argument_that_no_format_can_take_is_named(value, problem) -> None:
    (graph,) = graphs((1, (rows(1, 3), 1, value), {}))

    found = problem_of(graph)

    assert found.startswith(problem)
    assert bool(found) == bool(problem)
