"""What the configuration of every format has."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Protocol

from pytest_navigator.configuration.known_fields import KnownFields
from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Self


@dataclass(frozen=True)
class FormatConfig(KnownFields):
    """What every format's configuration has.

    Attributes:
        custom_args: passed on to the exporter or converter as they are.
        device: where to export or convert ("cpu", "cuda"); None: where the model is.
    """

    custom_args: dict[str, Any] = field(default_factory=dict)
    device: str | None = None

    @classmethod
    def name(cls) -> str:
        """Return Model Navigator's name of the configuration: "Onnx" of OnnxConfig."""
        return cls.__name__.removesuffix("Config")

    def defaults(self) -> Self:
        """Return the configuration that nobody has configured; this one stays as it is."""
        return type(self)()

    def parameters(self) -> dict[str, Any]:
        """Return every field by its name, as it is: an exporter gets the user's own objects, not copies."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


class Configured(Protocol):
    """A format, as far as its configuration goes."""

    @property
    def name(self) -> str:
        """Model Navigator's name of the format."""

    @property
    def file(self) -> str:
        """Name of a file of this format that is itself the source."""

    @property
    def default(self) -> bool:
        """Whether it is made when nobody says what to make."""

    @property
    def config(self) -> type[FormatConfig]:
        """The configuration class."""

    def named(self, key: str) -> FormatConfig | None:
        """Return the configuration that makes a variant which the default one does not make; None: there is none."""


def invalid(config: FormatConfig, field: str, valid: Sequence[object]) -> ConfigError:
    """Return the error for an impossible value of a field."""
    value = getattr(config, field)
    options = ", ".join(repr(option) for option in valid)
    return ConfigError(f"{type(config).__name__}.{field}={value!r} is not possible (valid: {options})")


def check_device(config: FormatConfig) -> None:
    """Raise ConfigError for a device that is none."""
    if config.device is not None and config.device.partition(":")[0] not in ("cpu", "cuda"):
        raise invalid(config, "device", (None, "cpu", "cuda"))
