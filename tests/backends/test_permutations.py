"""An outcome does not depend on which steps ran before: exporters and runners of one live model, in every order."""

from __future__ import annotations

import functools
from itertools import permutations
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch_models import Subject

from pytest_navigator.backends.exchange.onnx import OnnxFormat
from pytest_navigator.backends.torch.exportedprogram import TorchExportConfig, TorchExportedProgramFormat
from pytest_navigator.backends.torch.torchscript import TorchScriptConfig, TorchScriptFormat
from pytest_navigator.configuration.onnx_config import OnnxConfig, OnnxTraceExportConfig
from pytest_navigator.errors import StepFailed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def grid(size: Any) -> torch.Tensor:
    rows, cols = torch.meshgrid(torch.arange(size[0]), torch.arange(size[1]), indexing="ij")
    return torch.stack((cols, rows)).float()


class InAttributes(torch.nn.Conv2d):
    size: Any = None

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        found = super().forward(image)
        size = tuple(found.shape[-2:])
        if self.size != size:
            self.size, self.kept = size, grid(size)
        return found + self.kept


class Counters:
    def __init__(self) -> None:
        self.calls = 0
        self.by_size: dict[Any, Any] = {}


class InObjects(torch.nn.Conv2d):
    def __init__(self, *args: int) -> None:
        super().__init__(*args)
        self.state = [Counters()]

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        found = super().forward(image)
        (state,) = self.state
        state.calls += 1
        kept = state.by_size.get("last")
        if kept is None or kept[0] != found.shape[-1]:
            state.by_size["last"] = kept = found.shape[-1], grid(found.shape[-2:])
        return found + kept[1]


class InTheClass(torch.nn.Conv2d):
    kept: dict[str, Any] = {}

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        found = super().forward(image)
        if self.kept.get("size") != found.shape[-1]:
            self.kept.update(size=found.shape[-1], grid=grid(found.shape[-2:]))
        return found + self.kept["grid"]


@functools.lru_cache
def grid_of_width(width: int) -> torch.Tensor:
    return torch.arange(width).float()


class InACache(torch.nn.Conv2d):
    def forward(self, image: torch.Tensor) -> torch.Tensor:
        found = super().forward(image)
        return found + grid_of_width(int(found.shape[-1]))


MODELS = [InAttributes, InObjects, InTheClass, InACache]
STEPS: dict[str, tuple[Any, Any]] = {
    "script": (TorchScriptFormat(), TorchScriptConfig(jit_type="script")),
    "trace": (TorchScriptFormat(), TorchScriptConfig(jit_type="trace")),
    "program": (TorchExportedProgramFormat(), TorchExportConfig()),
    "onnx": (OnnxFormat(), OnnxConfig(export_engine=OnnxTraceExportConfig())),
}


def outcome(subject: Subject, step: str, path: Path) -> str:
    """Run an export as its step does; return how it ended."""
    path.mkdir(parents=True, exist_ok=True)
    try:
        with subject.source.preserved():
            subject.export(*STEPS[step], path)
    except StepFailed as error:
        return error.message
    return "passed"


def subject_of(model: type[torch.nn.Module]) -> Subject:
    made = model(3, 2, 1).eval()
    torch.nn.init.ones_(made.weight)
    source_first = Subject(made, lambda n: torch.ones(n, 3, 4, 6))
    source_first.source.call((torch.ones(1, 3, 4, 6),), {})
    return source_first


@pytest.fixture(scope="module", params=MODELS, ids=lambda model: model.__name__)
def alone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, dict[str, str]]:
    """A model, and how each step ends with a fresh one of it."""
    folder = tmp_path_factory.mktemp("alone")
    return request.param, {step: outcome(subject_of(request.param), step, folder / step) for step in STEPS}


@pytest.mark.slow
def test_every_order_of_the_steps_gives_the_same_outcomes(alone: tuple[Any, dict[str, str]], tmp_path: Path) -> None:
    """Each of them leaves the model as it was, so that every pair shows what every permutation would."""
    model, expected = alone
    assert expected["trace"] == expected["onnx"] == "passed"
    subject = subject_of(model)
    for number, order in enumerate(permutations(("trace", "onnx", "program"))):
        found = {step: outcome(subject, step, tmp_path / str(number) / step) for step in order}
        assert found == {step: expected[step] for step in order}, order
    found = {step: outcome(subject, step, tmp_path / step) for step in ("script", "trace")}
    assert found == {step: expected[step] for step in ("script", "trace")}


@pytest.mark.parametrize("model", MODELS)
def test_the_users_own_model_is_as_it_was(model: Callable[..., torch.nn.Module], tmp_path: Path) -> None:
    subject = subject_of(model)
    image = torch.ones(1, 3, 4, 6)
    before = subject.model(image)
    outcome(subject, "trace", tmp_path)
    assert torch.equal(subject.model(image), before)
    assert type(subject.model(torch.ones(1, 3, 5, 8))) is torch.Tensor
