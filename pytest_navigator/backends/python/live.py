"""A callable: the format that nothing is exported from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from pytest_navigator.configuration.format_config import FormatConfig
from pytest_navigator.core.variants import Variant
from pytest_navigator.errors import ConfigError
from pytest_navigator.formats.base import Format
from pytest_navigator.formats.navigator import Navigator
from pytest_navigator.runners.spec import table

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class PythonConfig(FormatConfig):
    """A callable, which has nothing to configure.

    Raises:
        ConfigError: `custom_args` or `device` is given.
    """

    def __post_init__(self) -> None:
        for name, value in (("custom_args", self.custom_args), ("device", self.device)):
            if value:
                raise ConfigError(f"PythonConfig.{name}={value!r}: nothing is exported from a callable; remove it")


class PythonFormat(Format):
    """The live callable itself: nothing is written."""

    name: ClassVar[str] = "python"
    title: ClassVar[str] = "Python"
    command: ClassVar[str] = "Python"
    navigator: ClassVar[Navigator | None] = Navigator(("PythonRunner",), framework="none")
    config: ClassVar[type[FormatConfig]] = PythonConfig
    frameworks: ClassVar[tuple[str, ...]] = ("python",)
    runners = table(
        "python", "pytest_navigator.backends.python.runner", ("PythonRunner", "PythonRunner", "cpu", ()), live=True
    )

    def variants(self, config: FormatConfig, parents: Sequence[Variant]) -> list[Variant]:
        """Return the one variant `python`."""
        return [Variant(self.name, self.name, None, "", {}, self.runner_names)]
