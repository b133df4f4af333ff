from __future__ import annotations

import copy
from typing import TYPE_CHECKING

import pytest
import torch
import torch_models
from torch_models import PLAIN, Subject

from pytest_navigator.backends.builtin import known
from pytest_navigator.errors import StepFailed

if TYPE_CHECKING:
    from collections.abc import Callable

TorchCPU = known().runners()["TorchCPU"].load()
TorchCUDA = known().runners()["TorchCUDA"].load()
TorchCompileCPU = known().runners()["TorchCompileCPU"].load()
TorchCompileCUDA = known().runners()["TorchCompileCUDA"].load()


@pytest.mark.parametrize(
    "make",
    [
        torch_models.linear,
        torch_models.heads,
        torch_models.nested,
        torch_models.keyword_only,
        torch_models.half_precision,
        torch_models.branching,
        torch_models.baked,
        torch_models.bert,
    ],
)
def test_the_live_model_agrees_with_itself(make: Callable[[], Subject]) -> None:
    subject = make()
    subject.check(TorchCPU(subject.source, subject.signature, PLAIN), atol=0)


def test_the_bound_call_runs_the_module_itself_without_gradients() -> None:
    subject = torch_models.linear()
    runner = TorchCPU(subject.source, subject.signature, PLAIN)
    with runner:
        call = runner.bind(subject.example)
        assert call.func is subject.model
        assert call().is_inference()
        assert torch.is_inference_mode_enabled()
    assert not torch.is_inference_mode_enabled()


def test_inputs_and_outputs_are_copied_alone() -> None:
    subject = torch_models.linear()
    with TorchCPU(subject.source, subject.signature, PLAIN) as runner:
        assert runner.copies(subject.example, runner.bind(subject.example)())() is None
        with pytest.raises(KeyError):  # it does read the inputs
            runner.copies({}, runner.bind(subject.example)())()


def test_modes_are_the_configurations() -> None:
    subject = torch_models.linear()
    parameters = {"inference_mode": False, "autocast": True, "autocast_dtype": "bfloat16"}
    with TorchCPU(subject.source, subject.signature, parameters) as runner:
        assert runner.infer(subject.example)["output__0"].dtype == "bfloat16"
        result = runner.bind(subject.example)()
        assert not result.is_inference()
        assert not result.requires_grad
        assert runner.settings()["autocast"] is True
    assert not torch.is_autocast_enabled("cpu")


def test_settings_are_those_of_the_process() -> None:
    subject = torch_models.linear()
    with TorchCPU(subject.source, subject.signature, PLAIN) as runner:
        settings = runner.settings()
    assert settings["threads"] == torch.get_num_threads()
    assert settings["float32_matmul_precision"] == "highest"


def test_a_runner_for_another_device_works_on_a_copy() -> None:
    class TorchMeta(TorchCPU):
        device = "meta"

    subject = torch_models.linear()
    with TorchMeta(subject.source, subject.signature, PLAIN) as runner:
        assert next(runner.module.parameters()).device.type == "meta"
    assert subject.source.device() == "cpu"


def test_requirements_name_the_missing_device_first() -> None:
    assert TorchCUDA.requires[0] == TorchCompileCUDA.requires[0] == "cuda"
    assert "c++ compiler" in TorchCompileCPU.requires


def test_the_compiled_model_agrees_and_a_new_size_is_not_compiled_anew() -> None:
    from torch._dynamo.testing import CompileCounterWithBackend

    subject = torch_models.residual()
    counter = CompileCounterWithBackend("inductor")
    runner = TorchCompileCPU(subject.source, subject.signature, {"custom_args": {"backend": counter}})
    subject.check(runner, sizes=(2, 3, 5, 7, 1), atol=1e-4)
    # One for all sizes and one for a batch of 1, for which torch never shares code.
    assert counter.frame_count <= 2

    eager = TorchCompileCPU(subject.source, subject.signature, {"custom_args": {"backend": (count := Count())}})
    for _ in range(10):
        other = copy.copy(eager)
        subject.check(other, sizes=(2,), atol=1e-4)
    assert count.calls == 10


class Excluded(torch.nn.Module):
    @torch.compiler.disable
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2


class Broken(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x * 2
        torch._dynamo.graph_break()
        return y + 1


def test_a_compiled_runner_that_compiles_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    excluded = Subject(Excluded(), lambda n: torch.ones(n, 5))
    with (
        TorchCompileCPU(excluded.source, excluded.signature, PLAIN) as runner,
        pytest.raises(StepFailed, match=r"ran eagerly: its forward is under @torch.compiler.disable"),
    ):
        runner.infer(excluded.example)

    monkeypatch.setenv("TORCHDYNAMO_DISABLE", "1")
    subject = torch_models.linear()
    with (
        TorchCompileCPU(subject.source, subject.signature, PLAIN) as runner,
        pytest.raises(StepFailed, match=r"ran eagerly: torch.compile is switched off; unset TORCHDYNAMO_DISABLE"),
    ):
        runner.bind(subject.example)


def test_code_that_an_earlier_runner_compiled_counts() -> None:
    """Of a model with graph breaks, dynamo keeps the parts by class: a second one compiles nothing."""
    for _ in range(12):
        broken = Subject(Broken(), lambda n: torch.ones(n, 5))
        broken.check(TorchCompileCPU(broken.source, broken.signature, {"custom_args": {"backend": "eager"}}), atol=0)


class Count:
    """A backend that counts what it compiles: dynamo gives up on a function after eight."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, graph: torch.fx.GraphModule, example: object) -> Callable[..., object]:
        self.calls += 1
        return graph.forward
