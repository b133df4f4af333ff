"""ExecuTorch from programs of PyTorch: outputs, sizes, what is delegated, int8, and what cannot be done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
import torch_models
from torch_models import Subject

from pytest_navigator import Budget, ExecuTorchConfig, QuantizationConfig
from pytest_navigator.backends.builtin import known
from pytest_navigator.backends.executorch.format import ExecuTorchFormat
from pytest_navigator.backends.torch.exportedprogram import TorchExportConfig, TorchExportedProgramFormat
from pytest_navigator.configuration.budgets import Limit
from pytest_navigator.core.facts import MakingFacts
from pytest_navigator.core.plain import structured
from pytest_navigator.core.records import LoaderRecord
from pytest_navigator.errors import ConfigError, InputError, StepFailed
from pytest_navigator.formats.base import LoaderData
from pytest_navigator.gates.budgets import Measured, judge

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_navigator.backends.executorch.runner import ExecuTorchRunner

pytest.importorskip("executorch")
pytest.importorskip("torchao")

PARENT = TorchExportedProgramFormat().variants(TorchExportConfig(), [])[0]
MOST = 9  # Rows that memory is planned for


@dataclass(frozen=True)
class Made:
    """A file and what was recorded of it."""

    facts: MakingFacts
    runner: ExecuTorchRunner


class Network(torch.nn.Module):
    """A convolution, a linear layer, and a sum along the batch that XNNPACK does not have."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = torch.nn.Conv2d(3, 8, 3)
        self.head = torch.nn.Linear(8, 4)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        features = self.head(torch.relu(self.stem(x)).mean((2, 3)))
        return {"y": features, "sums": features.cumsum(0), "bias": self.head.bias.sum()}


class Sums(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.cumsum(1)


class Factors(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = Inverse()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x) + 1


class Inverse(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.inv(x)


def network() -> Subject:
    torch.manual_seed(0)
    return Subject(Network().eval(), lambda n: torch.rand(n, 3, 16, 16))


def converted(subject: Subject, folder: Path, config: ExecuTorchConfig, batches: Any = None) -> Made:
    """Export a model, and convert the program."""
    parent = folder / "model.pt2"
    if not parent.exists():
        subject.export(TorchExportedProgramFormat(), TorchExportConfig(), folder)
        parent = next(folder.rglob("model.pt2"))
    variant = ExecuTorchFormat().variants(config, [PARENT])[-1]
    path = folder / f"{variant.key}.pte"
    given = [subject.feed(subject.sample(rows)) for rows in (2, MOST)] if batches is None else batches
    data = LoaderData(subject.example, given, LoaderRecord(max_batch_size=MOST))
    found = ExecuTorchFormat().convert(parent, data, subject.signature, variant, path)
    kind = known().runners()["ExecuTorchCPU"].load()
    return Made(structured(found, MakingFacts), kind(path, subject.signature, variant.parameters))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("network")


@pytest.fixture(scope="module")
def floats(folder: Path) -> Made:
    return converted(network(), folder, ExecuTorchConfig())


@pytest.fixture(scope="module")
def quantized(folder: Path, floats: Made) -> Made:
    return converted(network(), folder, ExecuTorchConfig(precision="int8"))


def test_a_file_agrees_at_every_batch_up_to_the_largest_and_its_outputs_are_copies(floats: Made) -> None:
    subject, runner = network(), floats.runner
    subject.check(runner, (1, 2, MOST))
    with runner:
        feed = subject.example
        first = runner.infer(feed)
        kept = {name: array.copy() for name, array in first.items()}
        turned = {"x": np.ascontiguousarray(feed["x"].transpose(3, 2, 1, 0)).transpose(3, 2, 1, 0)}
        np.testing.assert_array_equal(runner.infer(turned)["y"], kept["y"])
        runner.infer({"x": feed["x"] * 2})
        np.testing.assert_array_equal(first["y"], kept["y"])


def test_an_input_larger_than_the_memory_is_refused_with_what_to_do_and_the_runner_goes_on(floats: Made) -> None:
    subject = network()
    assert floats.facts.max_batch_size == MOST
    with floats.runner as runner:
        with pytest.raises(InputError, match=rf"input x is \({MOST + 1}, 3, 16, 16\), .* memory for \({MOST}, 3, 16"):
            runner.infer(subject.feed(subject.sample(MOST + 1)))
        with pytest.raises(InputError, match="take no empty arrays"):
            runner.infer({"x": np.zeros((0, 3, 16, 16), np.float32)})
        subject.check_sample(runner, subject.sample(2))


def test_files_beside_each_other_share_the_threads_of_the_process_which_has_them_back_at_the_end(
    floats: Made, quantized: Made, capfd: pytest.CaptureFixture[str]
) -> None:
    subject = network()
    capfd.readouterr()  # what the conversions said
    with floats.runner as runner:
        threads = runner.settings()["num_threads"]
    for made in (floats, quantized):
        made.runner.single_thread = True
        made.runner.activate()
    floats.runner.infer(subject.example)
    quantized.runner.infer(subject.example)
    floats.runner.deactivate()
    assert quantized.runner.settings()["num_threads"] == 1
    quantized.runner.infer(subject.example)
    quantized.runner.deactivate()

    floats.runner.single_thread = quantized.runner.single_thread = False
    with floats.runner as runner:
        assert runner.settings()["num_threads"] == threads
    assert capfd.readouterr().err == ""


def test_a_file_that_cannot_be_loaded_says_what_the_runtime_says(
    floats: Made, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model.pte").write_bytes(b"no program" * 100)
    runner = type(floats.runner)(tmp_path / "model.pte", network().signature, {})
    with pytest.raises(StepFailed, match="cannot load the program"):
        runner.activate()
    assert "Program identifier" in capfd.readouterr().err


def test_what_is_delegated_is_told_with_operators_and_held_to_a_budget(floats: Made) -> None:
    delegated = floats.facts.delegated
    assert delegated is not None
    assert 0 < delegated.delegated < delegated.total
    assert "aten_cumsum_default" in delegated.left
    assert f"{delegated.delegated} of {delegated.total} nodes are delegated to xnnpack, not" in str(floats.facts.note)
    low, high = (judge(Limit("executorch", "delegated", share), Measured(delegated=delegated)) for share in (0.1, 0.99))
    assert low.kept
    assert not high.kept
    assert "below the budget of 0.99 of the nodes: " in high.line
    assert not judge(Limit("onnx", "delegated", 0.1), Measured()).kept


def test_int8_is_calibrated_and_says_how_many_layers_it_has(quantized: Made) -> None:
    found = quantized.facts.quantized
    assert found is not None
    assert (found.quantized, found.total, found.samples) == (2, 2, 2)
    with quantized.runner as runner:
        subject = network()
        sample = subject.sample(4)
        off = runner.infer(subject.feed(sample))["y"] - subject.expected(sample)["y"]
    assert 0 < abs(off).max() < 0.05


def test_a_layer_that_is_left_out_stays_in_floating_point(folder: Path, quantized: Made) -> None:
    asked = QuantizationConfig(exclude=["stem"], symmetric=True, per_channel=False, calibration_method="minmax")
    found = converted(network(), folder, ExecuTorchConfig(precision="int8", quantization=asked)).facts.quantized
    assert found is not None
    assert (found.quantized, found.total, found.excluded) == (1, 2, ("stem",))
    assert "one scale a weight), int8 activations (symmetric, minmax)" in found.scheme


@pytest.mark.parametrize(
    ("asked", "batches", "said"),
    [
        ({"exclude": ["stam"]}, None, "exclude has 'stam', .* did you mean 'stem'"),
        ({"exclude": ["*"]}, None, "torchao quantized none of the 2 layers: exclude="),
        ({}, [], "no sample to calibrate on"),
        ({}, [{"x": np.full((2, 3, 16, 16), np.nan, np.float32)}], "not finite"),
    ],
)
def test_a_quantization_that_cannot_be_done_says_why(
    asked: dict[str, Any], batches: Any, said: str, folder: Path, floats: Made
) -> None:
    config = ExecuTorchConfig(precision="int8", quantization=QuantizationConfig(**asked))
    with pytest.raises(StepFailed, match=said):
        converted(network(), folder, config, batches)


def test_an_option_that_the_compiler_lacks_is_refused_with_the_nearest_one(folder: Path, floats: Made) -> None:
    with pytest.raises(StepFailed, match=r"'preserve_op'; did you mean 'preserve_ops'"):
        converted(network(), folder, ExecuTorchConfig(custom_args={"preserve_op": []}))


def test_a_model_with_nothing_to_quantize_fails(tmp_path: Path) -> None:
    subject = Subject(Sums().eval(), lambda n: torch.rand(n, 4))
    with pytest.raises(StepFailed, match="there is nothing to quantize"):
        converted(subject, tmp_path, ExecuTorchConfig(precision="int8"))


def test_a_model_of_which_nothing_is_delegated_fails_unless_that_is_let_pass(tmp_path: Path) -> None:
    subject = Subject(Sums().eval(), lambda n: torch.rand(n, 4))
    with pytest.raises(StepFailed, match=r"nothing is delegated: 0 of 1 nodes .*aten_cumsum.*min_delegated=0"):
        converted(subject, tmp_path, ExecuTorchConfig())
    made = converted(subject, tmp_path, ExecuTorchConfig(min_delegated=0))
    subject.check(made.runner)


def test_too_little_that_is_delegated_fails_with_the_share(folder: Path, floats: Made) -> None:
    with pytest.raises(StepFailed, match=r"nodes are delegated to xnnpack, not .*: 0.*, below min_delegated=0.95"):
        converted(network(), folder, ExecuTorchConfig(min_delegated=0.95))


def test_an_operator_without_a_kernel_is_named_with_its_module(tmp_path: Path) -> None:
    subject = Subject(Factors().eval(), lambda n: torch.eye(4).repeat(n, 1, 1))
    with pytest.raises(StepFailed, match=r"linalg_inv.* in inner"):
        converted(subject, tmp_path, ExecuTorchConfig(min_delegated=0))


@pytest.mark.parametrize(
    "make",
    [
        torch_models.linear,
        torch_models.residual,
        torch_models.heads,
        torch_models.nested,
        torch_models.keyword_only,
        pytest.param(torch_models.bert, marks=pytest.mark.slow),
    ],
)
def test_models_of_each_structure_agree(make: Callable[[], Subject], tmp_path: Path) -> None:
    subject = make()
    subject.check(converted(subject, tmp_path, ExecuTorchConfig(min_delegated=0)).runner)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"backend": "xnpack"}, "backend='xnpack'"),
        ({"precision": "fp16"}, "precision="),
        ({"min_delegated": 80}, "a number from 0 to 1"),
        ({"min_delegated": 0.5, "backend": None}, "nothing is delegated to None"),
        ({"max_batch_size": 0}, "a whole number"),
        ({"precision": "int8", "backend": None}, "int8 is for XNNPACK"),
        ({"quantization": QuantizationConfig(calibration_method="entropy")}, "histogram"),
        ({"quantization": QuantizationConfig(search="accuracy")}, "no search"),
    ],
)
def test_a_field_with_an_impossible_value_is_refused(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        ExecuTorchConfig(**fields)


def test_memory_for_less_than_the_samples_is_refused() -> None:
    variant = ExecuTorchFormat().variants(ExecuTorchConfig(max_batch_size=4), [PARENT])[0]
    with pytest.raises(StepFailed, match=r"max_batch_size=4\) is below the largest batch of the samples, 9"):
        ExecuTorchFormat().check_fit(variant, LoaderRecord(max_batch_size=9), network().signature)


def test_a_budget_of_a_share_is_a_number_between_none_and_all() -> None:
    assert Budget(min_delegated=0.8).min_delegated == 0.8
    with pytest.raises(ConfigError, match="above 0 and below 1"):
        Budget(min_delegated=80)
