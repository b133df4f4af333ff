"""How the modules of a pipeline are optimized: the configuration of `nav.optimize`, with Model Navigator's fields."""

from __future__ import annotations

import copy
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from pytest_navigator.configuration.format_config import FormatConfig
from pytest_navigator.configuration.known_fields import KnownFields
from pytest_navigator.configuration.profile_config import OptimizationProfile, ProfilerConfig
from pytest_navigator.configuration.rules import COUNT, is_list
from pytest_navigator.core.kinds import kind_of
from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path


# What no step asks for: the log has everything, and a precision is read from the model's own parameters.
WITHOUT_EFFECT = ("verbose", "model_precision")


@dataclass
class OptimizeConfig(KnownFields):
    """What `nav.optimize` makes of every module, or `module.optimize_config` of one; a script may change its fields.

    Attributes:
        sample_count: recorded calls that correctness is checked on, at most.
        batching: False: the modules have no batch axis; None: found from the recorded calls.
        input_names, output_names: of the tensors, in flattening order.
        target_formats: names, `nav.Format` members or groups ("cpu"); None: what is usual.
        target_device: "cpu", "cuda" or a `nav.DeviceKind`; None: all that this machine has.
        runners: names of runners or runtimes; None: all.
        optimization_profile: how to measure.
        workspace: folder of the run.
        verbose: changes nothing: everything is in the formats' logs.
        debug: the first exception ends the run and comes through as it is.
        verify_func: what a format's outputs and the module's own are given to; True: the format is verified.
        custom_configs: of formats: `[nav.OnnxConfig(opset=17)]`.
        model_precision: changes nothing: a module's precision is read from its parameters.
        atol, rtol: tolerances, as in `NavConfig`.

    Raises:
        ConfigError: a value is not possible.
    """

    sample_count: int = 100
    batching: bool | None = None
    input_names: Sequence[str] | None = None
    output_names: Sequence[str] | None = None
    target_formats: Sequence[str] | str | None = None
    target_device: object = None
    runners: Sequence[str] | str | None = None
    optimization_profile: OptimizationProfile | ProfilerConfig | None = None
    workspace: str | Path | None = None
    verbose: bool = False
    debug: bool = False
    verify_func: Callable[..., object] | None = None
    custom_configs: Sequence[FormatConfig] | None = None
    model_precision: str | None = None
    atol: Any = None
    rtol: Any = None

    def __post_init__(self) -> None:
        self.check()

    def check(self) -> None:
        """Refuse what could not be used; `nav.optimize` asks again, since fields may have been changed.

        Raises:
            ConfigError: a value is not possible.
        """
        kind_of(self.target_device)
        if not COUNT.fits(self.sample_count):
            raise ConfigError(f"OptimizeConfig.sample_count={self.sample_count!r}: it must be {COUNT.text}")
        if not isinstance(self.optimization_profile, OptimizationProfile | ProfilerConfig | None):
            raise ConfigError(
                f"OptimizeConfig.optimization_profile={self.optimization_profile!r}: nav.OptimizationProfile(...) is "
                "needed"
            )
        if self.verify_func is not None and not callable(self.verify_func):
            raise ConfigError(f"OptimizeConfig.verify_func={self.verify_func!r}: a function is needed")
        configs = self.custom_configs
        if configs is not None and not (is_list(configs) and all(isinstance(one, FormatConfig) for one in configs)):
            raise ConfigError(
                f"OptimizeConfig.custom_configs={configs!r}: a list of configurations is needed: "
                "[nav.OnnxConfig(opset=17)]"
            )

    def options(self) -> dict[str, Any]:
        """Return what it says as keywords of `nav.torch.optimize`, without what is None and what changes nothing."""
        said = {name: value for name, value in self.to_dict().items() if value is not None}
        return {name: value for name, value in said.items() if name not in WITHOUT_EFFECT}

    def to_dict(self) -> dict[str, Any]:
        """Return every field by its name, as it is."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def clone(self) -> OptimizeConfig:
        """Return a copy whose fields can be changed for one module."""
        return copy.deepcopy(self)


def check_config(own: object) -> None:
    """Refuse what a module cannot be optimized by; None is none of its own.

    Raises:
        ConfigError: it is no OptimizeConfig, or a value in it is not possible.
    """
    if own is None:
        return
    if not isinstance(own, OptimizeConfig):
        raise ConfigError(f"optimize_config={own!r}: a nav.OptimizeConfig is needed")
    own.check()
