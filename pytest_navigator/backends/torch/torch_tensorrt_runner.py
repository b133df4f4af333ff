"""Exported programs with TensorRT's engines in them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from pytest_navigator.backends.torch.runners import TorchRunner
from pytest_navigator.runners.outputs import in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

    from pytest_navigator.backends.torch.runners import Arguments
    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.script_parts import RunnerCode, Subject


class TorchTensorRT(TorchRunner):
    """`torch_tensorrt.load`, on a GPU."""

    def load(self) -> Callable[..., object]:
        """Return the program as a module; it was compiled for this device."""
        import torch_tensorrt

        return cast("Callable[..., object]", torch_tensorrt.load(str(self.artifact)).module())

    def arguments(self, tensors: dict[str, torch.Tensor]) -> Arguments:
        """Return the tensors in the order of the signature."""
        return tuple(tensors.values()), {}

    def outputs(self, value: object) -> dict[str, object]:
        """Return the tensors by name."""
        return in_order(self.signature, cast("Sequence[object]", value))

    def settings(self) -> dict[str, JSON]:
        """Versions of the library and of TensorRT, and what torch's own part depends on."""
        import torch_tensorrt

        from pytest_navigator.devices.libraries import tensorrt_version

        found = {"backend": "torch_tensorrt", "version": torch_tensorrt.__version__}
        return {**super().settings(), **found, "tensorrt": tensorrt_version("tensorrt")}

    @classmethod
    def script(cls, subject: Subject) -> RunnerCode:
        """Return the call of the loaded program."""
        from pytest_navigator.backends.torch import running_code as text

        load = "model = torch_tensorrt.load(args.artifact).module()"
        code = text.runner_code(subject, load, cls.device, flat=True)
        return replace(code, imports=(*code.imports, "import torch_tensorrt"))
