"""What the user says of a file that says itself what it takes: it must be the same (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.configuration.signature_text import as_text
from pytest_navigator.errors import ConfigError, unknown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_navigator.configuration.nav_config_file import FileConfig
    from pytest_navigator.core.records import Description, TensorSpec


def check(said: FileConfig, own: Description) -> None:
    """Refuse a signature that is another one than the model's own.

    Raises:
        ConfigError: a name, the number of axes, a fixed size or a type of an input is another one; so is the name of an
            output (its shape is told by what the model computes).
    """
    inputs = {spec.name: spec for spec in own.inputs}
    for spec in said.inputs or ():
        if spec.name not in inputs:
            raise ConfigError(f"{said.named('inputs')}: {unknown('input', spec.name, inputs)}")
        if not _fits(spec, inputs[spec.name]):
            raise ConfigError(
                f"{said.named('inputs')}: {as_text([spec])}, which is {as_text([inputs[spec.name]])} in the model: "
                "leave it out, this file says what it takes"
            )
    outputs = [spec.name for spec in own.outputs]
    for spec in said.outputs or ():
        if outputs and spec.name not in outputs:
            raise ConfigError(f"{said.named('outputs')}: {unknown('output', spec.name, outputs)}")


def _fits(said: TensorSpec, own: TensorSpec) -> bool:
    sizes: Sequence[tuple[int, int]] = list(zip(said.shape, own.shape, strict=False))
    same = all(one == other or -1 in (one, other) for one, other in sizes)
    return said.dtype == own.dtype and len(said.shape) == len(own.shape) and same
