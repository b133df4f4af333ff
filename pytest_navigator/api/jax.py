"""`nav.jax`: every format of a JAX function and its parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_navigator.api.keywords import ExportOptions, OptimizeOptions, exported, optimized, signed
from pytest_navigator.backends.exchange.savedmodel import TensorFlowSavedModelConfig

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Unpack

    from pytest_navigator.api.package import Package
    from pytest_navigator.configuration.format_config import FormatConfig

__all__ = ["export", "optimize"]


@signed(ExportOptions)
def export(
    model: Callable[..., object],
    model_params: Any,
    dataloader: object,
    *,
    jit_compile: bool | tuple[bool, ...] | None = None,
    enable_xla: bool | tuple[bool, ...] | None = None,
    **options: Unpack[ExportOptions],
) -> Package:
    """Export a function to every format, check and time each, and return the package.

    Args:
        model: takes a sample and, as its argument `params` or its last one, the parameters.
        dataloader: samples of the function, or a function that returns what can be iterated.
        jit_compile: of variants of the SavedModel, see TensorFlowSavedModelConfig.
        enable_xla: likewise.
        options: see `pytest_navigator.api.keywords.ExportOptions` and docs/python-api.md.

    Raises:
        ConfigError: an argument is wrong, or the folder of the run cannot be used.
        SourceError: the model or its loader does not keep its contract.
        PackageError: the results cannot be written.
    """
    configs: list[FormatConfig] = []
    if jit_compile is not None or enable_xla is not None:
        configs.append(TensorFlowSavedModelConfig(jit_compile=jit_compile, enable_xla=enable_xla))
    return exported("jax", (model, model_params), dataloader, configs, options)


@signed(OptimizeOptions)
def optimize(
    model: Callable[..., object], model_params: Any, dataloader: object, **options: Unpack[OptimizeOptions]
) -> Package:
    """Make, check and time every format of a function, and return the package.

    Args:
        model: as in `export`.
        model_params: as in `export`.
        dataloader: as in `export`.
        options: see `pytest_navigator.api.keywords.OptimizeOptions` and docs/python-api.md.

    Raises:
        ConfigError: an argument is wrong, or the folder of the run cannot be used.
        SourceError: the model or its loader does not keep its contract.
        PackageError: the results cannot be written.
    """
    return optimized("jax", (model, model_params), dataloader, options)
