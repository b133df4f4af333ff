from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
import torch_models
from torch_models import Subject

from pytest_navigator.backends.builtin import known
from pytest_navigator.backends.torch.torchscript import TorchScriptConfig, TorchScriptFormat
from pytest_navigator.errors import ConfigError, StepFailed
from pytest_navigator.formats.exporting import frozen

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TorchScriptCPU = known().runners()["TorchScriptCPU"].load()


def exported(subject: Subject, path: Path, **options: object) -> tuple[TorchScriptCPU, dict[str, object]]:
    variant, data = subject.export(TorchScriptFormat(), TorchScriptConfig(**options), path)
    return TorchScriptCPU(path / variant.file, subject.signature, variant.parameters), data


def test_both_types_are_made_by_default_and_keep_their_order() -> None:
    keys = [variant.key for variant in TorchScriptFormat().variants(TorchScriptConfig(), [])]
    assert keys == ["torchscript-script", "torchscript-trace"]
    assert [v.key for v in TorchScriptFormat().variants(TorchScriptConfig(jit_type="trace"), [])] == keys[1:]


@pytest.mark.parametrize("jit_type", ["magic", (), ("trace", "trace")])
def test_a_wrong_jit_type_is_a_configuration_error(jit_type: object) -> None:
    with pytest.raises(ConfigError, match="jit_type"):
        TorchScriptConfig(jit_type=jit_type)


@pytest.mark.parametrize(
    ("make", "interface"),
    [
        (torch_models.linear, "model"),
        (torch_models.residual, "model"),
        (torch_models.heads, "model"),
        (torch_models.nested, "model"),
        (torch_models.half_precision, "model"),
        (torch_models.keyword_only, "flat"),
        (torch_models.constants, "flat"),
    ],
)
def test_a_traced_model_agrees_at_every_batch_size(make: Callable[[], Subject], interface: str, tmp_path: Path) -> None:
    subject = make()
    runner, data = exported(subject, tmp_path, jit_type="trace")
    assert data["interface"] == interface
    subject.check(runner)


@pytest.mark.parametrize("make", [torch_models.residual, torch_models.heads, torch_models.nested])
def test_a_scripted_model_agrees_at_every_batch_size(make: Callable[[], Subject], tmp_path: Path) -> None:
    subject = make()
    runner, _ = exported(subject, tmp_path, jit_type="script")
    subject.check(runner)


def test_an_output_that_is_text_is_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=r"^output 'label' is text, which torch has no type for: leave it out"):
        exported(torch_models.texts(), tmp_path, jit_type="trace")


def test_script_keeps_a_branch_that_trace_loses_with_a_warning(tmp_path: Path) -> None:
    subject = torch_models.branching()
    scripted, _ = exported(subject, tmp_path, jit_type="script")
    with scripted:
        subject.check_sample(scripted, -subject.sample(3))
    traced, data = exported(subject, tmp_path, jit_type="trace")
    told = data["warnings"][0].partition(". ")[0]
    assert told.startswith("torch_models.py:")
    assert told.endswith(
        ": TracerWarning: Converting a tensor to a Python boolean might cause the trace to be incorrect"
    )
    assert frozen(data["warnings"]) == told
    with traced, pytest.raises(AssertionError, match="Not equal to tolerance"):
        subject.check_sample(traced, -subject.sample(3))


def test_what_torchs_own_layers_do_while_they_are_traced_is_no_caveat(tmp_path: Path) -> None:
    _, data = exported(torch_models.recurrent(torch.nn.GRU), tmp_path, jit_type="trace")
    assert data["warnings"][0].startswith("torch/nn/modules/rnn.py:")
    assert frozen(data["warnings"]) == ""


def test_the_first_of_several_frozen_values_is_told_and_the_others_are_counted() -> None:
    lines = ["a.py:1: UserWarning: slow", *(f"a.py:{n}: TracerWarning: Converting it. We cannot." for n in (2, 3, 4))]
    assert frozen(lines) == "a.py:2: TracerWarning: Converting it (2 more in format.log)"


def test_a_transformer_is_traced_by_keywords_and_fails_to_script_in_one_line(tmp_path: Path) -> None:
    subject = torch_models.bert()
    runner, data = exported(subject, tmp_path, jit_type="trace")
    assert data["strict"] is False
    with runner:
        for size, length in ((1, 3), (2, 7), (5, 11)):
            subject.check_sample(runner, torch_models.tokens(size, length))
    with pytest.raises(
        StepFailed, match=r"^torch.jit.script: Failed to get source for <function BertConfig.__init__> "
    ) as failed:
        exported(subject, tmp_path, jit_type="script")
    assert "\n" not in failed.value.message
    assert "Traceback" in failed.value.detail
    assert failed.value.kind


def test_the_example_of_one_row_is_traced_at_batch_two(tmp_path: Path) -> None:
    subject = Subject(torch_models.ScaledByBatch().eval(), lambda n: torch_models.torch.randn(n, 4), example_size=1)
    subject.check(exported(subject, tmp_path, jit_type="trace")[0])


def test_what_scripting_cannot_compile_is_told_with_its_place_and_no_folders(tmp_path: Path) -> None:
    class Unscriptable(torch_models.torch.nn.Module):
        def forward(self, x: torch_models.torch.Tensor) -> torch_models.torch.Tensor:
            return x.bool()

    subject = Subject(Unscriptable().eval(), lambda n: torch_models.torch.randn(n, 4))
    message = r"^torch.jit.script: 'Tensor' object has no attribute or method 'bool' \(at test_torchscript.py:\d+\)$"
    with pytest.raises(StepFailed, match=message):
        exported(subject, tmp_path, jit_type="script")
