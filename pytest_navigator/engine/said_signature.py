"""What the user says of a file: it must be what the file itself says, and what the model computes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.configuration.signature_text import annotation_path, as_text, read_annotation
from pytest_navigator.errors import ConfigError, unknown

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

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


def check_outputs(said: FileConfig, seen: Sequence[TensorSpec]) -> None:
    """Refuse outputs that are not those that the model gives.

    Raises:
        ConfigError: the number of axes, a fixed size or a type of an output is another one.
    """
    outputs = {spec.name: spec for spec in seen}
    for spec in said.outputs or ():
        if spec.name in outputs and not _fits(spec, outputs[spec.name]):
            raise ConfigError(
                f"{said.named('outputs')} says {as_text([spec])}, the model gives {as_text([outputs[spec.name]])}"
            )


def who_says(key: str, tensors: Sequence[TensorSpec], said: FileConfig, model: Path | None) -> str:
    """Return how an error names what the user says of a file that says nothing itself; "" where the file does.

    Args:
        key: "inputs" or "outputs".
        tensors: these, as they were understood.
        model: the file, beside which an annotation may be; None: it is none.
    """
    text = as_text(tensors)
    if as_text(getattr(said, key) or ()) == text:
        return said.named(key) if key in said.given else f"--nav-{key}"
    noted = read_annotation(model)[key == "outputs"] if model else None
    return annotation_path(model).name if model and as_text(noted or ()) == text else ""


def _fits(said: TensorSpec, own: TensorSpec) -> bool:
    sizes: Sequence[tuple[int, int]] = list(zip(said.shape, own.shape, strict=False))
    same = all(one == other or -1 in (one, other) for one, other in sizes)
    return said.dtype == own.dtype and len(said.shape) == len(own.shape) and same
