"""What every operation of an exported program computes, and where in the user's model it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_navigator.formats.stack_lines import WRAPPER, line_of, module_path

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import numpy as np
    import torch

    from pytest_navigator.formats.stack_lines import Place

PROGRAM = ".program.pt2"  # Beside an ONNX file: the program that it was made of, which goes into no package

# Weights above this are not written a second time, in B: only a failure would read them.
LARGEST = 2**30


def keep_program(program: torch.export.ExportedProgram, folder: Path) -> None:
    """Write the program of an ONNX file into the folder that it is made in, for a diagnosis.

    What cannot be written is no failure of an export.
    """
    import torch

    tensors = [*program.state_dict.values(), *program.constants.values()]
    if sum(t.nbytes for t in tensors if isinstance(t, torch.Tensor)) > LARGEST:
        return
    try:
        torch.export.save(program, str(folder / PROGRAM))
    except Exception as error:  # of a library, on objects that it did not foresee
        (folder / PROGRAM).unlink(missing_ok=True)
        print(f"the exported program cannot be kept for a diagnosis: {error}")


def run(
    program: torch.export.ExportedProgram,
    inputs: Sequence[torch.Tensor],
    keep: Callable[[str, np.ndarray], object],
) -> None:
    """Run a program operation by operation.

    Args:
        inputs: in the order of the program's own.
        keep: is called with the name of each value that is a tensor, and with its numbers.
    """
    import torch

    from pytest_navigator.backends.torch.arrays import to_numpy

    class Watching(torch.fx.Interpreter):  # type: ignore[misc]
        def run_node(self, n: torch.fx.Node) -> Any:
            result = super().run_node(n)
            if n.op != "placeholder" and isinstance(result, torch.Tensor):
                keep(n.name, to_numpy(result))
            return result

    with torch.no_grad():
        Watching(program.graph_module).run(*_placeholders(program, inputs))


def output_names(program: torch.export.ExportedProgram) -> list[str]:
    """Return the names of the values that are the outputs, in their order."""
    return [str(name) for name in program.graph_signature.user_outputs]


def device_of(program: torch.export.ExportedProgram) -> str:
    """Return where the program's own tensors are."""
    return next((str(t.device) for t in _held(program).values() if hasattr(t, "device")), "cpu")


def places(program: torch.export.ExportedProgram) -> dict[str, Place]:
    """Return the module path, the operator and the user's line of every operation, by its name."""
    return {node.name: place(node) for node in program.graph.nodes if node.op == "call_function"}


def place(node: torch.fx.Node) -> Place:
    """Return the module path, the operator ("gelu") and the user's line ("model.py:14") of an operation."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    wrapped = bool(stack) and WRAPPER in str(stack[0][1])
    operator = str(getattr(node.target, "__name__", node.target)).partition(".")[0]
    return module_path(str(stack[-1][0]) if stack else "", wrapped=wrapped), operator, line_of(node.stack_trace or "")


def _placeholders(program: torch.export.ExportedProgram, inputs: Sequence[torch.Tensor]) -> list[Any]:
    """Return what the program's graph takes: parameters, buffers and constants, then the inputs."""
    given, known = iter(inputs), _held(program)
    found = []
    for spec in program.graph_signature.input_specs:
        if spec.kind.name == "USER_INPUT":
            found.append(next(given))
        else:
            found.append(known[spec.target])
    return found


def _held(program: torch.export.ExportedProgram) -> Mapping[str, Any]:
    return {**program.constants, **program.state_dict}
