"""The live TensorFlow model: the format that everything else is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pytest_navigator.configuration.format_config import FormatConfig, check_device
from pytest_navigator.core.variants import Variant
from pytest_navigator.errors import ConfigError
from pytest_navigator.formats.base import Format
from pytest_navigator.formats.navigator import Navigator
from pytest_navigator.runners.spec import table

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class TensorFlowConfig(FormatConfig):
    """The source model.

    Attributes:
        jit_compile, enable_xla: not possible here; Model Navigator has them in this class, but they are the
            SavedModel's: `TensorFlowSavedModelConfig`.

    Raises:
        ConfigError: a value is not possible.
    """

    jit_compile: object = None
    enable_xla: object = None

    def __post_init__(self) -> None:
        check_device(self)
        for name in ("jit_compile", "enable_xla"):
            if (value := getattr(self, name)) is not None:
                raise ConfigError(
                    f"TensorFlowConfig.{name}={value!r} is not possible: this is the live model, the SavedModel is "
                    f"configured by TensorFlowSavedModelConfig({name}={value!r})"
                )


class TensorFlowFormat(Format):
    """The live model itself: nothing is written."""

    name: ClassVar[str] = "tensorflow"
    title: ClassVar[str] = "TensorFlow2"
    command: ClassVar[str] = "TF"
    navigator: ClassVar[Navigator | None] = Navigator(("TensorFlowCPU", "TensorFlowCUDA"))
    config: ClassVar[type[FormatConfig]] = TensorFlowConfig
    frameworks: ClassVar[tuple[str, ...]] = ("tensorflow",)
    requires: ClassVar[tuple[str, ...]] = ("tensorflow",)
    runners = table(
        "tensorflow",
        "pytest_navigator.backends.tensorflow.runners",
        ("TensorFlowCPU", "LiveTensorFlowRunner", "cpu", ("tensorflow",)),
        ("TensorFlowCUDA", "LiveTensorFlowRunner", "cuda", ("cuda", "tensorflow", "tensorflow-cuda")),
        live=True,
    )

    def variants(self, config: FormatConfig, parents: Sequence[Variant]) -> list[Variant]:
        """Return the one variant `tensorflow`."""
        return [Variant(self.name, self.name, None, "", config.parameters(), self.runner_names)]
