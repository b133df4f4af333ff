"""SavedModels of live TensorFlow and JAX models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_navigator.configuration.format_config import FormatConfig, check_device, invalid
from pytest_navigator.core.variants import Variant
from pytest_navigator.errors import ConfigError
from pytest_navigator.formats.base import Format
from pytest_navigator.formats.navigator import Navigator
from pytest_navigator.formats.ways import Ways
from pytest_navigator.runners.spec import table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy as np

    from pytest_navigator.core.plain import JSON, Parameters
    from pytest_navigator.core.records import Description, Signature, TensorSpec
    from pytest_navigator.core.script_parts import MakingCode, Subject
    from pytest_navigator.formats.content import Content
    from pytest_navigator.frameworks.base import Source

REQUIRES = {"tensorflow": ("tensorflow",), "jax": ("jax", "tensorflow")}

FLAGS = (None, True, False)


SAVED_MODEL = ("saved_model.pb", "saved_model.pbtxt")  # Files of which each SavedModel has one


@dataclass(frozen=True)
class TensorFlowSavedModelConfig(FormatConfig):
    """SavedModels, one for each pair of flags; `custom_args` go to `tf.saved_model.save` or `jax2tf.convert`.

    Attributes:
        jit_compile: whether XLA compiles the function (`tf-savedmodel-jit`): None, True, False or several of them.
        enable_xla: for JAX models, the flag of jax2tf (`tf-savedmodel-xla`): None, True, False or several of them.
        signature: of a SavedModel that is itself the source: the one that is checked. None: "serving_default", or the
            only one.

    Raises:
        ConfigError: a value is not possible.
    """

    jit_compile: bool | tuple[bool | None, ...] | None = (None,)
    enable_xla: bool | tuple[bool | None, ...] | None = (None,)
    signature: str | None = None

    def __post_init__(self) -> None:
        check_device(self)
        for name in ("jit_compile", "enable_xla"):
            value = getattr(self, name)
            asked = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value,)
            if not asked or any(not any(flag is valid for valid in FLAGS) for flag in asked):
                raise invalid(self, name, FLAGS)
            if len({bool(flag) for flag in asked}) < len(asked):
                raise ConfigError(f"{type(self).__name__}.{name}={value!r} names one twice (None and False are one)")
            object.__setattr__(self, name, asked)


class TensorFlowSavedModelFormat(Format):
    """`tf-savedmodel`, `tf-savedmodel-jit`, `tf-savedmodel-xla`, `tf-savedmodel-jit-xla`."""

    name: ClassVar[str] = "tf-savedmodel"
    title: ClassVar[str] = "SavedModel"
    command: ClassVar[str] = "SavedModel"
    navigator: ClassVar[Navigator | None] = Navigator(
        runners=("TensorFlowSavedModelCPU", "TensorFlowSavedModelCUDA"),
        framework="tensorflow",
        config="TensorFlow",
        fields=("jit_compile", "enable_xla"),
        folder={"jit_compile": "jit", "enable_xla": "xla"},
    )
    config: ClassVar[type[FormatConfig]] = TensorFlowSavedModelConfig
    frameworks: ClassVar[tuple[str, ...]] = ("tensorflow", "jax", "tf-savedmodel")
    file: ClassVar[str] = "model.savedmodel"
    file_title: ClassVar[str] = "a SavedModel"
    suffixes: ClassVar[tuple[str, ...]] = (".savedmodel",)
    diagnosis: ClassVar[str] = "pytest_navigator.backends.exchange.savedmodel_diagnosis:SavedModelDiagnosis"
    runners = table(
        "tf-savedmodel",
        "pytest_navigator.backends.tensorflow.runners",
        ("TensorFlowSavedModelCPU", "SavedModelRunner", "cpu", ("tensorflow",)),
        ("TensorFlowSavedModelCUDA", "SavedModelRunner", "cuda", ("cuda", "tensorflow", "tensorflow-cuda")),
    )

    def is_in(self, content: Content) -> bool:
        """Whether a folder has the file that each SavedModel has."""
        return content.folder and any((content.path / name).is_file() for name in SAVED_MODEL)

    def as_source(self, config: FormatConfig) -> Variant:
        """Return the variant of a folder, with the signature that runs."""
        assert isinstance(config, TensorFlowSavedModelConfig)
        parameters = {"signature": config.signature, "custom_args": config.custom_args, "device": config.device}
        return Variant(self.name, self.name, None, self.file, parameters, self.runner_names)

    def describe(
        self, path: Path, parameters: Parameters, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]
    ) -> Description:
        """Return what the signature says."""
        from pytest_navigator.backends.tensorflow.description import describe

        return describe(path, parameters)

    def load(self, path: Path) -> Any:
        """Return what `tf.saved_model.load` gives."""
        import tensorflow as tf

        return tf.saved_model.load(str(path))

    def requires_for(self, source: str) -> tuple[str, ...]:
        """Return what the export of this framework's models needs."""
        return REQUIRES.get(source, ())

    def ways(self, variant: Variant, source: str) -> Ways:
        """Return the ways of a TensorFlow model; jax2tf has one."""
        from pytest_navigator.backends.tensorflow import savedmodel_export as tf_savedmodel

        return tf_savedmodel.WAYS if source == "tensorflow" else Ways()

    def variants(self, config: FormatConfig, parents: Sequence[Variant]) -> list[Variant]:
        """Return one variant for each pair of flags, the plain one first: ONNX is converted from that."""
        assert isinstance(config, TensorFlowSavedModelConfig)
        flags: list[tuple[Any, Any]] = list(product(config.jit_compile, config.enable_xla))  # type: ignore[arg-type]
        return [self._variant(config, jit, xla) for jit, xla in sorted(flags, key=lambda pair: tuple(map(bool, pair)))]

    def export(
        self, source: Source, example: Mapping[str, np.ndarray], signature: Signature, variant: Variant, path: Path
    ) -> dict[str, JSON]:
        """Export the model by its framework."""
        from pytest_navigator.backends.jax import jax2tf
        from pytest_navigator.backends.tensorflow import savedmodel_export as tf_savedmodel

        ways = {"tensorflow": tf_savedmodel.export_savedmodel, "jax": jax2tf.export_savedmodel}
        return ways[source.framework.name](source, example, signature, variant, path)

    def export_script(self, subject: Subject) -> MakingCode:
        """Return the export by the framework."""
        from pytest_navigator.backends.jax import jax2tf
        from pytest_navigator.backends.tensorflow import savedmodel_export as tf_savedmodel

        scripts = {"tensorflow": tf_savedmodel.export_script, "jax": jax2tf.export_script}
        return scripts[subject.signature.array_type](subject)

    def _variant(self, config: FormatConfig, jit_compile: bool | None, enable_xla: bool | None) -> Variant:
        parameters = {
            "jit_compile": jit_compile,
            "enable_xla": enable_xla,
            "custom_args": config.custom_args,
            "device": config.device,
        }
        key = f"{self.name}{'-jit' if jit_compile else ''}{'-xla' if enable_xla else ''}"
        return Variant(key, self.name, None, self.file, parameters, self.runner_names)
