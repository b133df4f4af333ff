"""The live JAX model: the format that everything else is compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pytest_navigator.configuration.format_config import FormatConfig, check_device
from pytest_navigator.core.variants import Variant
from pytest_navigator.formats.base import Format
from pytest_navigator.formats.navigator import Navigator
from pytest_navigator.runners.spec import table

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class JaxConfig(FormatConfig):
    """The source model and its compiled form; `custom_args` go to `jax.jit`.

    Raises:
        ConfigError: a value is not possible.
    """

    def __post_init__(self) -> None:
        check_device(self)


class JaxFormat(Format):
    """The live model itself: nothing is written."""

    name: ClassVar[str] = "jax"
    title: ClassVar[str] = "JAX"
    command: ClassVar[str] = "JAX"
    navigator: ClassVar[Navigator | None] = Navigator(("JAX",))
    config: ClassVar[type[FormatConfig]] = JaxConfig
    frameworks: ClassVar[tuple[str, ...]] = ("jax",)
    requires: ClassVar[tuple[str, ...]] = ("jax",)
    runners = table(
        "jax",
        "pytest_navigator.backends.jax.runners",
        ("JAX", "LiveJaxRunner", "cpu", ("jax",)),
        ("JAXJit", "JAXJitRunner", "jit-cpu", ("jax",)),
        ("JAXCUDA", "LiveJaxRunner", "cuda", ("cuda", "jax-cuda")),
        ("JAXJitCUDA", "JAXJitRunner", "jit-cuda", ("cuda", "jax-cuda")),
        live=True,
    )

    def variants(self, config: FormatConfig, parents: Sequence[Variant]) -> list[Variant]:
        """Return the one variant `jax`."""
        return [Variant(self.name, self.name, None, "", config.parameters(), self.runner_names)]
