"""What is recorded of a pipeline's calls, how much, and that the pipeline goes on as it would without."""

from __future__ import annotations

from contextlib import suppress

import numpy as np
import pytest
import torch

import pytest_navigator as nav
from pytest_navigator.pipelines.aliases import Alias
from pytest_navigator.pipelines.graphs import graphs_of
from pytest_navigator.pipelines.recording import Limits, Recorder, recording
from pytest_navigator.pipelines.registry import registered, wrapping
from pytest_navigator.pipelines.replaying import problem_of
from tests.pipelines.pipelines import Encoder, Mode, Pipeline

X = torch.ones(2, 3, 4)


class Calls(torch.nn.Module):
    """Computes what it is given, so that a test says what a call does."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function
        self.count = 0
        self.register_buffer("seen", torch.zeros(1))

    def forward(self, *args, **kwargs):
        return self.function(self, *args, **kwargs)


def recorded(module: torch.nn.Module, *calls: tuple, limits: Limits | None = None) -> Recorder:
    nav.Module(module, "module")
    with recording(registered(), limits) as recorder:
        for args in calls:
            module(*args)
    return recorder


def test_the_calls_of_each_module_are_recorded() -> None:
    pipeline = Pipeline()
    nav.wrap(pipeline, ["encoder", "unet", "vae.decoder", "vae"])
    with recording(registered()) as recorder:
        for recorder.sample, text in enumerate(["a", "a b"]):
            recorder.batch_size = recorder.sample + 1
            pipeline(text)
    assert recorder.counted == {"encoder": 2, "unet": 6, "vae.decoder": 2}
    assert recorder.calls["vae"] == []
    unet = recorder.calls["unet"]
    assert [(call.sample, call.batch_size) for call in unet] == [(0, 1)] * 3 + [(1, 2)] * 3
    assert [call.call.args[1] for call in unet] == [0, 1, 2, 0, 1, 2]
    assert unet[3].call.args[2].shape == (2, 2, 4)
    assert "forward" not in vars(pipeline.unet)


def test_arguments_by_position_keyword_and_default_are_one_call() -> None:
    encoder = nav.Module(Encoder().eval())
    with recording(registered()) as recorder:
        encoder(X)
        encoder(x=X, mask=None)
        encoder(X, None, "plain", scale=1.0)
    assert len({call.structure for call in recorder.calls["Encoder"]}) == 1
    assert all(call.call.kwargs == {"scale": 1.0} for call in recorder.calls["Encoder"])


def test_inputs_are_copied_before_the_call_changes_them() -> None:
    call = recorded(Calls(lambda _, x: x.add_(1)), (torch.zeros(2),)).calls["module"][0]
    assert call.call.args[0].tolist() == [0, 0]
    assert call.output.tolist() == [1, 1]
    assert call.changed == ("argument 'args'",)


@pytest.mark.parametrize(
    "given", [np.zeros(2), torch.inference_mode()(lambda: torch.zeros(2))()], ids=["numpy", "torch"]
)
def test_what_nothing_counts_is_seen_by_its_content(given) -> None:
    def add(_, x):
        x += 1
        return torch.zeros(1)

    with torch.inference_mode():
        call = recorded(Calls(add), (given,)).calls["module"][0]
    assert call.changed == ("argument 'args'",)


@pytest.mark.parametrize(
    ("function", "changed"),
    [
        (lambda self, x: self.seen.add_(1) + x, ("attribute 'seen'",)),
        (lambda self, x: setattr(self, "count", self.count + 1) or x, ("attribute 'count'",)),
        (lambda self, x: setattr(self, "seen", self.seen + 1) or x, ("attribute 'seen'",)),
        (lambda self, x: x + self.seen, ()),
    ],
)
def test_what_a_call_changes_of_the_module_is_noted(function, changed: tuple[str, ...]) -> None:
    assert recorded(Calls(function), (torch.zeros(1),)).calls["module"][0].changed == changed


def test_arrays_of_the_output_that_are_one_are_noted() -> None:
    def function(_, x):
        hidden = x + 1
        return {"hidden": hidden, "same": [hidden], "given": x}

    call = recorded(Calls(function), (torch.zeros(2),)).calls["module"][0]
    assert call.aliases == (Alias(1, "output", 0), Alias(2, "input", 0))
    assert call.output["hidden"] is call.output["same"][0]


def test_numbers_in_the_output_are_noted() -> None:
    call = recorded(Calls(lambda _, x: (x + 1, 3, {"scale": 0.5, "none": None})), (torch.zeros(2),)).calls["module"][0]
    assert call.aliases == (Alias(1, "number"), Alias(2, "number"))


def test_what_was_recorded_stays_when_the_pipeline_raises() -> None:
    pipeline = Pipeline()
    nav.wrap(pipeline, ["encoder"])
    with suppress(RuntimeError), recording(registered()) as recorder:
        for recorder.sample in range(5):
            pipeline("a b")
            if recorder.sample == 2:
                raise RuntimeError("the third sample")
    assert [call.sample for call in recorder.calls["encoder"]] == [0, 1, 2]
    assert "forward" not in vars(pipeline.encoder)


@pytest.mark.parametrize(
    ("limits", "kept", "reason"),
    [
        (Limits(alike=2), 2, "enough calls like it"),
        (Limits(alike=99, calls=3), 3, "more than 3 calls of one structure"),
        (Limits(alike=99, max_bytes=2 * 2 * X.nbytes), 2, "more than 0 MiB"),
    ],
)
def test_no_more_is_kept_than_the_limits_say(limits: Limits, kept: int, reason: str) -> None:
    recorder = recorded(Calls(lambda _, x: x + 1), *[(X,)] * 6, limits=limits)
    assert len(recorder.calls["module"]) == kept
    assert recorder.left_out["module"] == {reason: 6 - kept}
    assert recorder.counted["module"] == 6


def test_further_structures_are_counted() -> None:
    recorder = recorded(Calls(lambda _, x, mode: x + 1), *[(X, str(i)) for i in range(6)], limits=Limits(structures=4))
    assert len({call.structure for call in recorder.calls["module"]}) == 4
    assert recorder.left_out["module"] == {"more than 4 structures": 2}


def test_texts_enums_types_and_objects_are_recorded() -> None:
    generator, given = torch.Generator(), ("text", Mode.FAST, torch.float16, None, True, 2.5)
    recorder = recorded(Calls(lambda _, x, *rest: x + 1), (X, *given, generator), (X, *given[:1], Mode.GOOD))
    first, second = recorder.calls["module"]
    assert first.call.args[1:] == (*given, generator)
    assert first.structure != second.structure


def test_a_container_inside_of_itself_is_no_end_of_the_pipeline() -> None:
    circle: list = [X]
    circle.append(circle)
    recorder = recorded(Calls(lambda _, x: x[0] + 1), (circle,))
    assert recorder.counted["module"] == 1
    assert recorder.left_out["module"] == {"an argument contains itself": 1}


def test_a_call_that_the_module_refuses_is_refused_as_without() -> None:
    encoder = nav.Module(Encoder().eval())
    with recording(registered()), pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
        encoder(X, z=1)


def test_a_call_that_shows_more_is_kept_beyond_the_limits() -> None:
    module = Calls(lambda _, x, n: x * n)
    sizes, values = [2, 2, 2, 3, 2, 4, 2, 2], [1, 1, 1, 1, 5, 6, 1, 7]
    calls = [(torch.ones(size), n) for size, n in zip(sizes, values, strict=True)]

    kept = recorded(module, *calls, limits=Limits(alike=1, calls=2)).calls["module"]

    assert [(len(call.call.args[0]), call.call.args[1]) for call in kept] == [
        *((2, 1), (3, 1), (2, 5), (4, 6)),
        (2, 7),
    ]


def test_the_least_and_the_most_of_a_number_are_kept_and_no_more_of_those_between() -> None:
    module = Calls(lambda _, x, n, m: x * n)
    numbers = [*range(981, 0, -20), 500, 700]
    recorder = recorded(module, *[(X, n, float(n)) for n in numbers], limits=Limits(alike=3))
    kept = [call.call.args[1] for call in recorder.calls["module"]]
    assert kept == [981, 961, 941, 1]
    assert recorder.counted["module"] == len(kept) + recorder.left_out["module"].total()


def test_a_module_that_runs_under_autocast_stays_eager_with_that_reason() -> None:
    linear = nav.Module(torch.nn.Linear(4, 4).eval(), "cast")
    module = wrapping(linear)
    assert module is not None
    with recording([module]) as recorder, torch.no_grad():
        with torch.autocast("cpu", dtype=torch.bfloat16):
            module.module(torch.ones(2, 4))
        (cast,) = graphs_of(module, recorder.calls["cast"])
        module.module(torch.ones(2, 4))
    (both,) = graphs_of(module, recorder.calls["cast"])

    assert problem_of(cast) == "autocast is on, and formats are made without"
    assert (problem_of(both), len(both.calls)) == ("", 1)
