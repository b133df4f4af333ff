from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch_models
from torch_models import Subject

from pytest_navigator.backends.builtin import known
from pytest_navigator.backends.torch.exportedprogram import TorchExportConfig, TorchExportedProgramFormat
from pytest_navigator.errors import StepFailed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TorchExportedProgramCPU = known().runners()["TorchExportedProgramCPU"].load()

LOAD_WITHOUT_TRANSFORMERS = """
import sys
sys.modules["transformers"] = None
import numpy, torch
module = torch.export.load(sys.argv[1]).module()
arrays = numpy.load(sys.argv[2])
for n in range(4):
    out, *_ = module(*(torch.from_numpy(arrays[f"{n}_{name}"]) for name in ("input_ids", "attention_mask")))
    numpy.testing.assert_allclose(out.detach().numpy(), arrays[f"{n}_last_hidden_state"], atol=1e-5)
    print(tuple(out.shape))
"""


def exported(subject: Subject, path: Path) -> TorchExportedProgramCPU:
    variant, _ = subject.export(TorchExportedProgramFormat(), TorchExportConfig(), path)
    return TorchExportedProgramCPU(path / variant.file, subject.signature, variant.parameters)


@pytest.mark.parametrize(
    "make",
    [
        torch_models.linear,
        torch_models.residual,
        torch_models.heads,
        torch_models.nested,
        torch_models.keyword_only,
        torch_models.half_precision,
        torch_models.numbers,
        torch_models.constants,
    ],
)
def test_a_program_agrees_at_every_batch_size(make: Callable[[], Subject], tmp_path: Path) -> None:
    subject = make()
    subject.check(exported(subject, tmp_path))


@pytest.mark.slow
def test_a_transformers_program_loads_without_transformers_at_other_sizes(tmp_path: Path) -> None:
    subject = torch_models.bert()
    exported(subject, tmp_path)
    arrays = {}
    for n, (size, length) in enumerate(((1, 3), (2, 7), (5, 11), (1, 1))):
        sample = torch_models.tokens(size, length)
        arrays |= {f"{n}_{name}": array for name, array in (subject.feed(sample) | subject.expected(sample)).items()}
    np.savez(tmp_path / "arrays.npz", **arrays)
    command = [sys.executable, "-c", LOAD_WITHOUT_TRANSFORMERS, tmp_path / "model.pt2", tmp_path / "arrays.npz"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[:4] == ["(1, 3, 16)", "(2, 7, 16)", "(5, 11, 16)", "(1, 1, 16)"]


@pytest.mark.parametrize("length", [1, 7])
def test_an_example_of_one_row_and_even_of_one_token_is_enough(length: int, tmp_path: Path) -> None:
    model = torch_models.torch.nn.TransformerEncoderLayer(8, 2, batch_first=True).eval()
    both = {0: "batch", 1: "length"}
    axes = {"src": both, "output__0": both}
    subject = Subject(model, lambda n: torch_models.torch.randn(n, length, 8), axes, example_size=1)
    with exported(subject, tmp_path) as runner:
        for shape in ((1, 7, 8), (3, 5, 8)):
            subject.check_sample(runner, torch_models.torch.randn(shape))


def test_a_condition_on_the_size_stays_a_condition(tmp_path: Path) -> None:
    subject = torch_models.halves()
    with exported(subject, tmp_path) as runner:
        for shape in ((1, 4), (3, 10)):
            subject.check_sample(runner, torch_models.torch.randn(shape))


def test_a_batch_that_the_model_fixes_is_a_failure_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=r"^torch.export: the model fixes batch to 2 ") as failed:
        exported(torch_models.baked(), tmp_path)
    assert failed.value.kind


def test_a_branch_on_values_is_a_failure_that_names_the_line(tmp_path: Path) -> None:
    message = r"branches on the values of a tensor .*\(at torch_models.py:\d+: if x.sum\(\) > 0:\)"
    with pytest.raises(StepFailed, match=message):
        exported(torch_models.branching(), tmp_path)
