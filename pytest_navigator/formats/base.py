"""What a format is: its key, its parent, what it requires, how it is made, and its runners.

A format is one module. It is plain code without state; everything that makes an artifact a different one is in its
`Variant`, as plain data, so that a child process can make it without the configuration object.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_navigator.core.variants import Variant
from pytest_navigator.formats.ways import Ways
from pytest_navigator.runners.spec import RunnerSpec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    import numpy as np

    from pytest_navigator.comparison.tolerances import Rule
    from pytest_navigator.configuration.format_config import FormatConfig
    from pytest_navigator.core.plain import JSON, Parameters
    from pytest_navigator.core.records import Description, LoaderRecord, Signature, TensorSpec
    from pytest_navigator.core.script_parts import CommandLine, MakingCode, Subject
    from pytest_navigator.devices.built_with import BuiltWith, Library
    from pytest_navigator.devices.processors import Processor
    from pytest_navigator.formats.content import Content
    from pytest_navigator.formats.navigator import Navigator
    from pytest_navigator.frameworks.base import Source
    from pytest_navigator.runners.base import Runner


def _nothing_known() -> LoaderRecord:
    # Formats are imported while tests are collected, and make nothing then.
    from pytest_navigator.core.records import LoaderRecord

    return LoaderRecord()


@dataclass(frozen=True)
class LoaderData:
    """What a conversion has of the user's loader.

    Attributes:
        example: one of the user's own batches, by input name.
        batches: those that correctness is checked on, each read when it is asked for, and again in each walk over them.
        record: shapes and sizes.
        rules: of every output, as correctness judges it; filled where the variant's quantization has a search.
    """

    example: Mapping[str, np.ndarray]
    batches: Iterable[Mapping[str, np.ndarray]] = ()
    record: LoaderRecord = field(default_factory=_nothing_known)
    rules: Mapping[str, Rule] = field(default_factory=dict)


class Format(ABC):
    """One format. Registered through the hook `pytest_nav_formats`; the built-in ones use the same way in."""

    name: ClassVar[str]
    """Model Navigator's name of the format: "onnx"."""

    title: ClassVar[str] = ""
    """What people call it: "TorchScript"; "": its name."""

    command: ClassVar[str] = ""
    """What Model Navigator's names of steps call it ("ExportTorch2ONNX"); "": its name, without the hyphens."""

    navigator: ClassVar[Navigator | None] = None
    """What Model Navigator knows of it; None: nothing."""

    config: ClassVar[type[FormatConfig]]
    """The configuration class; one format's class is no other format's."""

    frameworks: ClassVar[tuple[str, ...]]
    """Sources that the suite makes this format of: names of frameworks, and of formats whose files are sources."""

    parent: ClassVar[str | None] = None
    """Format that it is converted from; None: it is exported from the live model."""

    parents: ClassVar[Mapping[str, str]] = {}
    """Source -> format that it is converted from, for the sources where that is another one than `parent`."""

    file: ClassVar[str] = ""
    """Name of a file (or folder) of this format that is itself the source; "": there is no such source."""

    file_title: ClassVar[str] = ""
    """What people call such a file: "an ONNX file"; "": nobody gives one."""

    written_as: ClassVar[str] = ""
    """Format whose files its artifacts are, for all who read, serve or deploy them ("onnx" of quantized ONNX); "": its
    own."""

    suffixes: ClassVar[tuple[str, ...]] = ()
    """How the names of such files end: (".onnx",)."""

    default: ClassVar[bool] = True
    """Whether it is made when nobody says what to make."""

    groups: ClassVar[Mapping[str, Sequence[str]]] = {}
    """Group of formats -> what of this one is in it, by its names and keys: {"edge": ("litert", "litert-int8")}."""

    fixed_batch: ClassVar[bool] = False
    """Whether an artifact takes only the batch sizes that it was made for, `LoaderRecord.asked_batches` among them."""

    requires: ClassVar[tuple[str, ...]] = ()
    """What making it needs: packages that can be imported, and other names in `planning.requirements`."""

    members_require: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Member of a group, by its name in `groups` -> what making it needs beside `requires`: {"a-int8": ("nncf",)}."""

    made_with: ClassVar[tuple[str, ...]] = ()
    """Modules that making it may import, beside what it requires: with another version of one it is made again."""

    exported_by: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Source -> modules that an export imports and that take long: they are imported before the model is made."""

    reads_with: ClassVar[tuple[str, ...]] = ()
    """What `describe` needs, beside what the runners need: names in `pytest_navigator.devices.requirements`."""

    bound: ClassVar[bool] = False
    """Whether an artifact runs only where it was built: with such a version of its library, on what `bound_to` says."""

    bound_to: ClassVar[tuple[str, ...]] = ("gpu",)
    """What a bound format's artifacts are for one kind of: "gpu", "processor" (with its operating system), or both."""

    diagnosis: ClassVar[str] = ""
    """Where the class is imported from that finds the first value that an artifact computes otherwise than the source:
    "package.module:Class", derived from `pytest_navigator.formats.diagnosis.Diagnosis`; "": nobody can tell."""

    runners: tuple[type[Runner] | RunnerSpec, ...] = ()
    """Its runners, in order of preference; the first available one proves that the artifact loads.

    Classes, or rows of `runners.spec.table` that say where a class is: those are imported when one runs.
    """

    @property
    def runner_specs(self) -> tuple[RunnerSpec, ...]:
        """What is known of its runners without importing them."""
        return tuple(RunnerSpec.of(runner) for runner in self.runners)

    @property
    def runner_names(self) -> tuple[str, ...]:
        """The names of its runners."""
        return tuple(runner.name for runner in self.runners)

    def __init_subclass__(cls) -> None:
        """Give none of the names of what it is derived from to another format."""
        for fact in ("title", "command", "navigator", "file_title", "suffixes", "groups"):
            if fact not in vars(cls):
                setattr(cls, fact, getattr(Format, fact))

    def parent_for(self, source: str) -> str | None:
        """Return the format that it is converted from in a suite of this source; None: it is exported."""
        return self.parents.get(source, self.parent)

    def requires_for(self, source: str) -> tuple[str, ...]:
        """Return what making it needs in a suite of this source."""
        return self.requires

    def check_fit(self, variant: Variant, loader: LoaderRecord, signature: Signature) -> None:
        """Refuse what is configured and does not fit the model, before anything is asked for that making it needs.

        Raises:
            StepFailed: with the configuration's value, and the model's.
        """
        return

    def depends_on(self, variant: Variant) -> JSON:
        """Return what its artifact depends on beside its parameters, what it is made from and what it requires.

        As plain data: the digest of a file that a parameter names, the version of a compiler. An artifact is only made
        again, or taken from `--nav-cache`, according to what is known here.
        """
        return None

    def as_source(self, config: FormatConfig) -> Variant:
        """Return the variant of a source that is a file of this format."""
        arguments = {"custom_args": config.custom_args}
        return Variant(self.name, self.name, None, self.file, arguments, self.runner_names)

    def from_source(self, config: FormatConfig, source: Variant) -> list[Variant]:
        """Return what else of this format a configuration makes of a source that is a file of it: other precisions.

        Args:
            source: what `as_source` made.
        """
        return []

    def describe(
        self, path: Path, parameters: Parameters, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
    ) -> Description:
        """Return what a file of this format says of itself. Runs in the child.

        Args:
            parameters: of the variant that `as_source` made.
            inputs: what the user says of them, empty if nothing; files of most formats know better.
            outputs: likewise.

        Raises:
            SourceError: nobody says what its inputs are.
        """
        from pytest_navigator.formats.given_signature import described

        return described(path, inputs, outputs)

    def is_in(self, content: Content) -> bool:
        """Whether what is in a file or folder shows that it is of this format.

        Raises:
            ConfigError: it is, but not all of it is there.
        """
        return False

    def load(self, path: Path) -> Any:
        """Return the file as the model object of its library, on the CPU; its path where there is no such object."""
        return path

    def named(self, key: str) -> FormatConfig | None:
        """Return the configuration that makes a variant which the default one does not make; None: there is none."""
        return self.on_request().get(key)

    def on_request(self) -> dict[str, FormatConfig]:
        """Return the configuration of every variant that is made where its key is named, by that key."""
        return {}

    def ways(self, variant: Variant, source: str) -> Ways:
        """Return the exporters or converters that make a variant of this source, the best one first.

        `export` and `convert` find the name of the one that is to be used as the parameter "engine". Where one raises
        StepFailed, or makes what does not load, the next one is called; a crash or a hang ends the step.
        """
        return Ways()

    @abstractmethod
    def variants(self, config: FormatConfig, parents: Sequence[Variant]) -> list[Variant]:
        """Return the artifacts that a configuration asks for, in a fixed order.

        Args:
            config: an instance of `self.config`.
            parents: the variants of the parent format in this suite (empty for an exported format).

        Raises:
            ConfigError: a value is not possible; with the value, the field and what is possible.
        """

    def export(
        self, source: Source, example: Mapping[str, np.ndarray], signature: Signature, variant: Variant, path: Path
    ) -> dict[str, JSON]:
        """Write the live model to `path`. Runs in the process that holds the model.

        Args:
            example: one of the user's own batches, by input name.

        Returns:
            What is worth recording beside the artifact (the opset and the engine that were used, ...).
        """
        raise NotImplementedError

    def convert(
        self, parent: Path, data: LoaderData, signature: Signature, variant: Variant, path: Path
    ) -> dict[str, JSON]:
        """Write the artifact at `parent` to `path` in this format. Runs in the child."""
        raise NotImplementedError

    def built_by(self, parameters: Parameters) -> Library:
        """Return what builds and runs artifacts of a bound format here, without importing it; version "" if absent."""
        raise NotImplementedError

    def capabilities(self, parameters: Parameters) -> tuple[str, ...] | None:
        """Return the compute capabilities that an artifact of a bound format is for, whatever it was built on.

        "8.6" is that one, "8.0+" that one and all newer ones; () is any; None is that of the GPU that it was built on.
        """
        return None

    def processor(self, parameters: Parameters) -> Processor:
        """Return what the code of an artifact that is bound to a processor needs, if it is made here."""
        raise NotImplementedError

    def built_here(self, parameters: Parameters) -> BuiltWith:
        """Return what an artifact of a bound format is bound to, if this process makes it."""
        from pytest_navigator.devices.built_with import of_this_process

        processor = self.processor(parameters) if "processor" in self.bound_to else None
        library, capabilities = self.built_by(parameters), self.capabilities(parameters)
        return of_this_process(library, capabilities, processor, on_gpu="gpu" in self.bound_to)

    def export_script(self, subject: Subject) -> MakingCode | None:
        """Return the export as source text of the upstream libraries; None: there is no script for it."""
        return None

    def convert_script(self, subject: Subject) -> MakingCode | CommandLine | None:
        """Return the conversion as source text of the upstream libraries; None: there is no script for it."""
        return None
