"""Measure how far right exports are from their source, and how far wrong ones: where the default tolerances come from.

    python benchmarks/tolerances.py            # every model, a few minutes on two cores
    python benchmarks/tolerances.py linear cnn

Prints Markdown: per model, type and format the largest absolute difference over the output's scale, and what the
default rule compares, the largest |actual - expected| / (|expected| + scale). Random weights from a fixed seed; the CPU
only. An error's name stands where a format could not be made or run.
"""

from __future__ import annotations

import io
import logging
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

from pytest_navigator.comparison import measures
from pytest_navigator.comparison.precisions import DEFAULTS
from pytest_navigator.comparison.tolerances import number

Infer = Callable[[torch.Tensor], torch.Tensor]
TYPES = {"fp64": torch.float64, "fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
BATCHES = (8, 1)


class Block(nn.Module):
    """ResNet's basic block."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.skip = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        return torch.relu(self.body(x) + self.skip(x))


class Lstm(nn.Module):
    """Two layers over 32 steps."""

    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(16, 64, 2, batch_first=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        return self.lstm(x)[0]


class Bert(nn.Module):
    """A BERT with random weights; its last hidden state."""

    def __init__(self, layers: int, width: int) -> None:
        super().__init__()
        from transformers import BertConfig, BertModel

        config = BertConfig(
            num_hidden_layers=layers,
            hidden_size=width,
            intermediate_size=4 * width,
            num_attention_heads=width // 32,
            vocab_size=1000,
        )
        self.bert = BertModel(config, add_pooling_layer=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        return self.bert(input_ids=x).last_hidden_state


class Times(nn.Module):
    """Large logits, so that softmax and sigmoid saturate."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # noqa: D102
        return 100 * x


def cnn() -> nn.Module:
    """ResNet-18's widths and depth; statistics of BatchNorm that are not 0 and 1."""
    widths = [64, 64, 128, 128, 256, 256, 512, 512]
    blocks = [Block(a, b, 1 + (a < b)) for a, b in zip([64, *widths], widths, strict=False)]
    stem = [nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1)]
    model = nn.Sequential(*stem, *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 100))
    with torch.no_grad():
        model(torch.randn(16, 3, 64, 64))
    return model


def mlp(depth: int = 24, gain: float = 1.5) -> nn.Module:
    """Deep and never normalised: its outputs are of the order of gain ** depth."""
    layers = [nn.Sequential(nn.Linear(128, 128), nn.ReLU()) for _ in range(depth)]
    for layer in layers:
        nn.init.normal_(layer[0].weight, std=gain * (2 / 128) ** 0.5)
    return nn.Sequential(*layers, nn.Linear(128, 10))


def head(last: nn.Module, *before: nn.Module) -> nn.Module:
    """A small classifier of 1000 classes."""
    return nn.Sequential(nn.Linear(64, 256), nn.GELU(), nn.Linear(256, 1000), *before, last)


MODELS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "linear": (lambda: nn.Linear(512, 256), (512,)),
    "cnn": (cnn, (3, 64, 64)),
    "lstm": (Lstm, (32, 16)),
    "mlp": (mlp, (128,)),
    "bert-tiny": (lambda: Bert(2, 128), (64,)),
    "bert-medium": (lambda: Bert(8, 512), (128,)),
    "softmax": (lambda: head(nn.Softmax(-1)), (64,)),
    "sigmoid": (lambda: head(nn.Sigmoid()), (64,)),
    "softmax-of-large": (lambda: head(nn.Softmax(-1), Times()), (64,)),
    "large-logits": (lambda: head(Times()), (64,)),
}


def sample(name: str, batch: int) -> torch.Tensor:
    """Return random tokens or numbers, whichever the model takes."""
    shape = (batch, *MODELS[name][1])
    return torch.randint(0, 1000, shape) if name.startswith("bert") else torch.randn(shape)


def trace(model: nn.Module, x: torch.Tensor, folder: Path) -> Infer:
    """TorchScript, traced and frozen."""
    return torch.jit.freeze(torch.jit.trace(model, x, check_trace=False, strict=False))


def exported_program(model: nn.Module, x: torch.Tensor, folder: Path) -> Infer:
    """torch.export, with a dynamic batch."""
    dynamic = ({0: torch.export.Dim.DYNAMIC},)
    with torch.fx.experimental._config.patch(backed_size_oblivious=True):
        return torch.export.export(model, (x,), dynamic_shapes=dynamic, strict=False).module()


def compiled(model: nn.Module, x: torch.Tensor, folder: Path) -> Infer:
    """torch.compile, which fuses and so rounds less often."""
    # Models share their forward function: without this, the ninth of them silently runs uncompiled.
    torch.compiler.reset()
    with torch._dynamo.config.patch(fail_on_recompile_limit_hit=True):
        infer = torch.compile(model, dynamic=True)
        infer(x)
    return infer


def onnx_cpu(model: nn.Module, x: torch.Tensor, folder: Path) -> Infer:
    """The dynamo exporter and ONNX Runtime."""
    return session(exported_onnx(model, x, folder))


def int8(model: nn.Module, x: torch.Tensor, folder: Path) -> Infer:
    """ONNX Runtime's dynamic quantisation: weights and, per inference, activations."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    of_float32(model)
    exported = onnx.load(exported_onnx(model, x, folder))
    # The exporter transposes the weights of a Gemm after it wrote their shapes; the quantiser would stumble over those.
    del exported.graph.value_info[:]
    quantize_dynamic(exported, folder / "int8.onnx", weight_type=QuantType.QUInt8)
    return session(folder / "int8.onnx")


def exported_onnx(model: nn.Module, x: torch.Tensor, folder: Path) -> Path:
    """Write the model as ONNX, with a dynamic batch."""
    if next(model.parameters()).dtype == torch.bfloat16:
        raise NotImplementedError("numpy and so ONNX Runtime's Python interface have no bfloat16")
    dynamic = ({0: torch.export.Dim.DYNAMIC},)
    path = folder / "model.onnx"
    torch.onnx.export(model, (x,), path, dynamo=True, dynamic_shapes=dynamic, external_data=False, verbose=False)
    return path


def session(path: Path) -> Infer:
    """ONNX Runtime on the CPU."""
    runtime = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = runtime.get_inputs()[0].name
    return lambda x: torch.from_numpy(runtime.run(None, {name: x.numpy()})[0])


def of_float32(model: nn.Module) -> None:
    """Raise NotImplementedError for a source of a smaller type, which nobody makes smaller still."""
    if next(model.parameters()).dtype != torch.float32:
        raise NotImplementedError("of float32 sources only")


def lowered(kind: torch.dtype) -> Callable[[nn.Module, torch.Tensor, Path], Infer]:
    """The same model with weights and arithmetic of a smaller type: what a converter with a precision makes."""

    def make(model: nn.Module, x: torch.Tensor, folder: Path) -> Infer:
        of_float32(model)
        stream = io.BytesIO()
        torch.save(model, stream)
        stream.seek(0)
        small = torch.load(stream, weights_only=False).to(kind)
        return lambda x: small(x.to(kind) if x.is_floating_point() else x).float()

    return make


FORMATS: dict[str, Callable[[nn.Module, torch.Tensor, Path], Infer]] = {
    "trace": trace,
    "exportedprogram": exported_program,
    "compile": compiled,
    "onnx": onnx_cpu,
    "to fp16": lowered(torch.float16),
    "to bf16": lowered(torch.bfloat16),
    "to int8": int8,
}


def distance(pairs: list[tuple[torch.Tensor, torch.Tensor]]) -> tuple[float, float]:
    """Return max abs / scale, and the default rule's measure."""
    wide = [tuple(tensor.double().numpy() for tensor in pair) for pair in pairs]
    scale = measures.scale([measures.magnitudes(e) for e, _ in wide], max(float(np.abs(e).max()) for e, _ in wide))
    off = max(float(np.abs(e - a).max()) for e, a in wide)
    return off / scale, max(float((np.abs(e - a) / (np.abs(e) + scale)).max()) for e, a in wide)


def rows(name: str, precision: str, seed: int = 0) -> list[tuple[str, ...]]:
    """Measure one model in one type."""
    torch.manual_seed(seed)
    kind = TYPES[precision]
    model = MODELS[name][0]().eval().to(kind)
    inputs = [x.to(kind) if x.is_floating_point() else x for x in (sample(name, batch) for batch in (*BATCHES, 5))]
    expected = [model(x) for x in inputs]
    found = []
    for label, make in FORMATS.items():
        with tempfile.TemporaryDirectory() as folder:
            try:
                infer = make(model, inputs[0], Path(folder))
                figures = distance([(e, infer(x)) for e, x in zip(expected, inputs, strict=True)])
            except NotImplementedError:
                continue
            except Exception as error:
                found.append((name, precision, label, type(error).__name__, ""))
                continue
        found.append((name, precision, label, *map(number, figures)))
    return [*found, *((name, precision, label, *map(number, figures)) for label, figures in defects(expected))]


def defects(expected: list[torch.Tensor]) -> list[tuple[str, tuple[float, float]]]:
    """Measure what the defaults have to catch, on the same outputs."""
    first = expected[0]
    row = first.clone()
    row[3] = first[4]
    wrong = {"(x 1000)": first.double() * 1000, "(x batch)": first.double() * len(first), "(one wrong row)": row}
    return [(label, distance([(first, actual), *((e, e) for e in expected[1:])])) for label, actual in wrong.items()]


def main(names: list[str]) -> None:
    """Print the table."""
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    torch.set_grad_enabled(False)
    print("defaults:", ", ".join(f"{name} {number(rtol)}" for name, (rtol, _) in DEFAULTS.items()), "\n")
    print("| model | source | format | max abs / scale | max abs / (value + scale) |\n|---|---|---|---|---|")
    for name in names or MODELS:
        for precision in TYPES:
            for row in rows(name, precision):
                print(f"| {' | '.join(row)} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
