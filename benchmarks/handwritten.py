"""What a user would write without the plugin: export, load, compare and time a model, in one process.

    python benchmarks/handwritten.py cnn

Every artifact is written and loaded once, compared with the model on every batch and on each batch's first row, and
timed at batch 1 and at the largest batch, 75 times after ten calls. Nothing is isolated, repeated, recorded or packed.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import onnxruntime
import torch
from byhand import compare, report, timed
from models import Batch, build

if TYPE_CHECKING:
    import numpy as np

Infer = Callable[[Batch], object]
Bind = Callable[[Batch], Callable[[], object]]


def main() -> None:
    """Check one model."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--no-compile", action="store_true", help="leave out torch.compile")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    model, batches = build(arguments.model)
    cases = [*batches, *(first_row(batch) for batch in batches if size_of(batch) > 1)]
    largest = max(batches, key=size_of)
    with tempfile.TemporaryDirectory() as folder:
        for name, bind in runtimes(model, batches, Path(folder), compiled=not arguments.no_compile):
            check(name, model, bind, cases)
            for batch in (first_row(largest), largest):
                with torch.inference_mode():
                    report(name, size_of(batch), timed(bind(batch)))


def runtimes(
    model: torch.nn.Module, batches: list[Batch], folder: Path, *, compiled: bool
) -> Iterator[tuple[str, Bind]]:
    """Yield each way to run the model, as a function from a batch to the bare call."""
    example = max(batches, key=size_of)
    yield "torch", caller(model)
    if compiled:
        yield "compile", caller(torch.compile(model), axes=dynamic_axes(batches))
    for name, export in (("script", scripted), ("trace", traced)):
        try:
            torch.jit.save(export(model, example), str(folder / name))
        except RuntimeError as error:
            print(f"{name}: not possible: {str(error).strip().splitlines()[0]}")
        else:
            yield name, caller(torch.jit.load(str(folder / name)))
    (args, kwargs), shapes = call_of(example), dims(dynamic_axes(batches))
    program = torch.export.export(model, args, kwargs, dynamic_shapes=shapes, strict=False)
    torch.export.save(program, folder / "model.pt2")
    yield "export", caller(torch.export.load(folder / "model.pt2").module())
    file = folder / "model.onnx"
    torch.onnx.export(model, args, file, kwargs=kwargs, dynamic_shapes=shapes, dynamo=True, verbose=False)
    yield "onnx", onnx_caller(onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"]))


def scripted(model: torch.nn.Module, example: Batch) -> torch.jit.ScriptModule:
    """Return the model as TorchScript, compiled."""
    return torch.jit.script(model)


def traced(model: torch.nn.Module, example: Batch) -> torch.jit.ScriptModule:
    """Return the model as TorchScript, recorded."""
    args, kwargs = call_of(example)
    inputs = {"example_kwarg_inputs": kwargs} if kwargs else {"example_inputs": args}
    return torch.jit.trace(model, check_trace=False, **inputs)


def caller(module: Callable[..., object], axes: dict[str, dict[int, str]] | None = None) -> Bind:
    """Return what binds a batch to a call of a torch module."""

    def bind(batch: Batch) -> Callable[[], object]:
        for name, tensor in named(batch).items():
            for axis in (axes or {}).get(name, ()):
                torch._dynamo.maybe_mark_dynamic(tensor, axis)
        args, kwargs = call_of(batch)
        return lambda: module(*args, **kwargs)

    return bind


def onnx_caller(session: onnxruntime.InferenceSession) -> Bind:
    """Return what binds a batch to a run of a session."""
    names = [node.name for node in session.get_inputs()]

    def bind(batch: Batch) -> Callable[[], object]:
        feed = dict(zip(names, (tensor.numpy() for tensor in named(batch).values()), strict=True))
        return lambda: session.run(None, feed)

    return bind


def check(name: str, model: torch.nn.Module, bind: Bind, cases: list[Batch]) -> None:
    """Compare a runtime with the model."""
    with torch.inference_mode():
        for case in cases:
            compare(name, caller(model)(case)().numpy(), array_of(bind(case)()))


def named(batch: Batch) -> dict[str, torch.Tensor]:
    """Return the tensors of a batch by name."""
    return batch if isinstance(batch, dict) else {"input": batch}


def call_of(batch: Batch) -> tuple[tuple[torch.Tensor, ...], dict[str, torch.Tensor]]:
    """Return the positional and keyword arguments of a batch."""
    return ((), batch) if isinstance(batch, dict) else ((batch,), {})


def size_of(batch: Batch) -> int:
    """Return the batch size."""
    return len(next(iter(named(batch).values())))


def first_row(batch: Batch) -> Batch:
    """Return a batch of size 1."""
    return {name: tensor[:1] for name, tensor in batch.items()} if isinstance(batch, dict) else batch[:1]


def dynamic_axes(batches: list[Batch]) -> dict[str, dict[int, str]]:
    """Return the batch axis and the axes whose size changes, by input."""
    shapes = {name: {named(batch)[name].shape for batch in batches} for name in named(batches[0])}
    return {name: {axis: f"axis{axis}" for axis in changing(found)} for name, found in shapes.items()}


def changing(shapes: set[tuple[int, ...]]) -> list[int]:
    """Return the batch axis and those of another size in another shape."""
    return [axis for axis, sizes in enumerate(zip(*shapes, strict=True)) if not axis or len(set(sizes)) > 1]


def dims(axes: dict[str, dict[int, str]]) -> object:
    """Return the axes as torch.export wants them: by name for keyword arguments, else in order."""
    symbols = {symbol: torch.export.Dim(symbol) for by_axis in axes.values() for symbol in by_axis.values()}
    shapes = {name: {axis: symbols[symbol] for axis, symbol in by_axis.items()} for name, by_axis in axes.items()}
    return tuple(shapes.values()) if set(shapes) == {"input"} else shapes


def array_of(value: object) -> np.ndarray:
    """Return the model's one output as an array."""
    first = value[0] if isinstance(value, (list, tuple)) else value
    return first.numpy() if isinstance(first, torch.Tensor) else first


if __name__ == "__main__":
    main()
