"""What holds for one suite: each setting with the place that said it; as lines for people."""

from __future__ import annotations

from argparse import ArgumentTypeError
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_navigator.configuration.config import NavConfig
from pytest_navigator.configuration.options import OPTIONS, PROFILE
from pytest_navigator.core.kinds import KINDS
from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_navigator.configuration.batch_search import Search
    from pytest_navigator.configuration.options import Option
    from pytest_navigator.core.expected import Expected


class Setting(NamedTuple):
    """A value and where it comes from: a flag, "nav_config", the ini file or "default"; the stronger place wins."""

    value: Any
    origin: str
    strength: int = 0


@dataclass(frozen=True)
class Settings:
    """What holds for one suite. `settings.timeout` is the value, `settings.all["timeout"].origin` its origin.

    Attributes:
        expected: what `nav_expected.toml` says of the suite; None without such a file.
        groups: name of a group of formats that was asked for -> what is in `formats` for it.
        lacking: format that a group has left out -> what of it is not installed, and how to install it.
    """

    all: Mapping[str, Setting]
    config: NavConfig
    expected: Expected | None = None
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lacking: Mapping[str, str] = field(default_factory=dict)

    @property
    def grouped(self) -> frozenset[str]:
        """The names in `formats` that nobody has asked for but by a group."""
        return frozenset(name for names in self.groups.values() for name in names)

    def __getattr__(self, name: str) -> Any:
        try:
            return self.all[name].value
        except KeyError:
            raise AttributeError(name) from None


def resolve(flags: Mapping[str, Any], ini: Mapping[str, Any], config: NavConfig | None) -> Settings:
    """Merge: a flag wins over nav_config, that over the ini file, that over the default.

    Args:
        flags, ini: by the option's name; None where not given.

    Raises:
        ConfigError: a value of nav_config is not possible, or contradicts another setting.
    """
    chosen = config or NavConfig()
    merged = {o.name: _first(o, flags, ini, chosen) for o in (*OPTIONS, PROFILE)}
    if merged["keep"].value == "required" and not merged["require"].value:
        raise ConfigError(
            f"keep = required ({merged['keep'].origin}) would keep nothing: name formats in --nav-require"
        )
    if merged["keep"].value == "best" and not merged["profile"].value:
        raise ConfigError(
            f"keep = best ({merged['keep'].origin}) would keep nothing: without figures ({merged['profile'].origin}) "
            "no format is the best one"
        )
    found = Settings(merged, chosen)
    if found.latency_budget and search_of(found) is None:
        budget = with_origin(found, "latency_budget")
        raise ConfigError(f"{budget} ends a search of batch sizes, and none is searched: write --nav-batch-sizes=auto")
    return found


def search_of(settings: Settings) -> Search | None:
    """Return what a suite searches; None where sizes were named, or nothing was said."""
    profile, said = settings.config.optimization_profile, settings.batch_sizes
    if not isinstance(said, str) and (said or profile is None):
        return None  # most runs search nothing: their collection imports nothing for that
    from pytest_navigator.configuration.batch_search import Search, largest_of
    from pytest_navigator.configuration.profile_config import OptimizationProfile

    own = profile if isinstance(profile, OptimizationProfile) else OptimizationProfile()
    if not isinstance(said, str) and (own.batch_sizes is not None or own.max_batch_size is None):
        return None
    return Search(
        largest_of(said) if isinstance(said, str) else own.max_batch_size,
        own.throughput_cutoff_threshold,
        own.throughput_backoff_limit,
        settings.latency_budget,
        settings.profile_seconds,
    )


def _first(option: Option, flags: Mapping[str, Any], ini: Mapping[str, Any], config: NavConfig) -> Setting:
    name = option.name
    if flags.get(name) is not None:
        value = option.default if flags[name] == () else flags[name]  # `--nav-formats=` takes back what nav_config says
        return Setting(value, "--nav-no-profile" if option is PROFILE else option.flag, 3)
    if getattr(config, name) is not None:
        return Setting(_checked(option, getattr(config, name)), "nav_config", 2)
    if ini.get(name) is not None:
        return Setting(ini[name], f"ini: {option.dest}", 1)
    return Setting(option.default, "default")


def _checked(option: Option, value: Any) -> Any:
    try:
        return (option.check or option.parse)(value)
    except ArgumentTypeError as error:
        raise ConfigError(f"nav_config: {option.name}: {error}") from None


def config_lines(settings: Settings) -> list[str]:
    """Return `--nav-show-config`'s lines: each value with its origin."""
    width = max(len(name) for name in settings.all)
    lines = [f"{name:{width}}  {listed(s.value)}  ({s.origin})" for name, s in settings.all.items()]
    expected = settings.expected
    more = [f"{'expected':{width}}  {len(expected.lines)} cells and formats  ({expected.file})"] if expected else []
    return lines + more


def filters(settings: Settings) -> str:
    """Return the settings that leave runners out, each with its origin."""
    chosen = [name for name in ("formats", "runtimes", "precisions") if settings.all[name].value]
    chosen += ["device"] if settings.device in KINDS else []
    return ", ".join(with_origin(settings, name) for name in chosen)


def too_short(settings: Settings) -> str:
    """Return that the limit of a step ends measurements before their own time is up, "" where it does not."""
    if not settings.profile or settings.timeout >= settings.profile_seconds:
        return ""
    limit, time = with_origin(settings, "timeout"), with_origin(settings, "profile_seconds")
    return f"note: {limit} is less than {time}: a measurement that takes as long as it may fails as a hang"


def with_origin(settings: Settings, name: str) -> str:
    """Return one setting: "runtimes = cpu (--nav-runtimes)"."""
    return f"{name} = {listed(settings.all[name].value)} ({settings.all[name].origin})"


def listed(value: Any) -> str:
    """Return a value as people read it."""
    if value is None or value == ():
        return "-"
    return ", ".join(str(v) for v in value) if isinstance(value, (tuple, list)) else str(value)
