"""What a field of `NavConfig` may hold: found where it is written, not in the middle of a run."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Sequence
from typing import TYPE_CHECKING
from typing import Any

from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable


def check(config: Any) -> None:
    """Check every field that has a value, whether or not a flag will win over it.

    Raises:
        ConfigError: with the field, its value and what it may be.
    """
    from pytest_navigator.comparison import tolerances

    for name, (fits, what) in FIELDS.items():
        value = getattr(config, name)
        if value is not None and not fits(value):
            raise ConfigError(f"NavConfig({name}={value!r}): {what}")
    for option in ("atol", "rtol"):
        if isinstance(setting := getattr(config, option), str):
            tolerances.parse(setting, option)
        elif setting is not None:
            _check_leaves(setting, option, tolerances.tolerance)
    _check_leaves(config.comparisons or {}, "comparisons", tolerances.comparison_of)


def _check_leaves(setting: Any, where: str, check: Callable[[Any, str], object]) -> None:
    """Check the values of `{output: value}` and `{format: {output: value}}`; the names are known later only."""
    if not isinstance(setting, Mapping):
        check(setting, where)
        return
    for name, value in setting.items():
        _check_leaves(value, f"{where}[{name!r}]", check)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_list(value: Any) -> bool:
    """Whether the order is the user's: a set would collect other tests in another process."""
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)


def _are_texts(value: Any) -> bool:
    return _is_list(value) and all(map(_is_text, value))


def _are_names(value: Any) -> bool:
    return _are_texts(value) and len(set(value)) == len(value)


def _is_axis(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _are_axes(value: Any) -> bool:
    """Whether this is `{0: "batch"}` or `[0]`."""
    symbols = value.values() if isinstance(value, Mapping) else ()
    return (isinstance(value, Mapping) or _is_list(value)) and all(map(_is_axis, value)) and all(map(_is_text, symbols))


def _is_profile(value: Any) -> bool:
    from pytest_navigator.configuration.profile_config import OptimizationProfile
    from pytest_navigator.configuration.profile_config import ProfilerConfig

    return isinstance(value, OptimizationProfile | ProfilerConfig)


def _mapping_of(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, Mapping) and all(map(_is_text, value)) and all(map(fits, value.values()))


LIST = "a list or tuple is needed, not a string or a set"
NAMES = "a list or tuple of names is needed, each once"

FIELDS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": (_is_text, "a text is needed"),
    "framework": (_is_text, "the name of a framework is needed"),
    "formats": (_is_list, LIST),
    "runtimes": (_are_texts, f"{LIST}, of names"),
    "precisions": (_are_texts, f"{LIST}, of names"),
    "require": (_are_texts, f"{LIST}, of names"),
    "batch_sizes": (_is_list, LIST),
    "batch_dim": (_is_axis, "an axis from 0 on is needed, or None for a model without a batch"),
    "unbatched": (_are_names, NAMES),
    "input_names": (_are_names, NAMES),
    "output_names": (_are_names, NAMES),
    "child_imports": (_are_names, NAMES),
    "dynamic_axes": (_mapping_of(_are_axes), 'write {"x": {0: "batch"}} or {"x": [0]}, with axes from 0 on'),
    "optimization_profile": (_is_profile, "OptimizationProfile(...) or ProfilerConfig(...) is needed"),
    "comparisons": (lambda value: isinstance(value, Mapping), "write {output: nav.share(0.99)}"),
    "xfail": (_mapping_of(_is_text), 'write {"torchscript-script": "the reason"}'),
}
"""Field -> whether a value fits, and what to write if it does not."""
