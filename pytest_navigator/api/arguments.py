"""What the keywords of `export` and `optimize` mean: a NavConfig."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_navigator.backends.builtin import known
from pytest_navigator.configuration.config import NavConfig
from pytest_navigator.configuration.format_config import FormatConfig
from pytest_navigator.core.enums import RuntimeProvider
from pytest_navigator.errors import ConfigError, unknown
from pytest_navigator.package.query.choice import TELLING
from pytest_navigator.planning.expansion import defaults, meant, with_parents
from pytest_navigator.planning.groups import is_group, members
from pytest_navigator.text import with_article

if TYPE_CHECKING:
    from pytest_navigator.formats.base import Format
    from pytest_navigator.formats.registry import Registry

    Names = str | Sequence[str] | None

# Model Navigator 0.3 names what executes a format by its provider; any other name is one of `--nav-runtimes`.
RUNTIMES: dict[str, tuple[str, ...]] = {
    RuntimeProvider.CPU: ("OnnxCPU",),
    RuntimeProvider.CUDA: ("OnnxCUDA",),
    RuntimeProvider.TRT: ("OnnxTensorRT", "TensorRT"),
    RuntimeProvider.TRT_TRTEXEC: ("TensorRT",),
    RuntimeProvider.PYT: (
        "TorchScriptCPU",
        "TorchScriptCUDA",
        "TorchExportedProgramCPU",
        "TorchExportedProgramCUDA",
        "TorchTensorRT",
    ),
    RuntimeProvider.TF: ("TensorFlowSavedModelCPU", "TensorFlowSavedModelCUDA", "TensorFlowTensorRT"),
}


def configuration(
    framework: str, target_formats: Names, configs: Sequence[FormatConfig] | None, **said: Any
) -> NavConfig:
    """Return what a call says of a suite.

    Args:
        target_formats: names of formats, of what one makes ("torchscript-trace"), or of groups ("edge"); None: all of
            the framework.
        configs: of formats; those that none of the target formats needs are left out.
        said: fields of NavConfig; None: not said.

    Raises:
        ConfigError: a format that does not exist.
    """
    said = {name: value for name, value in said.items() if value is not None}
    if target_formats is None and not configs:
        return NavConfig(framework=framework, **said)
    configs, targets = configs or (), _targets()
    live = [config for config in configs if type(config) not in targets.values()]
    if (names := words(target_formats)) is not None:
        return NavConfig(framework=framework, formats=[*live, *_asked(names, framework, targets, configs)], **said)
    own = [*_usual(framework), *(type(config) for config in configs if type(config) in targets.values())]
    files = [config for kind in dict.fromkeys(own) for config in _own(kind, configs)]
    return NavConfig(framework=framework, formats=[*live, *files], **said)


def check_asked(framework: str, target_formats: Names, configs: Sequence[FormatConfig]) -> None:
    """Refuse a configuration of a format that is not made: it would be left out without a word.

    Raises:
        ConfigError: with the configuration, and what to write.
    """
    names, targets = words(target_formats), _targets()
    if names is None:
        return
    made = {type(config) for config in _asked(names, framework, targets, configs)}
    for config in configs:
        name = next((name for name, kind in targets.items() if kind is type(config)), None)
        if name is not None and type(config) not in made:
            raise ConfigError(
                f"{config!r}: {name} is not among target_formats ({', '.join(names)}), nor is any of them made from "
                "it; name it there, or leave its configuration out"
            )


def unasked(framework: str, target_formats: Names, configs: Sequence[FormatConfig] | None) -> frozenset[str]:
    """Return the names of the formats that `configuration` adds to those that a call configures."""
    if target_formats is not None:
        return frozenset()
    said = {type(config) for config in configs or ()}
    added = [kind for kind in _usual(framework) if kind not in said]
    return frozenset(name for name, kind in _targets().items() if kind in added)


def _targets() -> dict[str, type[FormatConfig]]:
    registry = known()
    return {form.name: form.config for form in registry.formats.values() if not _is_live(form, registry)}


def _usual(framework: str) -> list[type[FormatConfig]]:
    """Return what is made of a framework's models unless `target_formats` says otherwise."""
    registry = known()
    forms = [form for form in registry.formats.usual(framework) if form.default]
    return [form.config for form in forms if not _is_live(form, registry)]


def _is_live(form: Format, registry: Registry) -> bool:
    # A live model's format is called as its framework, and has no file; that of a model file has one.
    return form.name in registry.frameworks and not form.file


def _asked(
    names: Sequence[str],
    framework: str,
    targets: Mapping[str, type[FormatConfig]],
    configs: Sequence[FormatConfig],
) -> list[FormatConfig | str]:
    """Return the configurations of what is named, and the given ones of what that is made from; groups as they are."""
    registry = known()
    groups = [name for name in names if is_group(name, registry, framework)]
    found = [c for name in names if name not in groups for c in _named(name, framework, targets, configs)]
    grouped = {form.name: [form.config()] for name in groups for form in members(registry, framework)[name].values()}
    named = {registry.format_of(config).name: [config] for config in found}
    line = with_parents({**grouped, **named}, registry, framework)
    kinds = {type(config) for config in found}
    parents = [targets[name] for name in line if name in targets and targets[name] not in kinds]
    return [*(config for config in configs if type(config) in parents), *found, *groups]


def _named(
    name: str, framework: str, targets: Mapping[str, type[FormatConfig]], configs: Sequence[FormatConfig]
) -> list[FormatConfig]:
    if name in targets:
        return _own(targets[name], configs)
    registry = known()
    form = meant(name, registry, framework)
    if form is None or form.name not in targets:
        usual, groups = _usual(framework), members(registry, framework)
        raise unknown(
            f"target format of {with_article(framework)} model",
            name,
            [*(n for n, kind in targets.items() if kind in usual), *groups],
        )
    given, more = [config for config in configs if type(config) is form.config], form.named(name)
    if more is not None and not given:
        return [more]
    own = more.parameters() if more is not None else defaults(registry, framework)[name].parameters
    return [_only(config, own) for config in given or [form.config()]]


def _only(config: FormatConfig, parameters: Mapping[str, Any]) -> FormatConfig:
    """Return a configuration for one of the artifacts of its format: what has these parameters."""
    fields = config.parameters()
    return replace(config, **{n: parameters[n] for n in TELLING if n in fields and parameters.get(n) is not None})


def _own(kind: type[FormatConfig], configs: Sequence[FormatConfig]) -> list[FormatConfig]:
    return [config for config in configs if type(config) is kind] or [kind()]


def checked_configs(value: object) -> Sequence[FormatConfig]:
    """Return the configurations that `custom_configs` holds.

    Raises:
        ConfigError: something in it is none, or it is no list.
    """
    if not isinstance(value, Sequence | None) or isinstance(value, str):
        raise ConfigError(f"custom_configs={value!r}: a list of configurations is needed: [nav.OnnxConfig(opset=17)]")
    for i, config in enumerate(found := value or ()):
        if not isinstance(config, FormatConfig):
            raise ConfigError(
                f"custom_configs[{i}] is {config!r}: a configuration such as nav.OnnxConfig(opset=17) is needed; the "
                "names of formats go to target_formats"
            )
    return found


def words(value: Names) -> tuple[str, ...] | None:
    """Return one name or several as several."""
    return (str(value),) if isinstance(value, str) else None if value is None else tuple(map(str, value))


def runtimes(value: Names) -> tuple[str, ...] | None:
    """Return the names of runtimes and runners that providers stand for."""
    names = words(value)
    return None if names is None else tuple(name for one in names for name in RUNTIMES.get(one, (one,)))
