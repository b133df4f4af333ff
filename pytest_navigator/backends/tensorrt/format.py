"""TensorRT engines, built from ONNX by Polygraphy: TensorRT's own and those of TensorRT-RTX."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_navigator.backends.builtin import SOURCES
from pytest_navigator.configuration.tensorrt_config import PRECISIONS, TensorRTConfig, TensorRTRTXConfig
from pytest_navigator.core.variants import Variant
from pytest_navigator.formats.base import Format
from pytest_navigator.formats.navigator import Navigator
from pytest_navigator.runners.spec import table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_navigator.backends.tensorrt import profiles
    from pytest_navigator.configuration.format_config import FormatConfig
    from pytest_navigator.core.plain import JSON, Parameters
    from pytest_navigator.core.records import Description, LoaderRecord, Signature, TensorSpec
    from pytest_navigator.core.script_parts import CommandLine, Subject
    from pytest_navigator.devices.built_with import Library
    from pytest_navigator.formats.base import LoaderData
    from pytest_navigator.formats.content import Content

# Fields of the configuration that its variants do not take as they are.
NOT_PARAMETERS = ("precision", "precision_mode", "trt_profile", "model_path", "timing_cache_dir")


class TensorRTFormat(Format):
    """`trt-fp32`, `trt-fp16`, `trt-bf16`, `trt-int8`, `trt-fp8`; `-single` where both precision modes are asked for."""

    name: ClassVar[str] = "trt"
    title: ClassVar[str] = "TensorRT"
    command: ClassVar[str] = "TRT"
    navigator: ClassVar[Navigator | None] = Navigator(
        runners=("TensorRT", "TensorRTCUDAGraph"),
        config="TensorRT",
        fields=("precision", "precision_mode"),
        folder={"precision": ""},
    )
    config: ClassVar[type[FormatConfig]] = TensorRTConfig
    frameworks: ClassVar[tuple[str, ...]] = (*SOURCES, "trt")
    parent: ClassVar[str | None] = "onnx"
    file: ClassVar[str] = "model.plan"
    file_title: ClassVar[str] = "a TensorRT plan"
    suffixes: ClassVar[tuple[str, ...]] = (".plan", ".trt", ".engine")
    requires: ClassVar[tuple[str, ...]] = ("cuda", "tensorrt", "onnx", "onnxruntime", "polygraphy")
    reads_with: ClassVar[tuple[str, ...]] = ("cuda", "tensorrt")
    bound: ClassVar[bool] = True
    diagnosis: ClassVar[str] = "pytest_navigator.backends.exchange.from_onnx_diagnosis:FromOnnxDiagnosis"
    runners = (
        *table(
            "trt",
            "pytest_navigator.backends.tensorrt.runners",
            ("TensorRT", "EngineRunner", "tensorrt", ("cuda", "tensorrt", "cuda-bindings")),
        ),
        *table(
            "trt",
            "pytest_navigator.backends.tensorrt.runners",
            ("TensorRTCUDAGraph", "TensorRTCUDAGraph", "tensorrt-cudagraph", ("cuda", "tensorrt", "cuda-bindings")),
            default=False,
        ),
    )

    backend: ClassVar[str] = "tensorrt"
    """Python's name of the library."""

    library: ClassVar[str] = "TensorRT"

    starts: ClassVar[tuple[bytes, ...]] = (b"ptrt", b"ftrt")
    """How its engines start."""

    def is_in(self, content: Content) -> bool:
        """Whether it starts as engines of this flavour do."""
        return content.head.startswith(self.starts)

    def as_source(self, config: FormatConfig) -> Variant:
        """Return the variant of a ready engine, whose precision nobody knows."""
        return Variant(self.name, self.name, None, self.file, {"backend": self.backend}, self._runners)

    def describe(
        self, path: Path, parameters: Parameters, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
    ) -> Description:
        """Return what the engine says: names, types, and the shapes of its first profile."""
        from pytest_navigator.backends.tensorrt.description import describe

        return describe(path, self.backend)

    def on_request(self) -> dict[str, FormatConfig]:
        """Return the configuration of each precision."""
        return {f"{self.name}-{precision}": self.config(precision=precision) for precision in PRECISIONS}  # type: ignore[call-arg]

    def depends_on(self, variant: Variant) -> JSON:
        """Return the digests of the files that its parameters name: paths say nothing of what is in them."""

        from pytest_navigator.core.digests import digest_of

        parameters = variant.parameters
        named = [parameters.get("model_path"), *parameters.get("custom_args", {}).values()]
        files = [
            Path(name)
            for value in named
            for name in (value if isinstance(value, list) else [value])
            if isinstance(name, str)
        ]
        return {str(path): digest_of(path) for path in files if path.is_file()}

    def variants(self, config: FormatConfig, parents: Sequence[Variant]) -> list[Variant]:
        """Return one variant for each parent, precision and mode; the parent's own suffix stays in the key."""
        assert isinstance(config, (TensorRTConfig, TensorRTRTXConfig))
        fields = {name: value for name, value in config.parameters().items() if name not in NOT_PARAMETERS}
        for field in ("model_path", "timing_cache_dir"):
            value = getattr(config, field, None)
            fields[field] = None if value is None else str(Path(value).absolute())
        return [
            self._variant(parent, fields, precision, mode, len(config.modes) > 1 and mode == "single")
            for parent in parents
            for precision in config.precision
            for mode in config.modes
        ]

    def check_fit(self, variant: Variant, loader: LoaderRecord, signature: Signature) -> None:
        """Refuse profiles that the model or its samples do not fit."""
        from pytest_navigator.backends.tensorrt import profiles

        if not variant.parameters.get("model_path"):
            profiles.check_given(loader, variant.parameters.get("trt_profiles") or (), signature)

    def convert(
        self, parent: Path, data: LoaderData, signature: Signature, variant: Variant, path: Path
    ) -> dict[str, JSON]:
        """Build the engine, for smaller batches if the configuration says so.

        Raises:
            StepFailed: a profile does not fit the model or its samples, or no engine was built.
        """

        from pytest_navigator.backends.tensorrt import command, network
        from pytest_navigator.backends.tensorrt.engine import check_flavour
        from pytest_navigator.core.cloning import copy_file
        from pytest_navigator.devices.libraries import tensorrt_version

        parameters, root = variant.parameters, path.parent.parent
        if parameters["model_path"]:
            copy_file(Path(parameters["model_path"]), path)
            check_flavour(path, self.backend)
            return {"backend": self.backend, "engine": "file"}
        notes, source = [], parent
        if network.changes(parameters):
            source = path.with_name(network.NETWORK)
            notes = network.write(parent, parameters, data.batches, source)
        if parameters["precision_mode"] == "single" and self.backend == "tensorrt_rtx":
            path.with_name(command.NO_TF32).write_text(command.NO_TF32_TEXT, encoding="utf-8")
        files = str(source.relative_to(root)), str(path.relative_to(root))
        shapes, arguments = self._build(files, parameters, data.record, signature, root)
        return {
            "backend": self.backend,
            "version": tensorrt_version(self.backend),
            "profiles": shapes,
            "command": arguments,
            "warnings": notes,
        }

    def convert_script(self, subject: Subject) -> CommandLine | None:
        """Return the command line of Polygraphy, after what writes the network in the engine's precision."""
        from pytest_navigator.backends.tensorrt import making_code as text

        return None if subject.variant.parameters["model_path"] else text.build(subject, self.backend)

    def built_by(self, parameters: Parameters) -> Library:
        """Return the TensorRT that is installed; a version-compatible engine runs with later ones too."""

        from pytest_navigator.backends.tensorrt import command
        from pytest_navigator.devices.built_with import Library
        from pytest_navigator.devices.libraries import tensorrt_version

        return Library(self.library, tensorrt_version(self.backend), later=command.version_compatible(parameters))

    def capabilities(self, parameters: Parameters) -> tuple[str, ...] | None:
        """Return what hardware compatibility says."""
        return {"ampere_plus": ("8.0+",)}.get(parameters.get("compatibility_level") or "")

    @property
    def _runners(self) -> tuple[str, ...]:
        return self.runner_names

    def _build(
        self,
        files: tuple[str, str],
        parameters: Parameters,
        loader: LoaderRecord,
        signature: Signature,
        root: Path,
    ) -> tuple[list[profiles.Profile], list[str]]:
        """Build for the largest batch that was asked for, or for the first smaller one that works."""

        from pytest_navigator.backends.tensorrt import attempts, build, command, network, profiles

        names = network.axes(root / files[0])

        def make(shapes: list[profiles.Profile]) -> list[str]:
            profiles.check_shared(shapes, parameters["trt_profiles"], names)
            arguments = command.convert(*files, parameters, shapes)
            build.run(arguments, self.backend, root)
            return arguments

        return attempts.largest(loader, parameters, signature, make)

    def _variant(self, parent: Variant, fields: Mapping[str, Any], precision: str, mode: str, single: bool) -> Variant:
        suffix = parent.key.removeprefix(parent.format)
        key = f"{self.name}{suffix}-{precision}{'-single' if single else ''}"
        own = {"backend": self.backend, "precision": precision, "precision_mode": mode}
        return Variant(key, self.name, parent.key, self.file, {**fields, **own}, self._runners)


class TensorRTRTXFormat(TensorRTFormat):
    """`trt-rtx-fp32`, ...: engines of TensorRT-RTX, which run on GeForce and RTX GPUs, and are built without any."""

    name: ClassVar[str] = "trt-rtx"
    title: ClassVar[str] = "TensorRT-RTX"
    config: ClassVar[type[FormatConfig]] = TensorRTRTXConfig
    frameworks: ClassVar[tuple[str, ...]] = (*SOURCES, "trt-rtx")
    default: ClassVar[bool] = False
    requires: ClassVar[tuple[str, ...]] = ("tensorrt-rtx", "onnx", "onnxruntime", "polygraphy")
    reads_with: ClassVar[tuple[str, ...]] = ("cuda", "tensorrt-rtx", "tensorrt-rtx-cuda")
    runners = table(
        "trt-rtx",
        "pytest_navigator.backends.tensorrt.runners",
        ("TensorRTRTX", "TensorRTRTX", "tensorrt-rtx", ("cuda", "tensorrt-rtx", "tensorrt-rtx-cuda", "cuda-bindings")),
    )
    backend: ClassVar[str] = "tensorrt_rtx"
    library: ClassVar[str] = "TensorRT-RTX"
    file_title: ClassVar[str] = "a TensorRT-RTX plan"
    suffixes: ClassVar[tuple[str, ...]] = TensorRTFormat.suffixes
    starts: ClassVar[tuple[bytes, ...]] = (b"vtrt",)

    def built_by(self, parameters: Parameters) -> Library:
        """Return the TensorRT-RTX that is installed; its engines are of one version."""

        from pytest_navigator.devices.built_with import Library
        from pytest_navigator.devices.libraries import tensorrt_version

        return Library(self.library, tensorrt_version(self.backend), parts=None)

    def capabilities(self, parameters: Parameters) -> tuple[str, ...] | None:
        """Return the GPUs that the engine is for."""
        return tuple(parameters.get("compute_capabilities") or ())
