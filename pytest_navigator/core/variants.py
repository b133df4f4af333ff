"""What a suite makes and what runs it, as plain data: the records that collecting tests already needs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Variant:
    """One artifact that a suite makes: a format with every parameter that makes it a different one.

    Attributes:
        key: the name of its folder, Model Navigator's (`torchscript-trace`).
        format: Model Navigator's name of the format (`torchscript`).
        parent: key of the variant that it is made from; None: it is exported from the live source.
        file: name of the artifact inside the folder; "" for the source itself, which has none.
        parameters: everything that the format needs to make it, as plain data.
        runners: names of its runners, in order of preference.
        reference: key of the variant with more digits that it is to be no slower and no larger than; "": of none.
    """

    key: str
    format: str
    parent: str | None
    file: str
    parameters: dict[str, Any] = field(default_factory=dict)
    runners: tuple[str, ...] = ()
    reference: str = ""

    @property
    def place(self) -> str:
        """Where a package has it ("onnx/model.onnx"); the key alone of the source."""
        return f"{self.key}/{self.file}" if self.file else self.key


@dataclass(frozen=True)
class RunnerRecord:
    """What is known of a runner without loading it.

    Attributes:
        name: Model Navigator's ("OnnxCPU"); runtime: as item ids write it ("cpu", "compile-cpu").
        format: name of the format that it runs; device: "cpu" or "cuda".
        live: whether it runs the live model instead of a file.
        path: where a child process imports it from, "package.module:Class".
        requires: names of the requirements.
    """

    name: str
    runtime: str
    format: str
    device: str
    live: bool
    path: str
    requires: tuple[str, ...] = ()


def covers(name: str, variant: Variant) -> bool:
    """Whether a name that a user wrote means this variant: its key, or its format."""
    return name in (variant.key, variant.format)


def precise(variant: Variant, precisions: Sequence[str] | None) -> bool:
    """Whether a variant has one of the precisions that are asked for, or none of its own."""
    own = variant.parameters.get("precision")
    return not precisions or own is None or own in precisions
