"""AOTInductor: exported programs that were compiled ahead of time; they run without the model and a compiler."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_navigator.configuration.format_config import FormatConfig, check_device
from pytest_navigator.core.variants import Variant
from pytest_navigator.errors import ConfigError
from pytest_navigator.formats.base import Format
from pytest_navigator.runners.spec import table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_navigator.core.plain import JSON, Parameters
    from pytest_navigator.core.records import Description, Signature, TensorSpec
    from pytest_navigator.core.script_parts import MakingCode, Subject
    from pytest_navigator.devices.built_with import Library
    from pytest_navigator.devices.processors import Processor
    from pytest_navigator.formats.base import LoaderData
    from pytest_navigator.formats.content import Content

# Options of Inductor that decide what the file is, which is this format's business.
OWN = (
    "aot_inductor.package",
    "aot_inductor.output_path",
    "aot_inductor.metadata",
    "aot_inductor.package_constants_in_so",
    "aot_inductor.package_constants_on_disk",
)

RUNNERS = "pytest_navigator.backends.torch.aotinductor_runners"


@dataclass(frozen=True)
class AOTInductorConfig(FormatConfig):
    """A package of AOTInductor for processors; `custom_args` are options of Inductor, like `{"max_autotune": True}`.

    `cpp.march` is the processor that the code is for: "native" is this one with all that it has; the default is its
    level of x86-64 ("x86-64-v4"), which other processors have as well. `cpp.simdlen`, 256 or 512, is the length of
    vectors in bits: 256 for processors without AVX-512.

    Raises:
        ConfigError: an option is not the user's to give.
    """

    def __post_init__(self) -> None:
        check_device(self)
        if taken := [name for name in self.custom_args if name in OWN]:
            raise ConfigError(
                f"{type(self).__name__}.custom_args={{{taken[0]!r}: ...}} is not possible: a package is one file with "
                "its weights, whose place and metadata are set here"
            )


@dataclass(frozen=True)
class AOTInductorCUDAConfig(AOTInductorConfig):
    """The same for GPUs."""


class AOTInductorFormat(Format):
    """`aotinductor`: native code for processors, with the weights in it."""

    name: ClassVar[str] = "aotinductor"
    title: ClassVar[str] = "AOTInductor"
    command: ClassVar[str] = "AOTInductor"
    groups: ClassVar[Mapping[str, Sequence[str]]] = {"cpu": ("aotinductor",)}
    config: ClassVar[type[FormatConfig]] = AOTInductorConfig
    frameworks: ClassVar[tuple[str, ...]] = ("torch", "torch-exportedprogram", "aotinductor")
    parent: ClassVar[str | None] = "torch-exportedprogram"
    default: ClassVar[bool] = False
    file: ClassVar[str] = "model.pt2"
    file_title: ClassVar[str] = "a package of AOTInductor"
    suffixes: ClassVar[tuple[str, ...]] = (".pt2",)
    requires: ClassVar[tuple[str, ...]] = ("c++ compiler", "torch")
    bound: ClassVar[bool] = True
    bound_to: ClassVar[tuple[str, ...]] = ("processor",)
    runners = table(
        "aotinductor",
        RUNNERS,
        ("TorchAOTInductorCPU", "AOTInductorRunner", "cpu", ("torch",)),
        imports=("torch._inductor",),
    )
    target: ClassVar[str] = "cpu"

    def is_in(self, content: Content) -> bool:
        """Whether an archive has code of AOTInductor for this format's device, and no program beside it."""
        from pytest_navigator.backends.torch.aotinductor_files import device_in

        return device_in(content) == self.target

    def describe(
        self, path: Path, parameters: Parameters, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
    ) -> Description:
        """Return what the package says, if it was made here; else what the user says."""
        from pytest_navigator.backends.torch.aotinductor_files import describe

        return describe(path, inputs, outputs)

    def load(self, path: Path) -> Any:
        """Return what `torch._inductor.aoti_load_package` does: tensors in the order of the inputs in, a tuple out."""
        from pytest_navigator.backends.torch.aotinductor_model import load_package

        return load_package(str(path))

    def as_source(self, config: FormatConfig) -> Variant:
        """Return the variant of a file, which has the structure of the model that it was made of."""
        parameters = {**config.parameters(), "structured": True}
        return Variant(self.name, self.name, None, self.file, parameters, self.runner_names)

    def variants(self, config: FormatConfig, parents: Sequence[Variant]) -> list[Variant]:
        """Return one variant for each program."""
        return [self._variant(config, parent) for parent in parents]

    def convert(
        self, parent: Path, data: LoaderData, signature: Signature, variant: Variant, path: Path
    ) -> dict[str, JSON]:
        """Compile the program; Inductor's own files stay in the workspace.

        Raises:
            StepFailed: Inductor has no such option, or cannot compile the program.
        """
        from pytest_navigator.backends.torch import aotinductor_model as model
        from pytest_navigator.backends.torch.aotinductor_files import caching, check_options, metadata_of
        from pytest_navigator.formats.exporting import exporter

        options = self._options(variant.parameters)
        check_options(options)
        with exporter("AOTInductor") as lines, caching(path.parents[2]):
            model.compile_package(str(parent), str(path), options, self.target, metadata_of(signature))
        return {"warnings": lines, "options": options}

    def convert_script(self, subject: Subject) -> MakingCode:
        """Return the compilation."""
        from pytest_navigator.backends.torch.aotinductor_files import metadata_of
        from pytest_navigator.backends.torch.aotinductor_model import compile_package
        from pytest_navigator.core.script_parts import MakingCode
        from pytest_navigator.reproduce.code import call_of

        options = self._options(subject.variant.parameters)
        metadata = metadata_of(subject.signature)
        work = partial(compile_package, options=options, device=self.target, metadata=metadata)
        return MakingCode(call_of(work, "args.artifact", "args.output"), functions=(compile_package,))

    def built_by(self, parameters: Parameters) -> Library:
        """Return PyTorch: the code calls functions of its libraries, which each minor version may change."""
        from pytest_navigator.backends.tensorrt.inside import installed_version
        from pytest_navigator.devices.built_with import Library

        return Library("PyTorch", installed_version("torch").partition("+")[0])

    def processor(self, parameters: Parameters) -> Processor:
        """Return what the compiler is told that the processor has."""
        from pytest_navigator.backends.torch.aotinductor_target import needed
        from pytest_navigator.devices.processors import here

        return needed(parameters.get("custom_args") or {}, here())

    def _options(self, parameters: Parameters) -> dict[str, Any]:
        from pytest_navigator.backends.torch.aotinductor_target import options
        from pytest_navigator.devices.processors import here

        return options(parameters.get("custom_args") or {}, here())

    def _variant(self, config: FormatConfig, parent: Variant) -> Variant:
        key = f"{self.name}{parent.key.removeprefix(parent.format)}"
        return Variant(key, self.name, parent.key, self.file, config.parameters(), self.runner_names)


class AOTInductorCUDAFormat(AOTInductorFormat):
    """`aotinductor-cuda`: kernels for one GPU, and the code that starts them for one kind of processor."""

    name: ClassVar[str] = "aotinductor-cuda"
    title: ClassVar[str] = "AOTInductor for CUDA"
    command: ClassVar[str] = "AOTInductorCUDA"
    config: ClassVar[type[FormatConfig]] = AOTInductorCUDAConfig
    frameworks: ClassVar[tuple[str, ...]] = ("torch", "torch-exportedprogram", "aotinductor-cuda")
    file_title: ClassVar[str] = "a package of AOTInductor for CUDA"
    suffixes: ClassVar[tuple[str, ...]] = (".pt2",)
    requires: ClassVar[tuple[str, ...]] = ("cuda", "torch-cuda", "c++ compiler", "torch")
    bound_to: ClassVar[tuple[str, ...]] = ("gpu", "processor")
    runners = table(
        "aotinductor-cuda",
        RUNNERS,
        ("TorchAOTInductorCUDA", "AOTInductorRunner", "cuda", ("cuda", "torch-cuda")),
        imports=("torch._inductor",),
    )
    target: ClassVar[str] = "cuda"
