"""StableHLO: a JAX model as `jax.export` writes it, a file that any later JAX loads without the model's code."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_navigator.configuration.format_config import FormatConfig, invalid
from pytest_navigator.core.script_parts import MakingCode
from pytest_navigator.core.variants import Variant
from pytest_navigator.formats.base import Format
from pytest_navigator.runners.spec import table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.records import Signature
    from pytest_navigator.core.script_parts import Subject
    from pytest_navigator.frameworks.base import Source

PLATFORMS = ("cpu", "cuda", "rocm", "tpu")


@dataclass(frozen=True)
class StableHLOConfig(FormatConfig):
    """StableHLO; `custom_args` go to `jax.export.export`.

    Attributes:
        platforms: what the file can run on, whatever it is made on: "cpu", "cuda", "rocm", "tpu".

    Raises:
        ConfigError: a value is not possible.
    """

    platforms: tuple[str, ...] = ("cpu", "cuda")

    def __post_init__(self) -> None:
        asked: object = self.platforms
        if not isinstance(asked, tuple | list) or not asked or not set(asked) <= set(PLATFORMS):
            raise invalid(self, "platforms", (PLATFORMS[:2], *((platform,) for platform in PLATFORMS)))
        object.__setattr__(self, "platforms", tuple(asked))


class StableHLOFormat(Format):
    """`stablehlo`: takes the inputs by position and returns the outputs as a tuple."""

    name: ClassVar[str] = "stablehlo"
    title: ClassVar[str] = "StableHLO"
    command: ClassVar[str] = "StableHLO"
    config: ClassVar[type[FormatConfig]] = StableHLOConfig
    frameworks: ClassVar[tuple[str, ...]] = ("jax",)
    requires: ClassVar[tuple[str, ...]] = ("jax",)
    diagnosis: ClassVar[str] = "pytest_navigator.backends.jax.diagnosis:JaxDiagnosis"
    runners = table(
        "stablehlo",
        "pytest_navigator.backends.jax.stablehlo_runners",
        ("StableHLOCPU", "StableHLORunner", "cpu", ("jax",)),
        ("StableHLOCUDA", "StableHLORunner", "cuda", ("cuda", "jax-cuda")),
        imports=("jax.export",),
    )

    def load(self, path: Path) -> Any:
        """Return the `jax.export.Exported`."""
        from pytest_navigator.backends.jax.exports import read_stablehlo

        return read_stablehlo(str(path))

    def variants(self, config: FormatConfig, parents: Sequence[Variant]) -> list[Variant]:
        """Return the one variant."""
        return [Variant(self.name, self.name, None, "model.stablehlo", config.parameters(), self.runner_names)]

    def export(
        self, source: Source, example: Mapping[str, np.ndarray], signature: Signature, variant: Variant, path: Path
    ) -> dict[str, JSON]:
        """Export the model with the dynamic axes of the signature, its parameters as constants."""
        from pytest_navigator.backends.jax.flat import flat_function, jax_exporter

        with jax_exporter("jax.export") as lines:
            flat, parameters = flat_function(source, signature)
            exported = _writing(signature, variant)(flat, parameters, str(path))
        version = exported.calling_convention_version
        return {"platforms": list(exported.platforms), "calling_convention_version": version, "warnings": lines}

    def export_script(self, subject: Subject) -> MakingCode:
        """Return the export by `jax.export`."""
        from pytest_navigator.backends.jax.exports import read_stablehlo
        from pytest_navigator.backends.jax.flat import export_code

        code = export_code(subject, _writing(subject.signature, subject.variant))
        return code.then(MakingCode("read_stablehlo(args.output)", functions=(read_stablehlo,)))


def _writing(signature: Signature, variant: Variant) -> partial[Any]:
    from pytest_navigator.backends.jax.exports import write_stablehlo
    from pytest_navigator.backends.jax.flat import described

    options = {"platforms": list(variant.parameters["platforms"]), **variant.parameters["custom_args"]}
    inputs = described(signature, [spec.name for spec in signature.inputs])
    return partial(write_stablehlo, inputs=inputs, options=options)
