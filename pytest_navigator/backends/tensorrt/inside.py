"""What Torch-TensorRT and TF-TRT have in common: a framework's own file with TensorRT's engines in it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_navigator.configuration.tensorrt_config import CustomConfigForTensorRT
from pytest_navigator.core.variants import Variant
from pytest_navigator.errors import ConfigError
from pytest_navigator.formats.base import Format

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_navigator.backends.tensorrt import profiles
    from pytest_navigator.configuration.format_config import FormatConfig
    from pytest_navigator.core.records import LoaderRecord, Signature
    from pytest_navigator.core.script_parts import Subject

# Fields of the configuration that its variants do not take as they are.
NOT_PARAMETERS = ("precision", "precision_mode", "trt_profile")


@dataclass(frozen=True)
class InsideConfig(CustomConfigForTensorRT):
    """What both configurations check beside their fields."""

    precisions: ClassVar[Mapping[str, str]]
    """What can be made -> what the library calls it."""

    other_precisions: ClassVar[str]
    """Why no others."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if refused := [one for one in self.precision if one not in self.precisions]:
            valid = ", ".join(map(repr, self.precisions))
            raise ConfigError(
                f"{type(self).__name__}.precision={refused[0]!r} is not possible (valid: {valid}): "
                f"{self.other_precisions}"
            )
        if len(self.trt_profiles or ()) > 1:
            raise ConfigError(f"{type(self).__name__}.trt_profiles: the library takes one profile, here are several")


class TensorRTInsideFormat(Format):
    """One variant for each parent, precision and mode; bound to the GPU and the library that it was built with."""

    bound: ClassVar[bool] = True

    artifact: ClassVar[str]
    """Name of its file or folder; it cannot be a source, for it does not differ from that of the format it was."""

    def on_request(self) -> dict[str, FormatConfig]:
        """Return the configuration of each precision."""
        assert issubclass(self.config, InsideConfig)
        return {f"{self.name}-{precision}": self.config(precision=precision) for precision in self.config.precisions}

    def variants(self, config: FormatConfig, parents: Sequence[Variant]) -> list[Variant]:
        """Return one variant for each parent, precision and mode; the parent's own suffix stays in the key."""
        assert isinstance(config, InsideConfig)
        fields = {name: value for name, value in config.parameters().items() if name not in NOT_PARAMETERS}
        return [
            self._variant(parent, {**fields, "precision": precision, "precision_mode": mode}, mode != config.modes[0])
            for parent in parents
            for precision in config.precision
            for mode in config.modes
        ]

    def check_fit(self, variant: Variant, loader: LoaderRecord, signature: Signature) -> None:
        """Refuse a profile that the model or its samples do not fit."""
        from pytest_navigator.backends.tensorrt import profiles

        profiles.check_given(loader, variant.parameters.get("trt_profiles") or (), signature)

    def _variant(self, parent: Variant, parameters: dict[str, Any], second: bool) -> Variant:
        suffix = parent.key.removeprefix(parent.format)
        key = f"{self.name}{suffix}-{parameters['precision']}{'-single' if second else ''}"
        own = {"signature": parent.parameters["signature"]} if parent.parameters.get("signature") else {}
        return Variant(key, self.name, parent.key, self.artifact, {**parameters, **own}, self.runner_names)


def profile_of(subject: Subject) -> profiles.Profile:
    """Return the profile that an artifact was built with; before it is built, the one of the first attempt."""

    from pytest_navigator.backends.tensorrt import profiles

    if found := subject.data.get("profiles"):
        return dict(found[0])
    loader, given = subject.loader, subject.variant.parameters["trt_profiles"]
    return profiles.completed(loader.profile, loader.asked_batch, given, subject.signature)[0]


def installed_version(*names: str) -> str:
    """Return the version of the first distribution that is installed, "" if none is; nothing is imported."""
    for name in names:
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return ""
