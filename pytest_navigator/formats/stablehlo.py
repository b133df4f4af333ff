"""StableHLO: a JAX model as `jax.export` writes it, a file that any later JAX loads without the model's code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from typing import Any
from typing import ClassVar

from pytest_navigator.formats.base import Format
from pytest_navigator.formats.base import FormatConfig
from pytest_navigator.formats.jax_flat import abstract_inputs
from pytest_navigator.formats.jax_flat import closed_function
from pytest_navigator.formats.jax_flat import jax_exporter
from pytest_navigator.formats.torch import invalid
from pytest_navigator.records import Variant
from pytest_navigator.reproduce import jax as text
from pytest_navigator.runners.stablehlo import StableHLOCPU
from pytest_navigator.runners.stablehlo import StableHLOCUDA

if TYPE_CHECKING:
    from collections.abc import Mapping
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np

    from pytest_navigator.frameworks.base import Source
    from pytest_navigator.records import JSON
    from pytest_navigator.records import Signature
    from pytest_navigator.reproduce.parts import MakingCode
    from pytest_navigator.reproduce.parts import Subject
    from pytest_navigator.runners.base import Runner

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
    config: ClassVar[type[FormatConfig]] = StableHLOConfig
    frameworks: ClassVar[tuple[str, ...]] = ("jax",)
    requires: ClassVar[tuple[str, ...]] = ("jax",)
    runners: ClassVar[tuple[type[Runner], ...]] = (StableHLOCPU, StableHLOCUDA)

    def load(self, path: Path) -> Any:
        """Return the `jax.export.Exported`."""
        from jax import export

        return export.deserialize(bytearray(path.read_bytes()))

    def variants(self, config: FormatConfig, parents: Sequence[Variant]) -> list[Variant]:
        """Return the one variant."""
        runners = tuple(runner.name for runner in self.runners)
        return [Variant(self.name, self.name, None, "model.stablehlo", config.parameters(), runners)]

    def export(
        self, source: Source, example: Mapping[str, np.ndarray], signature: Signature, variant: Variant, path: Path
    ) -> dict[str, JSON]:
        """Export the model with the dynamic axes of the signature, its parameters as constants."""
        import jax
        from jax import export

        options = {"platforms": list(variant.parameters["platforms"]), **variant.parameters["custom_args"]}
        with jax_exporter("jax.export") as lines:
            function = jax.jit(closed_function(source, signature))
            exported = export.export(function, **options)(*abstract_inputs(signature))
            path.write_bytes(exported.serialize())
        version = exported.calling_convention_version
        return {"platforms": list(exported.platforms), "calling_convention_version": version, "warnings": lines}

    def export_script(self, subject: Subject) -> MakingCode:
        """Return the export by `jax.export`."""
        parameters = subject.variant.parameters
        return text.stablehlo(subject, {"platforms": list(parameters["platforms"]), **parameters["custom_args"]})
