"""Models of PyTorch and what LiteRT says of each, run by a Python with litert-torch: one process for all."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import torch

from pytest_navigator import LiteRTConfig, QuantizationConfig
from pytest_navigator.backends.litert.format import LiteRTFormat
from pytest_navigator.core.records import LoaderRecord, Signature, TensorSpec
from pytest_navigator.core.variants import Variant
from pytest_navigator.errors import StepFailed
from pytest_navigator.formats.base import LoaderData


class MLP(torch.nn.Module):
    """Layers whose operators LiteRT fuses, the last one an output; and an input that is one."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = torch.nn.Linear(4, 64), torch.nn.Linear(64, 4)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.second(torch.relu(self.first(x))), x


class Values(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.linalg.svdvals(x.unsqueeze(-1)), x


class Unsupported(torch.nn.Module):
    """An operator that litert-torch has not, in a module of a module."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.inner = torch.nn.Linear(4, 4), torch.nn.ModuleList([Values()])

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return self.inner[0](self.first(x))


def convert(model: torch.nn.Module, folder: Path, **asked: object) -> dict[str, object]:
    """Convert a model to int8; returns what is recorded, or the error as text."""
    program = torch.export.export(model.eval(), (torch.zeros(2, 4),), dynamic_shapes=({0: torch.export.Dim("batch")},))
    torch.export.save(program, folder / "model.pt2")
    spec = TensorSpec("x", (-1, 4), "float32", {0: "batch"}, True)
    outputs = tuple(TensorSpec(name, (-1, 4), "float32", {0: "batch"}, True) for name in ("y", "same"))
    signature = Signature((spec,), outputs, {"args": [0], "kwargs": []}, {"list": []}, 0, "torch")
    batches = [{"x": np.linspace(-1, size, 4 * size, dtype="float32").reshape(size, 4)} for size in (1, 2)]
    parent = Variant("torch-exportedprogram", "torch-exportedprogram", None, "model.pt2", {})
    config = LiteRTConfig(precision="int8", quantization=QuantizationConfig(**asked))
    form, variant = LiteRTFormat(), LiteRTFormat().variants(config, [parent])[1]
    data = LoaderData(batches[0], batches, LoaderRecord(max_batch_size=2))
    try:
        found = form.convert(folder / "model.pt2", data, signature, variant, folder / "model.litert")
    except StepFailed as error:
        return {"error": str(error)}
    with form.runner_specs[0].load()(folder / "model.litert", signature, variant.parameters) as runner:
        y, same = runner.infer(batches[1]).values()
        wanted = model(torch.from_numpy(batches[1]["x"]))[0].detach().numpy()
        return {
            "quantized": found["quantized"],
            "off": float(np.abs(y - wanted).max()),
            "same": float(np.abs(same - batches[1]["x"]).max()),
            "dtype": str(same.dtype),
        }


if __name__ == "__main__":
    torch.manual_seed(0)
    cases = {
        "mlp": (MLP(), {}),
        "without the first layer": (MLP(), {"exclude": ["first"]}),
        "without the last layer": (MLP(), {"exclude": ["second"]}),
        "without no layer": (MLP(), {"exclude": ["frist"]}),
        "unsupported": (Unsupported(), {}),
    }
    found = {}
    for name, (model, asked) in cases.items():
        folder = Path(sys.argv[1], name.replace(" ", "_"))
        folder.mkdir()
        found[name] = convert(model, folder, **asked)
    print(json.dumps(found))
