"""What files of PyTorch say of themselves. Runs in the child."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_navigator.backends.torch.programs import load_program
from pytest_navigator.comparison.precisions import lowest
from pytest_navigator.core.records import Description, TensorSpec
from pytest_navigator.errors import SourceError
from pytest_navigator.formats.given_signature import signature_of
from pytest_navigator.isolation.causes import error_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import torch

    from pytest_navigator.core.plain import Tree


def describe_torchscript(path: Path, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> Description:
    """Return what the user says of a TorchScript file: it knows its parameters' names only.

    Raises:
        SourceError: it cannot be loaded, takes another number of inputs, or nobody says what they are.
    """
    import torch

    with warnings.catch_warnings():
        # torch.jit.load calls itself deprecated: whoever gives such a file can do nothing about it.
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            module = torch.jit.load(str(path), map_location="cpu")
        except Exception as error:
            raise SourceError(f"{path.name} cannot be loaded: {error_line(error)}") from error
    arguments = module.forward.schema.arguments[1:]  # without self, whatever it is called
    needed = [argument.name for argument in arguments if not argument.has_default_value()]
    found, given = signature_of(path, inputs, outputs, [_indexed(name, i) for i, name in enumerate(needed)])
    if not len(needed) <= len(found) <= len(arguments):
        raise SourceError(
            f"{path.name} takes {len(needed)} inputs ({', '.join(needed) or 'none'}), {len(found)} are described: "
            f"{', '.join(spec.name for spec in found)}"
        )
    call = {"args": [{"leaf": spec.name} for spec in found], "kwargs": []}
    return Description(found, given, call, precision=_precision(module.state_dict().values()))


def describe_program(path: Path) -> Description:
    """Read inputs and outputs of an exported program.

    Raises:
        SourceError: it cannot be loaded, or takes or gives something else than tensors.
    """
    try:
        program = load_program(path)
    except Exception as error:
        raise SourceError(f"{path.name} cannot be loaded: {error_line(error)}") from error
    values = {node.name: node.meta.get("val") for node in program.graph.nodes}
    symbols: dict[str, str] = {}
    inputs = [_spec("input", name, values.get(str(name)), str(name), symbols) for name in _user_inputs(program)]
    outputs = [
        _spec("output", name, values.get(str(name)), f"output__{i}", symbols)
        for i, name in enumerate(program.graph_signature.user_outputs)
    ]
    own = program.range_constraints
    sizes = {symbols[str(key)]: str(value) for key, value in own.items() if str(key) in symbols}
    return Description(
        tuple(inputs),
        tuple(outputs),
        _call(program, [spec.name for spec in inputs]),
        precision=_precision(program.state_dict.values()),
        data={"sizes": sizes},
    )


def _call(program: torch.export.ExportedProgram, names: list[str]) -> Tree:
    """Return the structure of the arguments that the program was exported with."""
    from torch.utils._pytree import tree_unflatten

    from pytest_navigator.backends.python.source import PythonFramework
    from pytest_navigator.samples.structure import Call, flatten_call

    args, kwargs = tree_unflatten([np.zeros(()) for _ in names], program.call_spec.in_spec)
    return flatten_call(Call(*args, **kwargs), (), names, PythonFramework())[0]


def _user_inputs(program: torch.export.ExportedProgram) -> tuple[object, ...]:
    names: tuple[object, ...] = tuple(program.graph_signature.user_inputs)
    return names


def _spec(kind: str, name: object, value: Any, title: str, symbols: dict[str, str]) -> TensorSpec:
    """Return one tensor; sizes that are one symbol in the program are one here, called after the first axis."""
    import torch

    if not isinstance(value, torch.Tensor):
        raise SourceError(f"{kind} {name!r} is no tensor: only programs of tensors can be checked")
    axes = {}
    for axis, size in enumerate(value.shape):
        if not isinstance(size, int):
            axes[axis] = symbols.setdefault(str(size), re.sub(r"\W", "_", f"{title}_{axis}"))
    shape = tuple(-1 if axis in axes else int(size) for axis, size in enumerate(value.shape))
    return TensorSpec(title, shape, str(value.dtype).removeprefix("torch."), axes)


def _precision(tensors: Iterable[Any]) -> str:
    import torch

    found = {str(tensor.dtype).removeprefix("torch.") for tensor in tensors if isinstance(tensor, torch.Tensor)}
    return lowest(found)


def _indexed(name: str, index: int) -> str:
    """Return a parameter's name in Model Navigator's form, which says its place."""
    return name if re.fullmatch(rf".*__{index}", name) else f"{name}__{index}"
