"""The live PyTorch model: the format that everything else is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pytest_navigator.configuration.format_config import FormatConfig, check_device, invalid
from pytest_navigator.core.enums import AutocastType
from pytest_navigator.core.variants import Variant
from pytest_navigator.errors import ConfigError
from pytest_navigator.formats.base import Format
from pytest_navigator.formats.navigator import Navigator
from pytest_navigator.runners.spec import table

if TYPE_CHECKING:
    from collections.abc import Sequence


AUTOCAST_DTYPES = ("float16", "bfloat16")

AUTOCAST = ("autocast", "autocast_dtype", "inference_mode")  # Fields of `AutocastConfig`


@dataclass(frozen=True)
class AutocastConfig(FormatConfig):
    """How a PyTorch model is called while it is exported and run.

    Attributes:
        autocast: run under `torch.autocast`.
        autocast_dtype: "float16" or "bfloat16" (or the torch type, or an `AutocastType`); None: what torch takes there.
        inference_mode: run under `torch.inference_mode`, otherwise under `torch.no_grad`.

    Raises:
        ConfigError: a value is not possible.
    """

    autocast: bool = False
    autocast_dtype: str | None = None
    inference_mode: bool = True

    def __post_init__(self) -> None:
        check_device(self)
        if self.autocast_dtype in (None, AutocastType.DEVICE):
            object.__setattr__(self, "autocast_dtype", None)
            return
        dtype = str(self.autocast_dtype).removeprefix("torch.")
        if dtype not in AUTOCAST_DTYPES:
            raise invalid(self, "autocast_dtype", (None, *AUTOCAST_DTYPES))
        if not self.autocast:
            raise ConfigError(f"{type(self).__name__}.autocast_dtype={dtype!r} needs autocast=True")
        object.__setattr__(self, "autocast_dtype", dtype)


@dataclass(frozen=True)
class TorchConfig(AutocastConfig):
    """The source model and its compiled form; `custom_args` go to `torch.compile`."""


class TorchFormat(Format):
    """The live model itself: nothing is written."""

    name: ClassVar[str] = "torch"
    title: ClassVar[str] = "PyTorch"
    command: ClassVar[str] = "Torch"
    navigator: ClassVar[Navigator | None] = Navigator(
        ("TorchCPU", "TorchCUDA", "TorchCompileCPU", "TorchCompileCUDA"), config="Torch", fields=AUTOCAST
    )
    config: ClassVar[type[FormatConfig]] = TorchConfig
    frameworks: ClassVar[tuple[str, ...]] = ("torch",)
    requires: ClassVar[tuple[str, ...]] = ("torch",)
    runners = table(
        "torch",
        "pytest_navigator.backends.torch.runners",
        ("TorchCPU", "LiveTorchRunner", "cpu", ("torch",)),
        ("TorchCompileCPU", "TorchCompileRunner", "compile-cpu", ("torch", "c++ compiler")),
        ("TorchCUDA", "LiveTorchRunner", "cuda", ("cuda", "torch-cuda")),
        ("TorchCompileCUDA", "TorchCompileRunner", "compile-cuda", ("cuda", "torch-cuda", "c++ compiler")),
        live=True,
    )

    def variants(self, config: FormatConfig, parents: Sequence[Variant]) -> list[Variant]:
        """Return the one variant `torch`."""
        return [Variant(self.name, self.name, None, "", config.parameters(), self.runner_names)]
