"""A program of `torch.export` as ExecuTorch's file, and its quantization by torchao.

Scripts contain the source text of this, so nothing here may use anything but PyTorch, torchao and ExecuTorch.
"""

from __future__ import annotations

from typing import Any

from pytest_navigator.backends.executorch.model import quiet


def read_program(source: str) -> Any:
    """Return the program in a file."""
    import torch

    return torch.export.load(source)


def lower(
    program: Any,
    target: str,
    *,
    shapes: list[list[int]],
    module: Any = None,
    backend: str | None,
    options: dict[str, Any],
) -> Any:
    """Write the file of a program; returns the program with its delegates, and the one with its memory planned.

    Args:
        shapes: of the inputs, the largest that memory is planned for.
        module: what the program has become, None: it is as it was exported.
        options: of `EdgeCompileConfig`.
    """
    with quiet():
        from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
        from executorch.exir import EdgeCompileConfig, to_edge_transform_and_lower
    bounded = bound(program, module or program.module(check_guards=False), shapes)
    edge = to_edge_transform_and_lower(
        bounded,
        partitioner=[XnnpackPartitioner()] if backend == "xnnpack" else [],
        compile_config=EdgeCompileConfig(**options) if options else None,
    )
    lowered = edge.exported_program()
    planned = edge.to_executorch()
    with open(target, "wb") as file:
        planned.write_to_file(file)
    return lowered, planned.exported_program()


def bound(program: Any, module: Any, shapes: list[list[int]]) -> Any:
    """Return a program whose dynamic axes have an upper limit, with the inputs by position.

    It is exported from inputs of the largest shapes: what torch concludes of a smaller one, such as an axis that is
    shorter than another, would limit the memory that is planned.
    """
    import torch

    values = {node.name: node.meta["val"] for node in program.graph.nodes if node.op == "placeholder"}
    tensors, axes = [], []
    for name, shape in zip(program.graph_signature.user_inputs, shapes):  # noqa: B905
        own = values[name].shape
        free = {
            axis: torch.export.Dim.AUTO(max=max(2, size))
            for axis, size in enumerate(shape)
            if type(own[axis]) is not int
        }
        sizes = [max(2, size) if axis in free else int(own[axis]) for axis, size in enumerate(shape)]
        tensors.append(torch.zeros(sizes, dtype=values[name].dtype))
        axes.append(free)
    flat, shaped = flattened(program, module), tuple(axes)
    return torch.export.export(
        flat, tuple(tensors), dynamic_shapes=shaped if flat is module else (shaped,), strict=False
    )


def flattened(program: Any, module: Any) -> Any:
    """Return a module that takes tensors by position: the module itself where it does so."""
    import torch
    from torch.utils import _pytree as pytree

    spec, count = program.call_spec.in_spec, len(program.graph_signature.user_inputs)
    if spec == pytree.tree_structure(((0,) * count, {})):
        return module  # as it is, its nodes keep the paths of their modules

    class Flat(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = module

        def forward(self, *tensors: Any) -> Any:
            args, kwargs = pytree.tree_unflatten(list(tensors), spec)
            return tuple(pytree.tree_leaves(self.model(*args, **kwargs)))

    return Flat()


def quantize(
    program: Any,
    samples: Any,
    *,
    symmetric: bool = False,
    per_channel: bool = True,
    calibration_method: str = "histogram",
    left_out: list[str],
) -> Any:
    """Return the module of a program with int8 weights and activations, calibrated.

    Args:
        samples: dicts of arrays, in the order of the program's inputs.
        symmetric: whether the ranges of activations are; per_channel: whether weights have a scale for each channel.
        calibration_method: "minmax", or "histogram": the range with the least error.
        left_out: names of the nodes that stay in floating point.
    """
    import dataclasses

    import torch
    from torch.utils import _pytree as pytree

    with quiet():
        from executorch.backends.xnnpack.quantizer import xnnpack_quantizer
        from torchao.quantization.pt2e import HistogramObserver, MinMaxObserver
        from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
    asked = xnnpack_quantizer.get_symmetric_quantization_config(is_per_channel=per_channel)
    observer = MinMaxObserver if calibration_method == "minmax" else HistogramObserver
    activation = dataclasses.replace(
        asked.input_activation,
        qscheme=torch.per_tensor_symmetric if symmetric else torch.per_tensor_affine,
        observer_or_fake_quant_ctr=observer.with_args(eps=2**-12),
    )
    asked = dataclasses.replace(asked, input_activation=activation, output_activation=activation)
    quantizer = xnnpack_quantizer.XNNPACKQuantizer().set_global(asked)
    quantizer.set_filter_function(lambda node: node.name not in left_out)
    prepared = prepare_pt2e(program.module(check_guards=False), quantizer)
    for sample in samples:
        tensors = [torch.from_numpy(array.copy()) for array in sample.values()]
        args, kwargs = pytree.tree_unflatten(tensors, program.call_spec.in_spec)
        prepared(*args, **kwargs)
    return convert_pt2e(prepared)
