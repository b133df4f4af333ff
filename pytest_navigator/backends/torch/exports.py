"""What a PyTorch model is exported to by torch itself.

Scripts contain the source text of this, so nothing here may use anything but numpy, torch and what it exports with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_navigator.backends.torch.arrays import from_numpy

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy as np


def enlarged(array: np.ndarray, axes: Iterable[int]) -> np.ndarray:
    """Return an example without dynamic axes of size 0 or 1, which exporters take for constants: those become 2."""
    import numpy as np

    for axis in axes:
        if array.shape[axis] == 1:
            array = np.repeat(array, 2, axis)
        elif array.shape[axis] == 0:
            array = np.zeros([2 if i == axis else size for i, size in enumerate(array.shape)], array.dtype)
    return array


def example_tensors(batch: Mapping[str, np.ndarray], *, axes: dict[str, list[int]], device: str) -> Any:
    """Return the tensors of a batch in the order of `axes`, the dynamic ones of each, as exporters want them."""
    return tuple(from_numpy(enlarged(batch[name], dynamic), device) for name, dynamic in axes.items())


def without_modes(module: Any) -> Any:
    """Let a program be told its mode, which it refuses, even the one that it has: exporters set it."""
    module.train = lambda mode=True: module
    return module


def write_onnx(program: Any, path: str, *, options: dict[str, Any]) -> Any:
    """Write an exported program as ONNX, and return the program that the exporter has made of it.

    Args:
        options: of `torch.onnx.export`.
    """
    import torch

    nodes = [node for graph in program.graph_module.modules() for node in getattr(graph, "graph", program.graph).nodes]
    operators = {node.target for node in nodes if getattr(node.target, "namespace", "") == "transformers"}
    if operators:  # of mixtures of experts: torch knows none of them, and the library that has them translates them
        from transformers.exporters.exporter_onnx import _ONNX_TRANSLATION_TABLE as known

        own = {operator: known[operator] for operator in operators if operator in known}
        options = {"custom_translation_table": own, **options}
    # With gradients on, the decompositions fail on views that they make of attention.
    with torch.no_grad():
        made: Any = torch.onnx.export(program, (), None, dynamo=True, **options)
    made.save(path, external_data=True)
    return made.exported_program


def write_onnx_by_trace(flat: Any, tensors: Any, path: str, *, scripted: bool, options: dict[str, Any]) -> None:
    """Write a module as ONNX by the exporter that is based on TorchScript.

    Args:
        scripted: whether there is a ScriptModule in it: the exporter cannot trace through that, torch.jit can, and
            keeps its branches and loops.
        options: of `torch.onnx.export`.
    """
    import torch

    with torch.no_grad():
        if scripted:
            flat = torch.jit.trace(flat, tensors, check_trace=False)
        torch.onnx.export(flat, tensors, path, dynamo=False, **options)
