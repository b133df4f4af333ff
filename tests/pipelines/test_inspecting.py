"""What nav.inspect tells of a pipeline's modules."""

from __future__ import annotations

import pytest
import torch

import pytest_navigator as nav
from pytest_navigator.errors import ConfigError, SourceError
from tests.pipelines.pipelines import Encoder, Mode, Pipeline

SAMPLES = [(1, "a"), (2, "a b")]


def test_modules_are_listed_without_running_the_pipeline() -> None:
    found = nav.inspect(Pipeline())
    assert str(found).splitlines() == [
        "module   class    parameters  calls  ms  share  inputs",
        "encoder  Encoder  20",
        "unet     Unet     20",
        "vae      Vae      20",
    ]


@pytest.mark.parametrize("samples", [None, SAMPLES])
def test_a_module_in_a_container_is_shown_where_it_is_not_called(samples: object) -> None:
    pipeline = Pipeline()
    pipeline.parts = {"spare": Encoder().eval(), "v1.5": torch.nn.Sequential(torch.nn.Linear(2, 2))}
    shown = {line.split()[0] for line in str(nav.inspect(pipeline, samples)).splitlines()}
    assert {"parts.spare", "parts.v1.5"} <= shown
    assert not {"parts.spare.linear", "parts.v1.5.0", "encoder.linear"} & shown


def test_calls_share_and_inputs_are_those_of_the_samples() -> None:
    pipeline = Pipeline()
    found = nav.inspect(pipeline, SAMPLES)
    use = {each.name: each for each in found.modules}
    assert {name: each.calls for name, each in use.items() if each.calls} == {
        "encoder": 2,
        "encoder.linear": 2,
        "unet": 6,
        "unet.linear": 6,
        "vae.decoder": 2,
    }
    assert use["unet"].inputs == ("sample: float32 [2-4, 2, 4], timestep: int, hidden: float32 [1-2, 2, 4]",)
    assert (use["unet.linear"].inside, use["vae.decoder"].inside) == ("unet", "")
    assert 0 < use["unet"].share <= 1
    assert [each.name for each in found.outermost][-1] == "vae"
    assert {each.name for each in found.outermost} == {"encoder", "unet", "vae.decoder", "vae"}
    assert "forward" not in vars(pipeline.unet)


def test_what_is_wrapped_is_inspected_too() -> None:
    pipeline = Pipeline()
    nav.wrap(pipeline, ["unet"])
    assert {each.name: each.calls for each in nav.inspect(pipeline, SAMPLES).modules}["unet"] == 6


def test_every_structure_is_told() -> None:
    encoder = Encoder().eval()

    def run(mode):
        encoder(torch.ones(1, 2, 4), mode=mode)
        encoder(torch.ones(1, 2, 4), {"a": torch.ones(3)}, scale=0.5)

    (use,) = nav.inspect(run, [(1, "x"), (1, Mode.FAST)]).outermost
    assert use.inputs == (
        "x: float32 [1, 2, 4], mode: 'x', scale: float",
        "x: float32 [1, 2, 4], mask: dict(float32 [3]), scale: float",
        "x: float32 [1, 2, 4], mode: <Mode.FAST: 1>, scale: float",
    )


def test_a_pipeline_that_raises_later_tells_what_was_seen() -> None:
    found = nav.inspect(Pipeline(), [(1, "a"), (1, None)])
    assert found.samples == 1
    assert found.note.startswith("it raised on sample 1, where this ends: ")
    assert {each.name: each.calls for each in found.modules}["unet"] == 3


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (lambda: nav.inspect("pipeline"), ConfigError, "there is no torch.nn.Module in 'pipeline'"),
        (lambda: nav.inspect(Pipeline().vae.__dict__, SAMPLES), ConfigError, "a dict cannot be called: say func="),
        (lambda: nav.inspect(Pipeline(), []), SourceError, "the dataloader is empty"),
        (lambda: nav.inspect(Pipeline(), ["a"]), SourceError, "sample 0 of the dataloader is a str"),
        (lambda: nav.inspect(Pipeline(), [(1, None)]), SourceError, "the pipeline raised on the first sample: "),
    ],
)
def test_what_cannot_be_inspected_is_told(make, error: type[Exception], said: str) -> None:
    with pytest.raises(error) as raised:
        make()
    assert said in str(raised.value)
