"""An exported program in which TensorRT runs what it can, by Torch-TensorRT.

Scripts contain the source text of this, so nothing here may use anything but torch and torch_tensorrt.
"""

from __future__ import annotations

from typing import Any


def compile_program(
    artifact: str, output: str, inputs: list[dict[str, Any]], options: dict[str, Any], protocol: int, device: str
) -> int:
    """Compile an exported program and save it as one; returns how many engines it has.

    Args:
        inputs: of the program in its order: arguments of `torch_tensorrt.Input`, types by name.
        options: of `torch_tensorrt.dynamo.compile`, types by name.
        protocol: of pickle. device: where the program runs.

    Raises:
        ValueError: there is no engine in the result.
    """
    import torch
    import torch_tensorrt
    from torch.export.passes import move_to_device_pass

    typed = {key: getattr(torch, value) if key.endswith("_type") else value for key, value in options.items()}
    wanted = [torch_tensorrt.Input(**{**each, "dtype": getattr(torch, each["dtype"])}) for each in inputs]
    program = move_to_device_pass(torch.export.load(artifact), device)
    compiled = torch_tensorrt.dynamo.compile(program, arg_inputs=wanted, **typed)
    engines = sum("TensorRTModule" in type(module).__name__ for module in compiled.modules())
    if not engines:
        raise ValueError(
            "PyTorch runs the whole model, TensorRT no part of it: no block of operators that it knows is long enough "
            f"(min_block_size is {options.get('min_block_size', 5)}; custom_args sets it)"
        )
    examples = [example(each, device) for each in inputs]
    shapes = tuple(map(dynamic_axes, inputs))
    torch_tensorrt.save(
        compiled,
        output,
        arg_inputs=examples,
        dynamic_shapes=shapes if any(shapes) else None,
        pickle_protocol=protocol,
    )
    return engines


def example(arguments: dict[str, Any], device: str) -> Any:
    """Return a tensor of the largest size of an input: torch takes a size of 1 for a constant."""
    import torch

    size = arguments["shape"] if "shape" in arguments else arguments["max_shape"]
    return torch.zeros(tuple(size), dtype=getattr(torch, arguments["dtype"]), device=device)


def dynamic_axes(arguments: dict[str, Any]) -> dict[int, Any]:
    """Return the axes of an input whose size may differ, with its bounds as torch.export writes them."""
    import torch

    if "shape" in arguments:
        return {}
    bounds = enumerate(zip(arguments["min_shape"], arguments["max_shape"], strict=True))
    return {axis: torch.export.Dim.DYNAMIC(min=low, max=high) for axis, (low, high) in bounds if low != high}
