"""A suite as plain data: a package's status and a later `pack` start from it."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_navigator.core.described import described
from pytest_navigator.core.records import SuiteRecord
from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_navigator.configuration.settings import Settings
    from pytest_navigator.engine.suite import Suite


MODEL = "{model}"  # What stands for the model's name where the user writes the path of a package


def package_path(pattern: str | None, name: str) -> str:
    """Return the package of one model: `MODEL` in the pattern is its name."""
    return (pattern or "").replace(MODEL, name.replace("/", "-"))


def check_names(suites: Iterable[Suite], pattern: str | None) -> None:
    """Refuse two models that would be written to one package.

    Raises:
        ConfigError: with the models, and what to write.
    """
    packages: dict[str, str] = {}
    for suite in suites:
        path = target_of(suite, pattern)
        whole = suite.nodeid.rpartition("[")[0] if suite.bundle else suite.nodeid
        if pattern and packages.get(path, whole) != whole:
            what = "models are called " + repr(suite.name) if MODEL in pattern else "models would be written to it"
            raise ConfigError(
                f"--nav-package={pattern}: two {what}: {packages[path]} and {whole}. "
                + ("Give them names: NavConfig(name=...)" if MODEL in pattern else f"Write {MODEL} in it: {MODEL}.nav")
            )
        packages[path] = whole


def target_of(suite: Suite, pattern: str | None) -> str:
    """Return the path of the file that a suite goes into: its package, or the bundle of its pipeline."""
    return package_path(pattern, suite.bundle or suite.name)


def manifest(suite: Suite, pattern: str | None) -> SuiteRecord:
    """Return a suite as plain data."""
    matrix = suite.matrix
    return SuiteRecord(
        name=suite.name,
        nodeid=suite.nodeid,
        framework=matrix.framework,
        package="" if suite.bundle else package_path(pattern, suite.name),
        variants=tuple(replace(v, runners=matrix.runners_of(v.key)) for v in matrix.variants.values()),
        runners=matrix.runners,
        steps=tuple(step.id for step in matrix.steps()),
        settings=_plain_settings(suite.settings),
        implied=matrix.implied,
        named=matrix.named,
        provided=matrix.provided,
        required=matrix.required,
        elsewhere=dict(matrix.elsewhere),
        lacking=dict(suite.settings.lacking),
        expected=suite.settings.expected,
    )


def _plain_settings(settings: Settings) -> dict[str, Any]:
    """Return each setting's value and origin; objects of configuration as their fields."""
    own = (
        "batch_dim",
        "unbatched",
        "decoding",
        "input_names",
        "output_names",
        "dynamic_axes",
        "optimization_profile",
        "comparisons",
        "xfail",
    )
    # Paths and commands of one machine tell no other one anything: the outcomes say what was there.
    merged = {name: (s.value, s.origin) for name, s in settings.all.items() if name != "interpreters"}
    merged |= {name: (getattr(settings.config, name), "nav_config") for name in own}
    return {name: {"value": _plain(value), "origin": origin} for name, (value, origin) in merged.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, (str, int, float, bool, type(None))):
        return value
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
    return getattr(value, "__qualname__", None) or described(value)
