"""TorchScript files."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, cast

from pytest_navigator.backends.torch.runners import TorchRunner
from pytest_navigator.runners.outputs import in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import torch

    from pytest_navigator.backends.torch.runners import Arguments
    from pytest_navigator.core.script_parts import RunnerCode, Subject

# Name of the note inside the file that says how it is called: "model", like the source, or "flat".
INTERFACE = "pytest_navigator_interface"


class TorchScriptRunner(TorchRunner):
    """`torch.jit.load`.

    Attributes:
        flat: whether the file takes the tensors by position and gives a tuple of them; once it is loaded.
    """

    flat: bool

    def load(self) -> Callable[..., object]:
        """Return the loaded ScriptModule."""
        import torch

        notes = {INTERFACE: ""}
        with warnings.catch_warnings():
            # torch.jit.load calls itself deprecated: whoever gives such a file can do nothing about it.
            warnings.simplefilter("ignore", DeprecationWarning)
            module = torch.jit.load(str(self.artifact), map_location=self.device, _extra_files=notes)
        self.flat = notes[INTERFACE] in ("flat", b"flat")
        return cast("Callable[..., object]", module)

    def arguments(self, tensors: dict[str, torch.Tensor]) -> Arguments:
        """Return the arguments of the source, or the tensors in order for a flat file."""
        return (tuple(tensors.values()), {}) if self.flat else super().arguments(tensors)

    def outputs(self, value: object) -> dict[str, object]:
        """Return the tensors by name."""
        return in_order(self.signature, cast("Sequence[object]", value)) if self.flat else super().outputs(value)

    @classmethod
    def script(cls, subject: Subject) -> RunnerCode:
        """Return the call of the loaded file."""
        from pytest_navigator.backends.torch import running_code as text

        load = f"model = torch.jit.load(args.artifact, map_location={cls.device!r})"
        return text.runner_code(subject, load, cls.device, flat=subject.data.get("interface") == "flat")
