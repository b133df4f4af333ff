"""Thread and numeric settings of frameworks: read in one process, applied in another."""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from copy import deepcopy
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_navigator.isolation.on_import import OnImport

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import ModuleType

    from pytest_navigator.core.plain import JSON

_EARLIER: ContextVar[dict[str, dict[str, JSON]] | None] = ContextVar("earlier settings", default=None)


class Setting(NamedTuple):
    """One setting of a framework.

    Attributes:
        read, write: how it is read from the framework's module, and how it is set.
        statement: what sets it in a script, of the values of all; "" for what no script repeats.
        default: the value that no script sets.
    """

    read: Callable[[Any], JSON]
    write: Callable[[Any, Any], object]
    statement: str = ""
    default: JSON = None


SETTINGS: dict[str, dict[str, Setting]] = {
    "tensorflow": {
        "intra_op_threads": Setting(
            lambda tf: tf.config.threading.get_intra_op_parallelism_threads(),
            lambda tf, value: tf.config.threading.set_intra_op_parallelism_threads(value),
            "tf.config.threading.set_intra_op_parallelism_threads({intra_op_threads})",
            0,
        ),
        "inter_op_threads": Setting(
            lambda tf: tf.config.threading.get_inter_op_parallelism_threads(),
            lambda tf, value: tf.config.threading.set_inter_op_parallelism_threads(value),
            "tf.config.threading.set_inter_op_parallelism_threads({inter_op_threads})",
            0,
        ),
    },
    "torch": {
        "num_threads": Setting(
            lambda torch: torch.get_num_threads(),
            lambda torch, value: torch.set_num_threads(value),
            "torch.set_num_threads({num_threads})",
        ),
        "float32_matmul_precision": Setting(
            lambda torch: torch.get_float32_matmul_precision(),
            lambda torch, value: torch.set_float32_matmul_precision(value),
            "torch.set_float32_matmul_precision({float32_matmul_precision!r})",
            "highest",
        ),
        "deterministic": Setting(
            lambda torch: torch.are_deterministic_algorithms_enabled(),
            lambda torch, value: torch.use_deterministic_algorithms(
                value, warn_only=torch.is_deterministic_algorithms_warn_only_enabled()
            ),
            "torch.use_deterministic_algorithms(True, warn_only={deterministic_warn_only})",
            False,
        ),
        "deterministic_warn_only": Setting(
            lambda torch: torch.is_deterministic_algorithms_warn_only_enabled(),
            lambda torch, value: torch.use_deterministic_algorithms(
                torch.are_deterministic_algorithms_enabled(), warn_only=value
            ),
        ),
        "cudnn_benchmark": Setting(
            lambda torch: torch.backends.cudnn.benchmark,
            lambda torch, value: setattr(torch.backends.cudnn, "benchmark", value),
        ),
    },
    "jax": {
        "enable_x64": Setting(
            lambda jax: jax.config.jax_enable_x64,
            lambda jax, value: jax.config.update("jax_enable_x64", value),
            'jax.config.update("jax_enable_x64", {enable_x64})',
            False,
        ),
        "default_matmul_precision": Setting(
            lambda jax: jax.config.jax_default_matmul_precision,
            lambda jax, value: jax.config.update("jax_default_matmul_precision", value),
            'jax.config.update("jax_default_matmul_precision", {default_matmul_precision!r})',
        ),
    },
}


def statements(name: str, settings: Mapping[str, Mapping[str, JSON]]) -> str:
    """Return what repeats the settings of a framework in a script, a line each."""
    values = settings.get(name, {})
    told = [one for key, one in SETTINGS[name].items() if one.statement and values.get(key, one.default) != one.default]
    return "".join(f"{one.statement.format(**values)}\n" for one in told)


@contextmanager
def settings_of(earlier: dict[str, dict[str, JSON]]) -> Iterator[None]:
    """Let `current_settings` of this thread be those of an earlier moment: another thread may change them for a while.

    An exporter does, and puts them back.
    """
    before = _EARLIER.set(earlier)
    try:
        yield
    finally:
        _EARLIER.reset(before)


def current_settings() -> dict[str, dict[str, JSON]]:
    """Return the settings of those frameworks that this process has imported; imports none."""
    if (earlier := _EARLIER.get()) is not None:
        return deepcopy(earlier)
    return {name: _read(name, module) for name in SETTINGS if (module := sys.modules.get(name)) is not None}


def apply_settings(settings: Mapping[str, Mapping[str, JSON]]) -> None:
    """Apply settings to the frameworks that this process has imported; the others are left alone.

    Raises:
        ValueError: a framework or a setting is not one of `SETTINGS`.
    """
    check_settings(settings)
    for name in settings:
        if module := sys.modules.get(name):
            _write(name, module, settings[name])


def check_settings(settings: Mapping[str, Mapping[str, JSON]]) -> None:
    """Raise ValueError unless every framework and every setting is one of `SETTINGS`."""
    for name, values in settings.items():
        if unknown := [key for key in values if key not in SETTINGS.get(name, {})]:
            raise ValueError(f"unknown setting {unknown[0]!r} of {name!r} (valid: {sorted(SETTINGS.get(name, {}))})")


class SettingsOnImport(OnImport):
    """Applies `settings` right after a framework was imported, before anything can compute with it."""

    def __init__(self) -> None:
        super().__init__(SETTINGS)
        self.settings: Mapping[str, Mapping[str, JSON]] = {}

    def after(self, name: str, module: ModuleType) -> None:
        """Apply those of the framework."""
        _write(name, module, self.settings.get(name, {}))


def _read(name: str, module: ModuleType) -> dict[str, JSON]:
    values: dict[str, JSON] = {}
    for key, setting in SETTINGS[name].items():
        # torch refuses to name a precision that was set by its old and its new functions at once.
        with suppress(RuntimeError):
            values[key] = setting.read(module)
    return values


def _write(name: str, module: ModuleType, values: Mapping[str, JSON]) -> None:
    current = _read(name, module)
    for key, value in values.items():
        if current.get(key) != value:
            SETTINGS[name][key].write(module, value)
