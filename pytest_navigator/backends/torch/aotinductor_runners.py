"""Packages of AOTInductor: tensors in, a tuple of tensors out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from pytest_navigator.backends.torch.aotinductor_model import by_position, load_package
from pytest_navigator.backends.torch.runners import TorchRunner
from pytest_navigator.errors import StepFailed, Unavailable
from pytest_navigator.runners.outputs import in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import torch

    from pytest_navigator.backends.torch.runners import Arguments
    from pytest_navigator.core.script_parts import RunnerCode, Subject


class AOTInductorRunner(TorchRunner):
    """`torch._inductor.aoti_load_package`, which needs neither the model nor a compiler."""

    def load(self) -> Callable[..., object]:
        """Return the code in the package.

        Raises:
            StepFailed: PyTorch cannot load it.
            Unavailable: it is for another processor or system.
        """
        import torch

        from pytest_navigator.backends.torch.aotinductor_files import why_elsewhere

        # Nobody has recorded where a file was built; PyTorch loads it all the same, and its code ends the process.
        if text := why_elsewhere(cast("Path", self.artifact)):
            raise Unavailable(text)
        index = torch.cuda.current_device() if self.device == "cuda" else -1
        try:
            package = load_package(str(self.artifact), index)
            return cast("Callable[..., object]", by_position(package) if self._others else package)
        except Exception as error:
            message = next(iter(str(error).splitlines()), "")
            raise StepFailed(f"PyTorch cannot load the package: {message}", kind=type(error).__name__) from error

    def arguments(self, tensors: dict[str, torch.Tensor]) -> Arguments:
        """Return the tensors in the order of the signature, or in the structure of what others have compiled."""
        return super().arguments(tensors) if self._others else (tuple(tensors.values()), {})

    def outputs(self, value: object) -> dict[str, object]:
        """Return the tensors by name."""
        return super().outputs(value) if self._others else in_order(self.signature, cast("Sequence[object]", value))

    def watched(self, feed: Any) -> None:
        """Tell nothing: there are no operations to follow."""

    @property
    def _others(self) -> bool:
        return bool(self.parameters.get("structured"))

    @classmethod
    def script(cls, subject: Subject) -> RunnerCode:
        """Return the call of the package."""
        from pytest_navigator.backends.torch import running_code as text

        index = ", torch.cuda.current_device()" if cls.device == "cuda" else ""
        flat = not subject.variant.parameters.get("structured")
        load = f"load_package(args.artifact{index})"
        own = (load_package,) if flat else (load_package, by_position)
        code = text.runner_code(subject, f"model = {load if flat else f'by_position({load})'}", cls.device, flat=flat)
        return replace(code, functions=(*code.functions, *own))
