"""Formats in the place of forward: which calls they get, what comes back, and what runs eagerly."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import replace

import pytest
import torch

import pytest_navigator as nav
from pytest_navigator.pipelines.aliases import Alias
from pytest_navigator.pipelines.loaded_graph import LoadedGraph
from pytest_navigator.pipelines.recording import recording
from pytest_navigator.pipelines.registry import Wrapped, registered
from pytest_navigator.pipelines.structures import structure_of
from pytest_navigator.pipelines.swapped import Swapped, swapping
from pytest_navigator.pipelines.weights import Weights
from pytest_navigator.samples.structure import Call
from tests.pipelines.pipelines import Encoded, Encoder, Unet

X = torch.ones(2, 3, 4)
SIZES = (((1, 4), (3, 3), (4, 4)),)


def one() -> Wrapped:
    return next(registered())


@pytest.fixture
def encoder() -> Encoder:
    return nav.Module(Encoder().eval())


def encoded(x=X, **_) -> Encoded:
    return Encoded(torch.zeros_like(x), torch.zeros(len(x), 4))


def formats(call: Call = Call(X, scale=1.0), **fields) -> dict[str, LoadedGraph]:  # noqa: B008 (nobody changes it)
    return {structure_of(call): LoadedGraph(encoded, **fields)}


def test_a_call_of_a_known_structure_runs_the_format(encoder: Encoder) -> None:
    with swapping({one(): formats()}) as swapped:
        assert isinstance(encoder(X), Encoded)
        assert not encoder(x=X, mask=None).hidden.any()
    assert swapped["Encoder"].calls == 2
    assert not swapped["Encoder"].eager


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (Call(X, torch.ones(2)), "a structure that was not recorded"),
        (Call(X.double()), "a structure that was not recorded"),
        (Call(X[0]), "a structure that was not recorded"),
        (Call(X, mode="other"), "a structure that was not recorded"),
        (Call(torch.ones(5, 3, 4)), "axis 0 of 'x' is not 1 to 4, as it was recorded"),
        (Call(torch.ones(2, 7, 4)), "axis 1 of 'x' is not 3, as it was recorded"),
        (Call(X.clone().requires_grad_()), "an argument needs gradients, which no format computes"),
    ],
)
def test_what_was_not_recorded_runs_eagerly_and_is_told_once(encoder: Encoder, call: Call, reason: str) -> None:
    encoder.double() if call.args[0].dtype == torch.float64 else encoder
    expected = encoder(*call.args, **call.kwargs)
    with swapping({one(): formats(sizes=SIZES)}) as swapped:
        with pytest.warns(UserWarning, match=f"Encoder ran eagerly: {reason}") as warned:
            found = [encoder(*call.args, **call.kwargs) for _ in range(3)]
        assert len(warned) == 1
    assert all(torch.equal(each.hidden, expected.hidden) for each in found)
    assert swapped["Encoder"].eager == {reason: 3}


def test_a_module_in_training_runs_itself(encoder: Encoder) -> None:
    encoder.train()
    with swapping({one(): formats()}), pytest.warns(UserWarning, match="the module is in training mode"):
        assert encoder(X).hidden.any()


def test_what_was_not_recorded_is_told_with_how_the_module_is_called(encoder: Encoder) -> None:
    calls = [Call(torch.ones(5, 3, 4)), Call(X, {"a": X}, mode="other")]
    with swapping({one(): formats(sizes=SIZES)}), pytest.warns(UserWarning, match="ran eagerly") as warned:
        [encoder(*call.args, **call.kwargs) for call in calls]
    sizes = "axis 0 of 'x' is not 1 to 4, as it was recorded: x: float32 [5, 3, 4], scale: float"
    structure = "a structure that was not recorded: x: float32 [2, 3, 4], mask: dict(float32 [2, 3, 4])"
    assert [str(each.message) for each in warned] == [
        f"Encoder ran eagerly: {sizes}",
        f"Encoder ran eagerly: {structure}, mode: 'other', scale: float",
    ]


def test_autocast_runs_the_module_itself(encoder: Encoder) -> None:
    with torch.autocast("cpu"), swapping({one(): formats()}), pytest.warns(UserWarning, match="autocast is on"):
        assert encoder(X).hidden.dtype == torch.bfloat16


@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_what_torch_traces_is_the_module_itself(encoder: Encoder) -> None:
    encoder.requires_grad_(False)
    with swapping({one(): formats()}), pytest.warns(UserWarning, match="torch traces it"):
        traced = torch.jit.trace(lambda x: encoder(x).hidden, X, check_trace=False)
    assert torch.equal(traced(X + 1), encoder(X + 1).hidden)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("whole", [False, True])
def test_what_torch_exports_is_the_module_itself(encoder: Encoder, whole: bool, strict: bool) -> None:
    exported = torch.nn.Sequential(encoder) if whole else encoder
    torch.export.register_dataclass(Encoded) if Encoded not in torch.utils._pytree.SUPPORTED_NODES else None
    with swapping({one(): formats()}) as swapped:
        program = torch.export.export(exported, (X,), strict=strict)
    torch.testing.assert_close(program.module()(X).hidden, encoder(X).hidden)
    assert (swapped["Encoder"].calls, swapped["Encoder"].eager) == (0, {})


def test_a_forward_that_was_put_over_a_format_stays_when_the_format_goes(encoder: Encoder) -> None:
    expected, hidden = encoder(X).hidden, []
    with swapping({one(): formats()}) as swapped:
        inner = encoder.forward
        encoder.forward = lambda *args, **kwargs: inner(*args, **kwargs).hidden + 10
        hidden.append(encoder(X))
        assert swapped["Encoder"].calls == 1
    hidden.append(encoder(X))
    with one().standing_in(one().original):
        hidden.append(encoder(X))
    assert (one().replaced, swapped["Encoder"].calls, swapped["Encoder"].eager) == (False, 1, {})
    assert [torch.equal(each, value + 10) for each, value in zip(hidden, [0 * X, expected, expected], strict=True)]
    del encoder.forward
    assert torch.equal(encoder(X).hidden, expected)


def test_a_format_that_fails_is_told_or_goes_through(encoder: Encoder) -> None:
    def fails(x, scale):
        raise RuntimeError("no memory")

    graphs = {one(): {structure_of(Call(X, scale=1.0)): LoadedGraph(fails)}}
    with swapping(graphs), pytest.warns(UserWarning, match="the format failed: RuntimeError: no memory"):
        assert encoder(X).hidden.any()
    with swapping(graphs, strict=True), pytest.raises(RuntimeError, match="no memory"):
        encoder(X)


def test_numbers_that_vary_are_tensors_for_the_format() -> None:
    unet = nav.Module(Unet().eval())
    given = []

    def run(sample, timestep):
        given.append(timestep)
        return (sample,)

    graph = LoadedGraph(run, varied=("1",))
    with swapping({one(): {structure_of(Call(X, torch.tensor(1))): graph}}) as swapped:
        for step in range(5):
            unet(X, step)
    assert [int(step) for step in given] == list(range(5))
    assert given[0].shape == ()
    assert not swapped["Unet"].eager


def test_arrays_go_by_the_names_of_the_inputs(encoder: Encoder) -> None:
    graph = LoadedGraph(lambda **feed: encoded(**feed), names=("x", "mask"))
    mask = torch.zeros(1)
    with swapping({one(): {structure_of(Call(X, mask, "a", scale=1.0)): graph}}):
        assert not encoder(X, mask, "a").hidden.any()


def test_what_was_one_array_in_the_output_is_one_again(encoder: Encoder) -> None:
    aliases = (Alias(0, "input", 0), Alias(1, "output", 0))
    with swapping({one(): formats(aliases=aliases)}):
        out = encoder(X)
    assert type(out) is Encoded
    assert out.hidden is X
    assert out.pooled is X


def test_inputs_go_through_the_mapping_when_recorded_and_when_swapped() -> None:
    nav.Module(module := Encoder().eval(), input_mapping=lambda given: {"x": given[0] * 2, **given[-1]})
    with recording([one()]) as recorder:
        module(X)
    (call,) = recorder.calls["Encoder"]
    assert torch.equal(call.call.kwargs["x"], X * 2)
    with swapping({one(): {call.structure: LoadedGraph(lambda x, scale: x)}}):
        assert torch.equal(module(X), X * 2)


def test_numbers_in_the_output_are_numbers_again(encoder: Encoder) -> None:
    def run(x, scale):
        return {"hidden": x, "rows": torch.tensor(2), "share": torch.tensor(0.5), "fast": torch.tensor(True)}

    numbers = tuple(Alias(i, "number") for i in (1, 2, 3))
    graph = {structure_of(Call(X, scale=1.0)): LoadedGraph(run, aliases=numbers)}
    with swapping({one(): graph}):
        out = encoder(X)
    assert {name: type(value).__name__ for name, value in out.items()} == {
        "hidden": "Tensor",
        "rows": "int",
        "share": "float",
        "fast": "bool",
    }


def test_outputs_go_through_the_mapping() -> None:
    encoder = nav.Module(Encoder().eval(), output_mapping=lambda out: (out.hidden, "mapped"))
    with swapping({one(): formats()}):
        assert encoder(X)[1] == "mapped"


def test_swapping_ends_when_the_pipeline_raises_and_may_be_nested(encoder: Encoder) -> None:
    with suppress(ZeroDivisionError), swapping({one(): formats()}):
        inner = encoder.forward
        with swapping({one(): formats()}):
            assert encoder.forward is not inner
        assert encoder.forward is inner
        raise ZeroDivisionError
    assert "forward" not in vars(encoder)


def test_threads_may_call_a_swapped_module(encoder: Encoder) -> None:
    with swapping({one(): formats()}) as swapped:
        results: list[bool] = []
        threads = [
            threading.Thread(target=lambda: results.extend(not encoder(X).hidden.any() for _ in range(50)))
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == [True] * 200
    assert isinstance(swapped["Encoder"], Swapped)


class Recipe(torch.nn.Module):
    """Tells a format what it was given, whatever way the call was written."""

    def forward(self, x, scale=1.0, *more, flag=False, **named):
        return x * 0


def given_to(module: torch.nn.Module, recorded: Call, *calls: Call, **fields) -> list[dict[str, object]]:
    """Return what a format of `recorded` is given in these calls, each made twice: the second goes the short way."""
    found: list[dict[str, object]] = []
    graph = LoadedGraph(lambda **feed: found.append(feed), **fields)
    nav.Module(module.eval(), "recipe")
    with swapping({one(): {structure_of(recorded): graph}}) as swapped:
        for call in calls:
            for _ in range(2):
                module(*call.args, **call.kwargs)
    assert not swapped["recipe"].eager
    return found


def test_the_short_way_gives_a_format_what_the_long_way_does() -> None:
    other = torch.zeros(1)
    recorded = Call(X, 2.0, b=[other, {"c": X}])
    calls = [recorded, Call(scale=2.0, b=[other, {"c": X}], x=X), Call(X, scale=2.0, b=[other, {"c": X}])]
    found = given_to(Recipe(), recorded, *calls, names=("x", "b", "c"))
    assert len(found) == 6
    assert all(feed["x"] is X and feed["b"] is other and feed["c"] is X for feed in found)


def test_numbers_that_are_constants_decide_on_the_short_way_too() -> None:
    unet = nav.Module(Unet().eval())
    graphs = {structure_of(Call(X, 1)): LoadedGraph(lambda sample: "one", names=("sample",))}
    with swapping({one(): graphs}) as swapped, pytest.warns(UserWarning, match="a structure that was not recorded"):
        found = [unet(X, number) for number in (1, 1, 2, 2, 1)]
    assert [each == "one" for each in found] == [True, True, False, False, True]
    assert swapped["Unet"].eager == {"a structure that was not recorded": 2}


def test_tensors_of_one_call_that_were_one_are_two_in_the_next() -> None:
    other = X + 1
    found = given_to(Recipe(), Call(X, 2.0, b=X), Call(X, 2.0, b=X), Call(X, 2.0, b=other), names=("x", "b"))
    assert [feed["b"] is other for feed in found] == [False, False, True, True]


def test_sizes_are_looked_at_on_the_short_way_too(encoder: Encoder) -> None:
    with swapping({one(): formats(sizes=SIZES)}) as swapped, pytest.warns(UserWarning, match="axis 0"):
        [encoder(torch.ones(rows, 3, 4)) for rows in (2, 2, 5, 5, 1)]
    assert swapped["Encoder"].eager == {"axis 0 of 'x' is not 1 to 4, as it was recorded": 2}


def test_a_number_beyond_those_that_were_recorded_runs_the_module_itself() -> None:
    unet, given = nav.Module(Unet().eval()), []
    graph = LoadedGraph(lambda **feed: given.append(int(feed["timestep"])), ("1",), ("sample", "timestep"))
    reason = "the number 'timestep' is not 1 to 981, as it was recorded"
    key = structure_of(Call(X, torch.tensor(1)))
    with swapping({one(): {key: replace(graph, numbers=((1, 981),))}}) as swapped, pytest.warns(match=reason):
        found = [unet(X, number) for number in (5, 981, 982, 982, 0, 1, 10**9, 5)]
    assert given == [5, 981, 1, 5]
    assert [each is None for each in found] == [True, True, False, False, False, True, False, True]
    assert swapped["Unet"].eager == {reason: 4}


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (lambda module: module.linear.weight.add_(1), False),
        (lambda module: module.load_state_dict(Encoder().state_dict(), strict=False), False),
        (lambda module: module.load_state_dict(Encoder().state_dict(), strict=False, assign=True), False),
        (lambda module: setattr(module, "linear", torch.nn.Linear(4, 4)), False),
        (lambda module: module.double().float(), True),
        (lambda module: setattr(module.linear.weight, "data", module.linear.weight.data.clone()), True),
        (lambda module: module.linear.weight.mul_(1), True),
        (lambda module: module.half(), False),
        (lambda module: [weight.mul_(1.5) for weight in module.parameters()], False),
        (lambda module: module.shift.add_(1), False),
        (lambda module: setattr(module, "shift", torch.ones(1)), False),
        (lambda module: setattr(module, "shift", torch.zeros(1)), True),
        (lambda module: module.norm.running_mean.add_(5), False),
        (lambda module: setattr(module, "scale", 3.0), False),
        (lambda module: setattr(module, "scale", 2.0), True),
        (lambda module: setattr(module, "seen", 7), True),
        (lambda module: setattr(module.norm, "extra", 7), False),
        (lambda module: delattr(module, "scale"), False),
        (lambda module: module.table.add_(1), False),
        (lambda module: module.linear.register_forward_hook(lambda *_: None), False),
        (lambda module: module.linear.register_forward_pre_hook(lambda *_: None), False),
        (lambda module: module.register_forward_hook(lambda *_: None), True),
        (lambda module: module.linear.add_module("more", torch.nn.Linear(4, 4)), False),
        (lambda module: module.norm.train(), False),
    ],
    ids=[
        *("step", "other state", "state put in", "another part", "cast and back", "moved", "nothing new", "cast"),
        *(
            "step of many",
            "buffer",
            "another buffer",
            "a buffer alike",
            "statistics",
            "attribute",
            "attribute as it is",
        ),
        *("what calls change", "new attribute", "attribute gone", "tensor", "hook", "early hook", "hook of the module"),
        *("another part below", "part in training"),
    ],
)
@pytest.mark.parametrize("count", [0, 12])
def test_what_changes_a_module_is_noticed_at_once(encoder: Encoder, change, same: bool, count: int) -> None:
    encoder.more = torch.nn.ModuleList(torch.nn.Linear(1, 1) for _ in range(count))
    encoder.register_buffer("shift", torch.zeros(1))
    encoder.norm = torch.nn.BatchNorm1d(4).eval()
    encoder.scale, encoder.seen, encoder.table = 2.0, 0, torch.zeros(3)
    weights = Weights(encoder, changing=["seen"])
    assert weights.same()
    with torch.no_grad():
        change(encoder)
    assert weights.same() is same
    assert weights.same() is same


@pytest.mark.filterwarnings("ignore:Encoder ran eagerly:UserWarning")
def test_a_module_that_is_trained_on_runs_itself(encoder: Encoder) -> None:
    swapped = Swapped(one(), formats(), weights=Weights(encoder))
    with one().standing_in(swapped):
        assert not encoder(X).hidden.any()
        with torch.no_grad():
            encoder.linear.weight.add_(1)
        assert encoder(X).hidden.any()
    (reason,) = swapped.eager
    assert reason.startswith("its weights were changed since")
