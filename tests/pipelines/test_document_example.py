"""What Model Navigator's README says of inplace optimization and of profiling, with another import line."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
import torch
import yaml

import pytest_navigator as nav
from pytest_navigator.pipelines.swapped import Swapped

if TYPE_CHECKING:
    from pathlib import Path

INPLACE = """
import pytest_navigator as nav

dataloader = [(1, "<a photo of an astronaut riding a horse on mars>")] # batch_size, sample

pipeline = Pipeline(...)
pipeline.model = nav.Module(pipeline.model)

nav.optimize(pipeline, dataloader)

pipeline(...)
"""

# The document's own line, `nav.profile(func=pipeline, dataloader)`, is none of Python.
PROFILING = "nav.profile(func=pipeline, dataloader=dataloader)"


class Model(torch.nn.Module):
    """One that waits, which no format does: so each is faster."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 8))

    def forward(self, x):
        time.sleep(0.02)
        return self.layers(x)


class Pipeline:
    """Any pipeline: a text, or an ellipsis, becomes numbers, and a model has its turn with them."""

    def __init__(self, name: object) -> None:
        torch.manual_seed(0)
        self.model = Model().eval()

    def __call__(self, prompt: object) -> torch.Tensor:
        letters = torch.tensor([[ord(letter) for letter in str(prompt)[:64].ljust(64)]], dtype=torch.float32)
        with torch.no_grad():
            return self.model(letters / 128)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_code_of_the_document_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAV_PIPELINES_DIR", str(tmp_path / "store"))
    names: dict[str, Any] = {"Pipeline": Pipeline}

    exec(INPLACE, names)

    pipeline = names["pipeline"]
    assert type(pipeline.model) is Model
    expected, loaded = pipeline("a horse"), nav.load_optimized()
    assert isinstance(pipeline.model.forward, Swapped)
    torch.testing.assert_close(pipeline("a horse"), expected)
    assert not loaded.eager

    exec(PROFILING, names)

    report = yaml.safe_load((tmp_path / "profile.yaml").read_text())
    assert {"eager", "onnx", "torchscript-trace"} <= set(report["models"])
