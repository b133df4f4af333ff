"""Programs of `torch.export`: tensors in, a tuple of tensors out."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, cast

from pytest_navigator.backends.torch.programs import load_program
from pytest_navigator.backends.torch.runners import TorchRunner
from pytest_navigator.runners.outputs import in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import torch

    from pytest_navigator.backends.torch.runners import Arguments
    from pytest_navigator.core.plain import Parameters
    from pytest_navigator.core.script_parts import RunnerCode, Subject


class TorchExportedProgramRunner(TorchRunner):
    """`torch.export.load`."""

    def load(self) -> Callable[..., object]:
        """Return the program as a module on this runner's device, wherever it was exported."""
        from torch.export.passes import move_to_device_pass

        program = load_program(cast("Path", self.artifact))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if self.device == "cuda" or _on_cuda(program):
                program = move_to_device_pass(program, self.device)
            return cast("Callable[..., object]", program.module())

    def arguments(self, tensors: dict[str, torch.Tensor]) -> Arguments:
        """Return the tensors in the order of the signature, or in the structure of a program that others exported."""
        return super().arguments(tensors) if _is_others(self.parameters) else (tuple(tensors.values()), {})

    def outputs(self, value: object) -> dict[str, object]:
        """Return the tensors by name."""
        if _is_others(self.parameters):
            return super().outputs(value)
        return in_order(self.signature, cast("Sequence[object]", value))

    @classmethod
    def script(cls, subject: Subject) -> RunnerCode:
        """Return the call of the loaded program."""
        from pytest_navigator.backends.torch import running_code as text

        load = "program = torch.export.load(args.artifact)\n"
        if cls.device != text.device_of(subject).partition(":")[0]:
            load += "from torch.export.passes import move_to_device_pass\n"
            load += f"program = move_to_device_pass(program, {cls.device!r})\n"
        return text.runner_code(
            subject, f"{load}model = program.module()", cls.device, flat=not _is_others(subject.variant.parameters)
        )


def _is_others(parameters: Parameters) -> bool:
    """Whether the program has the structure of the model that somebody exported; ours takes and gives tensors."""
    return bool(parameters.get("structured"))


def _on_cuda(program: torch.export.ExportedProgram) -> bool:
    import torch

    tensors = [*program.state_dict.values(), *program.constants.values()]
    return any(isinstance(tensor, torch.Tensor) and tensor.is_cuda for tensor in tensors)
