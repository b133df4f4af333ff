"""Programs of `torch.export`, as files that load without the model's library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_navigator.backends.torch.live import AUTOCAST, AutocastConfig
from pytest_navigator.core.variants import Variant
from pytest_navigator.formats.base import Format
from pytest_navigator.formats.navigator import Navigator
from pytest_navigator.runners.spec import table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from pytest_navigator.configuration.format_config import FormatConfig
    from pytest_navigator.core.plain import JSON, Parameters
    from pytest_navigator.core.records import Description, Signature, TensorSpec
    from pytest_navigator.core.script_parts import MakingCode, Subject
    from pytest_navigator.formats.content import Content
    from pytest_navigator.frameworks.base import Source


@dataclass(frozen=True)
class TorchExportConfig(AutocastConfig):
    """An exported program; `custom_args` go to `torch.export.export`."""


class TorchExportedProgramFormat(Format):
    """`torch-exportedprogram`: takes the inputs by position and returns the outputs as a tuple."""

    name: ClassVar[str] = "torch-exportedprogram"
    title: ClassVar[str] = "ExportedProgram"
    command: ClassVar[str] = "ExportedProgram"
    navigator: ClassVar[Navigator | None] = Navigator(
        runners=("TorchExportedProgramCPU", "TorchExportedProgramCUDA"),
        framework="torch",
        config="TorchExport",
        fields=AUTOCAST,
    )
    config: ClassVar[type[FormatConfig]] = TorchExportConfig
    frameworks: ClassVar[tuple[str, ...]] = ("torch", "torch-exportedprogram")
    file: ClassVar[str] = "model.pt2"
    file_title: ClassVar[str] = "an ExportedProgram"
    suffixes: ClassVar[tuple[str, ...]] = (".pt2", ".pt", ".pth")
    requires: ClassVar[tuple[str, ...]] = ("torch",)
    exported_by: ClassVar[Mapping[str, tuple[str, ...]]] = {"torch": ("torch.export._trace",)}
    diagnosis: ClassVar[str] = "pytest_navigator.backends.torch.diagnosis:ExportedProgramDiagnosis"
    runners = table(
        "torch-exportedprogram",
        "pytest_navigator.backends.torch.exportedprogram_runners",
        ("TorchExportedProgramCPU", "TorchExportedProgramRunner", "cpu", ("torch",)),
        ("TorchExportedProgramCUDA", "TorchExportedProgramRunner", "cuda", ("cuda", "torch-cuda")),
        # Loading a program imports it, which takes seconds: the child does so while the model is exported.
        imports=("torch._dynamo", "torch._inductor.codecache", "networkx"),
    )

    def is_in(self, content: Content) -> bool:
        """Whether an archive has a program, as this or an older torch writes it."""
        old = "serialized_exported_program.json" in content.names | content.inner
        return old or {"archive_format", "models/model.json"} <= content.inner

    def as_source(self, config: FormatConfig) -> Variant:
        """Return the variant of a file, which has the structure of the model that it was exported from."""
        return Variant(
            self.name, self.name, None, self.file, {**config.parameters(), "structured": True}, self.runner_names
        )

    def describe(
        self, path: Path, parameters: Parameters, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
    ) -> Description:
        """Return what the program says."""
        from pytest_navigator.backends.torch.description import describe_program

        return describe_program(path)

    def load(self, path: Path) -> Any:
        """Return the program as a `torch.nn.Module`: tensors in the order of the inputs in, a tuple of tensors out."""

        from pytest_navigator.backends.torch.programs import load_program

        return load_program(path).module()

    def variants(self, config: FormatConfig, parents: Sequence[Variant]) -> list[Variant]:
        """Return the one variant."""
        return [Variant(self.name, self.name, None, self.file, config.parameters(), self.runner_names)]

    def export(
        self, source: Source, example: Mapping[str, np.ndarray], signature: Signature, variant: Variant, path: Path
    ) -> dict[str, JSON]:
        """Export the model with the dynamic axes of the signature."""

        import torch

        from pytest_navigator.backends.torch.flat import example_tensors, exported_program, on_device
        from pytest_navigator.formats.exporting import exporter

        model, device = on_device(source, variant.parameters)
        tensors = example_tensors(example, signature, device)
        with exporter("torch.export") as lines:
            program, derived = exported_program(model, tensors, signature, variant.parameters, device)
            # The file keeps an example for later compilers: of the user's batch only types and shapes.
            program.example_inputs = (tuple(torch.zeros_like(tensor) for tensor in tensors), {})
            torch.export.save(program, str(path))
        sizes = {str(k): str(v) for k, v in program.range_constraints.items()}
        return {"sizes": sizes, "derived_sizes": derived, "warnings": lines}

    def export_script(self, subject: Subject) -> MakingCode:
        """Return the export, by the way that succeeded."""

        from pytest_navigator.backends.torch import making_code as text
        from pytest_navigator.core.script_parts import MakingCode

        options = subject.variant.parameters["custom_args"]
        program = text.program(subject.signature, options, derived=bool(subject.data.get("derived_sizes")))
        saved = MakingCode("torch.export.save(program, args.output)\ntorch.export.load(args.output)")
        return text.making(subject, program).then(saved)
