"""What a field of `NavConfig` may hold: found where it is written, not in the middle of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_navigator.configuration.rules import (
    COUNT,
    FROM_ZERO,
    LIST,
    NAMES,
    TEXTS,
    Rule,
    is_list,
    is_text,
    mapping_of,
)
from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable


def check(config: Any) -> None:
    """Check every field that has a value, whether or not a flag will win over it.

    Raises:
        ConfigError: with the field, its value and what it may be.
    """
    for name, rule in FIELDS.items():
        value = getattr(config, name)
        if value is not None and not rule.fits(value):
            raise ConfigError(f"NavConfig({name}={value!r}): {rule.text}")
    if config.atol is not None or config.rtol is not None or config.comparisons:
        _check_comparing(config)


def _check_comparing(config: Any) -> None:
    # Most configurations say nothing here: their collection imports nothing of comparing.
    from pytest_navigator.comparison import tolerances

    for option in ("atol", "rtol"):
        if isinstance(setting := getattr(config, option), str):
            tolerances.parse(setting, option)
        elif setting is not None:
            _check_leaves(setting, option, tolerances.tolerance)
    _check_leaves(config.comparisons or {}, "comparisons", tolerances.comparison_of)


def _check_leaves(setting: Any, where: str, check: Callable[[Any, str], object]) -> None:
    # Values alone: which outputs and formats there are is known later only.
    if not isinstance(setting, Mapping):
        check(setting, where)
        return
    for name, value in setting.items():
        _check_leaves(value, f"{where}[{name!r}]", check)


def _are_axes(value: Any) -> bool:
    symbols = value.values() if isinstance(value, Mapping) else ()
    axes = isinstance(value, Mapping) or is_list(value)
    return axes and all(map(FROM_ZERO.fits, value)) and all(map(is_text, symbols))


def _is_profile(value: Any) -> bool:
    from pytest_navigator.configuration.profile_config import OptimizationProfile, ProfilerConfig

    return isinstance(value, OptimizationProfile | ProfilerConfig)


def _are_budgets(value: Any) -> bool:
    from pytest_navigator.configuration.budgets import are_budgets

    return are_budgets(value)


def _are_interpreters(value: Any) -> bool:
    from pytest_navigator.configuration.interpreters import are_interpreters

    return are_interpreters(value)


# Field -> what its value must be.
FIELDS: dict[str, Rule] = {
    "name": Rule("a text is needed", is_text),
    "framework": Rule("the name of a framework is needed", is_text),
    **dict.fromkeys(("runtimes", "precisions", "require"), TEXTS),
    "formats": LIST,
    "batch_sizes": Rule(f'{LIST.text}, or "auto", "auto:64"', lambda value: LIST.fits(value) or is_text(value)),
    **dict.fromkeys(("unbatched", "input_names", "output_names", "child_imports"), NAMES),
    "batch_dim": Rule("an axis from 0 on is needed, or None for a model without a batch", FROM_ZERO.fits),
    "decoding": COUNT,
    "dynamic_axes": Rule('write {"x": {0: "batch"}} or {"x": [0]}, with axes from 0 on', mapping_of(_are_axes)),
    "optimization_profile": Rule("OptimizationProfile(...) or ProfilerConfig(...) is needed", _is_profile),
    "comparisons": Rule("write {output: nav.share(0.99)}", lambda value: isinstance(value, Mapping)),
    "budgets": Rule('write {"onnx-cpu": nav.Budget(p50_ms=5)}, or a list of budgets', _are_budgets),
    "interpreters": Rule('write {"tf-trt": "/venvs/tf215/bin/python"}, or the words of a command', _are_interpreters),
    "xfail": Rule('write {"torchscript-script": "the reason"}', mapping_of(is_text)),
}
