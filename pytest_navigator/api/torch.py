"""`nav.torch`: every format of a PyTorch module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.api.arguments import words
from pytest_navigator.api.keywords import ExportOptions, OptimizeOptions, exported, optimized, signed
from pytest_navigator.backends.torch.torchscript import TorchScriptConfig
from pytest_navigator.configuration.profile_config import OptimizationProfile

if TYPE_CHECKING:
    from typing import Unpack

    import torch

    from pytest_navigator.api.arguments import Names
    from pytest_navigator.api.package import Package
    from pytest_navigator.configuration.format_config import FormatConfig

__all__ = ["OptimizationProfile", "export", "optimize"]


@signed(ExportOptions)
def export(
    model: torch.nn.Module,
    dataloader: object,
    *,
    jit_options: Names = None,
    **options: Unpack[ExportOptions],
) -> Package:
    """Export a module to every format, check and time each, and return the package.

    Args:
        dataloader: samples of the module, or a function that returns what can be iterated.
        jit_options: "script", "trace" or both.
        options: see `pytest_navigator.api.keywords.ExportOptions` and docs/python-api.md.

    Raises:
        ConfigError: an argument is wrong, or the folder of the run cannot be used.
        SourceError: the model or its loader does not keep its contract.
        PackageError: the results cannot be written.
    """
    configs: list[FormatConfig] = []
    if jit_options is not None:
        configs.append(TorchScriptConfig(jit_type=words(jit_options)))  # type: ignore[arg-type]
    return exported("torch", model, dataloader, configs, options)


@signed(OptimizeOptions)
def optimize(model: torch.nn.Module, dataloader: object, **options: Unpack[OptimizeOptions]) -> Package:
    """Make, check and time every format of a module, and return the package.

    Args:
        dataloader: samples of the module, or a function that returns what can be iterated.
        options: see `pytest_navigator.api.keywords.OptimizeOptions` and docs/python-api.md.

    Raises:
        ConfigError: an argument is wrong, or the folder of the run cannot be used.
        SourceError: the model or its loader does not keep its contract.
        PackageError: the results cannot be written.
    """
    return optimized("torch", model, dataloader, options)
