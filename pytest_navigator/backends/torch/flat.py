"""A live PyTorch model as exporters want it: tensors in, a tuple of tensors out."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, cast

from pytest_navigator.backends.torch import exports as torch_exports
from pytest_navigator.backends.torch.runners import moved_copy
from pytest_navigator.backends.torch.source import calling, preserving
from pytest_navigator.core.records import TEXT_TYPES
from pytest_navigator.devices.requirements import missing
from pytest_navigator.errors import StepFailed, Unavailable
from pytest_navigator.formats.exporting import axis_name, fixed_axis
from pytest_navigator.formats.traces import without_folders
from pytest_navigator.reproduce.code import identifiers
from pytest_navigator.runners.outputs import by_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import torch

    from pytest_navigator.backends.torch.source import TorchSource
    from pytest_navigator.core.plain import Parameters
    from pytest_navigator.core.records import Signature, TensorSpec
    from pytest_navigator.frameworks.base import Source

Example = tuple["torch.Tensor", ...]


def on_device(source: Source, parameters: Parameters) -> tuple[torch.nn.Module, str]:
    """Return the model on the device that the variant asks for (a copy if it is not there), and that device.

    Raises:
        Unavailable: there is no such device.
    """
    model, here = cast("TorchSource", source).model, source.device()
    wanted = parameters.get("device") or here
    if wanted.partition(":")[0] == here.partition(":")[0]:
        return model, here
    if wanted.startswith("cuda") and (text := missing(("cuda", "torch-cuda"))):
        raise Unavailable(text)
    return moved_copy(model, wanted), wanted


def example_tensors(example: Mapping[str, np.ndarray], signature: Signature, device: str) -> Example:
    """Return an example as tensors in the signature's order, with no dynamic axis of size 0 or 1."""
    axes = {spec.name: list(spec.axes) for spec in signature.inputs}
    return cast("Example", torch_exports.example_tensors(example, axes=axes, device=device))


def flat_module(model: torch.nn.Module, signature: Signature) -> torch.nn.Module:
    """Return a module that takes the inputs by position and returns the outputs as a tuple of tensors.

    What is exported from it needs no class of the model's library when it is loaded. The parameters have the inputs'
    names.

    Raises:
        StepFailed: an output is text.
    """
    import torch

    from pytest_navigator.samples.structure import unflatten_call

    names = [spec.name for spec in signature.inputs]
    if text := [spec.name for spec in signature.outputs if spec.dtype in TEXT_TYPES.values()]:
        raise StepFailed(f"output {text[0]!r} is text, which torch has no type for: leave it out of what is exported")

    class Flat(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
            call = unflatten_call(signature.input_tree, dict(zip(names, tensors, strict=True)))
            found = by_name(signature, self.model(*call.args, **call.kwargs))
            return tuple(_tensor(value, spec) for value, spec in zip(found.values(), signature.outputs, strict=True))

    parameters = [inspect.Parameter(n, inspect.Parameter.POSITIONAL_OR_KEYWORD) for n in ("self", *identifiers(names))]
    cast("Any", Flat.forward).__signature__ = inspect.Signature(parameters)
    flat = Flat()
    flat.training = bool(getattr(model, "training", False))  # train() would tell the model, and programs refuse it
    return flat


def scripted(model: torch.nn.Module, **options: Any) -> Any:
    """Return `torch.jit.script(model)`.

    A class whose compilation has failed stays half known to TorchScript: the next attempt would tell another reason.
    """
    import torch

    known = torch.jit._recursive.concrete_type_store.type_store
    before = {kind: list(types) for kind, types in known.items()}
    try:
        return torch.jit.script(model, **options)
    except Exception:
        known.clear()
        known.update(before)
        raise


def _tensor(value: Any, spec: TensorSpec) -> torch.Tensor:
    """Numbers in the output are tensors of the type that numpy gives them in the source's own outputs."""
    import torch

    return value if isinstance(value, torch.Tensor) else torch.tensor(value, dtype=getattr(torch, spec.dtype))


def exported_program(
    model: torch.nn.Module, tensors: Example, signature: Signature, parameters: Parameters, device: str
) -> tuple[torch.export.ExportedProgram, bool]:
    """Return the model as a program in which every axis that is dynamic in the signature is dynamic.

    The second value is whether torch has derived conditions on the sizes of these axes.
    Its stack traces tell files by name, without the folders of this machine.

    Args:
        parameters: `custom_args` go to `torch.export.export`; the modes of the call as in TorchExportConfig.

    Raises:
        Exception: what torch raises; the first way's error when the others fail too.
        StepFailed: the exporter fixed an axis.
    """
    flat = flat_module(model, signature)
    errors: list[Exception] = []
    for attempt in (_named_dims, _derived_dims):
        try:
            with preserving(model), calling({**parameters, "inference_mode": False}, device):
                program = attempt(flat, tensors, signature, dict(parameters.get("custom_args", {})))
                return _named_files(program), attempt is _derived_dims
        except Exception as error:
            errors.append(error)
            if not is_about_sizes(error):
                break
    raise errors[0]


def _named_files(program: torch.export.ExportedProgram) -> torch.export.ExportedProgram:
    import torch

    for module in program.graph_module.modules():
        for node in module.graph.nodes if isinstance(module, torch.fx.GraphModule) else ():
            if node.stack_trace:
                node.meta["stack_trace"] = without_folders(node.stack_trace)
    return program


def _named_dims(flat: torch.nn.Module, tensors: Example, signature: Signature, options: dict[str, Any]) -> Any:
    """Export with one torch Dim per symbol: torch proves that all its sizes are possible."""
    import torch

    dims = {symbol: torch.export.Dim(name) for symbol, name in _dim_names(signature).items()}
    shapes = tuple({axis: dims[symbol] for axis, symbol in spec.axes.items()} for spec in signature.inputs)
    return torch.export.export(flat, tensors, dynamic_shapes=shapes, **{"strict": False, **options})


def _derived_dims(flat: torch.nn.Module, tensors: Example, signature: Signature, options: dict[str, Any]) -> Any:
    """Let torch derive conditions on the sizes (a multiple of 2), which the program then checks; fix none of them."""
    import torch
    from torch.fx.experimental.symbolic_shapes import is_concrete_int

    auto = torch.export.Dim.AUTO
    shapes = tuple(dict.fromkeys(spec.axes, auto) for spec in signature.inputs)
    program = torch.export.export(flat, tensors, dynamic_shapes=shapes, **{"strict": False, **options})
    nodes = {node.name: node for node in program.graph.nodes if node.op == "placeholder"}
    for spec, node in zip(signature.inputs, program.graph_signature.user_inputs, strict=True):
        for axis in spec.axes:
            if is_concrete_int(size := nodes[node].meta["val"].shape[axis]):
                raise StepFailed(fixed_axis(axis_name(axis, signature), "input", spec.name, int(size)))
    return program


def _dim_names(signature: Signature) -> dict[str, str]:
    symbols = list(dict.fromkeys(symbol for spec in signature.inputs for symbol in spec.axes.values()))
    return dict(zip(symbols, identifiers(symbols), strict=True))


def is_about_sizes(error: BaseException) -> bool:
    """Whether torch.export refused a dynamic axis."""
    return any(word in str(error) for word in ("Constraints violated", "0/1 speciali", "specialized"))
