"""Core ML's packages, for Apple's devices."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_navigator.configuration.format_config import FormatConfig, invalid
from pytest_navigator.core.variants import Variant
from pytest_navigator.errors import ConfigError
from pytest_navigator.formats.base import Format
from pytest_navigator.runners.spec import table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.records import LoaderRecord, Signature
    from pytest_navigator.core.script_parts import MakingCode, Subject
    from pytest_navigator.formats.base import LoaderData

PRECISIONS = ("fp32", "fp16")
UNITS = ("ALL", "CPU_ONLY", "CPU_AND_GPU", "CPU_AND_NE")
TARGET = re.compile(r"(iOS|macOS|watchOS|tvOS|visionOS)\d+(_\d+)?")

# Arguments of `coremltools.convert` that say what this format is about.
OWN = ("model", "source", "inputs", "outputs", "convert_to", "compute_precision", "minimum_deployment_target")
HERE = ("compute_units", "package_dir", "skip_model_load")


@dataclass(frozen=True)
class CoreMLConfig(FormatConfig):
    """Core ML; `custom_args` go to `coremltools.convert`.

    Attributes:
        precision: what it computes in, "fp32" or "fp16", one or several; inputs and outputs stay as they are.
        minimum_deployment_target: the oldest system that is to run it, as coremltools calls it ("iOS17", "macOS14");
            None: the oldest one that can.
        compute_units: what may run it, "ALL", "CPU_ONLY", "CPU_AND_GPU" or "CPU_AND_NE".

    Raises:
        ConfigError: a value is not possible.
    """

    precision: str | Sequence[str] = ("fp32",)
    minimum_deployment_target: str | None = None
    compute_units: str = "ALL"

    def __post_init__(self) -> None:
        asked = (self.precision,) if isinstance(self.precision, str) else tuple(self.precision)
        if not asked or not set(asked) <= set(PRECISIONS) or len(set(asked)) < len(asked):
            raise invalid(self, "precision", PRECISIONS)
        object.__setattr__(self, "precision", asked)
        if self.compute_units not in UNITS:
            raise invalid(self, "compute_units", UNITS)
        target = self.minimum_deployment_target
        if target is not None and not TARGET.fullmatch(str(target)):
            raise invalid(self, "minimum_deployment_target", ("iOS17", "macOS14", None))
        if taken := [name for name in self.custom_args if name in (*OWN, *HERE)]:
            raise ConfigError(
                f"CoreMLConfig.custom_args={{{taken[0]!r}: ...}} is not possible: it is set here, by the model and the "
                "other fields"
            )


class CoreMLFormat(Format):
    """`coreml`, and `coreml-fp16` where that is asked for: ML programs, with a batch of any size of the loader's."""

    name: ClassVar[str] = "coreml"
    title: ClassVar[str] = "Core ML"
    command: ClassVar[str] = "CoreML"
    groups: ClassVar[Mapping[str, Sequence[str]]] = {"edge": ("coreml",)}
    config: ClassVar[type[FormatConfig]] = CoreMLConfig
    frameworks: ClassVar[tuple[str, ...]] = ("torch", "torch-exportedprogram")
    parent: ClassVar[str | None] = "torch-exportedprogram"
    default: ClassVar[bool] = False
    requires: ClassVar[tuple[str, ...]] = ("coremltools", "torch")
    runners = table(
        "coreml",
        "pytest_navigator.backends.coreml.runner",
        ("CoreML", "CoreMLRunner", "coreml", ("macos", "coremltools")),
    )

    def on_request(self) -> dict[str, FormatConfig]:
        """Return the configuration of what computes in float16."""
        return {f"{self.name}-{precision}": CoreMLConfig(precision=precision) for precision in PRECISIONS[1:]}

    def variants(self, config: FormatConfig, parents: Sequence[Variant]) -> list[Variant]:
        """Return one variant for each parent and precision; the parent's own suffix stays in the key."""
        assert isinstance(config, CoreMLConfig)
        return [self._variant(config, parent, precision) for parent in parents for precision in config.precision]

    def check_fit(self, variant: Variant, loader: LoaderRecord, signature: Signature) -> None:
        """Refuse types and shapes that Core ML does not have.

        Raises:
            StepFailed: an input or output is of one.
        """
        from pytest_navigator.backends.coreml.tensors import check_types

        check_types(signature)

    def convert(
        self, parent: Path, data: LoaderData, signature: Signature, variant: Variant, path: Path
    ) -> dict[str, JSON]:
        """Convert the program, and read what was written.

        Raises:
            StepFailed: coremltools does not convert it, or what it wrote takes or gives something else than the model.
        """
        from pytest_navigator.backends.coreml import tensors
        from pytest_navigator.backends.coreml.chatter import contained
        from pytest_navigator.backends.coreml.model import read_spec, targets
        from pytest_navigator.formats.exporting import exporter

        shapes = tensors.ranges(data.record, signature)
        with exporter("coremltools") as lines, contained():
            tensors.check_target(variant.parameters["minimum_deployment_target"], targets())
            _writing(variant, shapes, signature)(str(parent), str(path))
            found = read_spec(str(path))
        tensors.check_written(found, signature, shapes)
        facts: dict[str, JSON] = {"structure": found, "note": tensors.note(signature), "warnings": lines}
        largest = tensors.largest(shapes, signature)
        return {**facts, **({} if largest is None else {"max_batch_size": largest})}

    def convert_script(self, subject: Subject) -> MakingCode:
        """Return the conversion."""
        from pytest_navigator.backends.coreml import tensors
        from pytest_navigator.core.script_parts import MakingCode
        from pytest_navigator.reproduce.code import call_of

        work = _writing(subject.variant, tensors.ranges(subject.loader, subject.signature), subject.signature)
        return MakingCode(call_of(work, "args.artifact", "args.output"), functions=(work.func,))

    def _variant(self, config: CoreMLConfig, parent: Variant, precision: str) -> Variant:
        suffix = parent.key.removeprefix(parent.format) + ("" if precision == PRECISIONS[0] else f"-{precision}")
        parameters = {
            "precision": precision,
            "minimum_deployment_target": config.minimum_deployment_target,
            "compute_units": config.compute_units,
            "custom_args": config.custom_args,
        }
        return Variant(self.name + suffix, self.name, parent.key, "model.mlpackage", parameters, self.runner_names)


def _writing(variant: Variant, shapes: Sequence[Sequence[Any]], signature: Signature) -> partial[None]:
    from pytest_navigator.backends.coreml import model, tensors

    parameters = variant.parameters
    return partial(
        model.write,
        inputs=tensors.inputs(signature, shapes),
        outputs=tensors.outputs(signature),
        half=parameters["precision"] == "fp16",
        target=parameters["minimum_deployment_target"],
        options=parameters["custom_args"],
    )
