"""ExecuTorch's files, from programs of PyTorch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from pytest_navigator.backends.executorch.config import PRECISIONS, ExecuTorchConfig
from pytest_navigator.core.variants import Variant
from pytest_navigator.formats.base import Format
from pytest_navigator.runners.spec import table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_navigator.configuration.format_config import FormatConfig
    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.records import LoaderRecord, Signature
    from pytest_navigator.core.script_parts import MakingCode, Subject
    from pytest_navigator.formats.base import LoaderData


class ExecuTorchFormat(Format):
    """`executorch`, and `executorch-int8` where asked for: one file, whose memory is planned for the largest inputs."""

    name: ClassVar[str] = "executorch"
    title: ClassVar[str] = "ExecuTorch"
    command: ClassVar[str] = "ExecuTorch"
    groups: ClassVar[Mapping[str, Sequence[str]]] = {"edge": ("executorch", "executorch-int8")}
    config: ClassVar[type[FormatConfig]] = ExecuTorchConfig
    frameworks: ClassVar[tuple[str, ...]] = ("torch", "torch-exportedprogram")
    parent: ClassVar[str | None] = "torch-exportedprogram"
    default: ClassVar[bool] = False
    requires: ClassVar[tuple[str, ...]] = ("executorch", "torch")
    members_require: ClassVar[Mapping[str, tuple[str, ...]]] = {"executorch-int8": ("torchao",)}
    made_with: ClassVar[tuple[str, ...]] = ("torchao",)
    runners = table(
        "executorch",
        "pytest_navigator.backends.executorch.runner",
        ("ExecuTorchCPU", "ExecuTorchRunner", "cpu", ("executorch", "torch")),
    )

    def on_request(self) -> dict[str, FormatConfig]:
        """Return the configuration of each other precision."""
        return {f"{self.name}-{precision}": ExecuTorchConfig(precision=precision) for precision in PRECISIONS[1:]}

    def variants(self, config: FormatConfig, parents: Sequence[Variant]) -> list[Variant]:
        """Return one variant for each parent and precision; the parent's own suffix stays in the key.

        Where int8 is asked for, float32 is there as well: that is what it is measured beside.
        """
        assert isinstance(config, ExecuTorchConfig)
        asked = PRECISIONS if "int8" in config.precision else PRECISIONS[:1]
        return [self._variant(config, parent, precision) for parent in parents for precision in asked]

    def check_fit(self, variant: Variant, loader: LoaderRecord, signature: Signature) -> None:
        """Refuse text, and memory for less than the loader has.

        Raises:
            StepFailed: an input or output is text, or a sample is larger than `max_batch_size`.
        """
        from pytest_navigator.core.records import TEXT_TYPES
        from pytest_navigator.errors import StepFailed

        texts = [spec.name for spec in (*signature.inputs, *signature.outputs) if spec.dtype in TEXT_TYPES.values()]
        if texts:
            raise StepFailed(f"{texts[0]!r} is text, which ExecuTorch cannot take or give")
        most = variant.parameters["max_batch_size"]
        if most is not None and most < (loader.max_batch_size or 1):
            raise StepFailed(
                f"ExecuTorchConfig(max_batch_size={most}) is below the largest batch of the samples, "
                f"{loader.max_batch_size}"
            )

    def convert(
        self, parent: Path, data: LoaderData, signature: Signature, variant: Variant, path: Path
    ) -> dict[str, JSON]:
        """Lower the program, and quantize it before.

        Raises:
            StepFailed: as `making.make` says, or ExecuTorch raised.
            Unavailable: torchao is not installed, which int8 needs.
        """
        from importlib.metadata import version

        from pytest_navigator.backends.executorch import making
        from pytest_navigator.devices.requirements import missing
        from pytest_navigator.errors import Unavailable
        from pytest_navigator.formats.exporting import exporter

        if lacking := missing(("torchao",)) if variant.parameters["precision"] == "int8" else "":
            raise Unavailable(lacking)
        with exporter("executorch") as lines:
            found = making.make(parent, data, signature, variant, path)
        return {"version": version("executorch"), **found, "warnings": lines}

    def convert_script(self, subject: Subject) -> MakingCode:
        """Return the conversion, and a calibration by the samples of the package."""
        from pytest_navigator.backends.executorch import making_code

        return making_code.script(subject)

    def _variant(self, config: ExecuTorchConfig, parent: Variant, precision: str) -> Variant:
        plain = self.name + parent.key.removeprefix(parent.format)
        parameters: dict[str, Any] = {
            "precision": precision,
            "backend": config.backend,
            "min_delegated": config.min_delegated,
            "max_batch_size": config.max_batch_size,
            "structured": bool(parent.parameters.get("structured")),
            "custom_args": config.custom_args,
        }
        if precision == PRECISIONS[0]:
            return Variant(plain, self.name, parent.key, "model.pte", parameters, self.runner_names)
        parameters["quantization"] = config.quantization.parameters()
        key = f"{plain}-{precision}"
        return Variant(key, self.name, parent.key, "model.pte", parameters, self.runner_names, plain)
