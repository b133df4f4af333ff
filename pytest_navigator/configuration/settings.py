"""Every option once: its flag, its ini name, its field of `NavConfig`, its default; and what holds for one suite."""

from __future__ import annotations

from argparse import ArgumentTypeError
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from pytest_navigator.configuration.config import NavConfig
from pytest_navigator.configuration.rules import COUNT, FROM_ZERO, POSITIVE
from pytest_navigator.core.kinds import ALL, AUTO, KINDS
from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_navigator.configuration.rules import Rule

T = TypeVar("T")
MEBIBYTE = 2**20


def names(text: str) -> tuple[str, ...]:
    """Parse `onnx,torchscript-trace`; nothing at all asks for the default, whatever else says something."""
    if not text:
        return ()
    found = tuple(part.strip() for part in text.split(",") if part.strip())
    if not found:
        raise ArgumentTypeError(f"{text!r} names nothing; separate several with commas: onnx,torchscript-trace")
    return found


def counts(text: str) -> tuple[int, ...]:
    """Parse `1,8,32`."""
    return tuple(count(part) for part in names(text))


def count(text: str | int) -> int:
    """Parse a positive whole number."""
    return _number(int, text, COUNT, "a positive whole number")


def whole(text: str | int) -> int:
    """Parse a whole number that is not negative."""
    return _number(int, text, FROM_ZERO, "a whole number of 0 or more")


def seconds(text: str | float) -> float:
    """Parse a positive number of seconds."""
    return _number(float, text, POSITIVE, "a positive number of seconds")


def _number(kind: Callable[[Any], T], text: Any, rule: Rule, what: str) -> T:
    """Parse a number, or take one; what would have to be rounded is none."""
    if not (isinstance(text, bool) or (kind is int and isinstance(text, float))):
        with suppress(TypeError, ValueError):
            if rule.fits(number := kind(text)):
                return number
    raise ArgumentTypeError(f"{text!r} is not {what}")


def one_of(*valid: str) -> Callable[[str], str]:
    """Return a parser of one of the words."""

    def parse(text: str) -> str:
        if text not in valid:
            raise ArgumentTypeError(f"{text!r} is not one of {', '.join(valid)}")
        return text

    return parse


def _tolerance(option: str, text: str) -> Mapping[str, float]:
    from pytest_navigator.comparison.tolerances import parse

    try:
        return parse(text, option)
    except ConfigError as error:
        raise ArgumentTypeError(str(error)) from None


# `1e-5 logits=1e-4`: a default and overrides together.
atol, rtol = partial(_tolerance, "atol"), partial(_tolerance, "rtol")


def yes(text: str | bool) -> bool:
    """Parse an ini file's boolean."""
    words = {"true": True, "yes": True, "1": True, "on": True, "false": False, "no": False, "0": False, "off": False}
    if str(text).lower() not in words:
        raise ArgumentTypeError(f"{text!r} is not a boolean (true, false)")
    return words[str(text).lower()]


@dataclass(frozen=True)
class Option:
    """One setting: `name` is the field of NavConfig, `--nav-<name>` the flag, `nav_<name>` the ini name.

    Attributes:
        parse: what reads the text of the flag, and of the ini file.
        check: what holds a value of nav_config to the same rules; None: `parse`.
    """

    name: str
    parse: Callable[[Any], Any]
    default: Any
    metavar: str
    help: str
    check: Callable[[Any], Any] | None = None

    @property
    def flag(self) -> str:
        """The flag as users write it."""
        return "--nav-" + self.name.replace("_", "-")

    @property
    def dest(self) -> str:
        """The name in pytest's option namespace, and in the ini file."""
        return "nav_" + self.name


def _is_checked(value: Any) -> Any:
    return value


OPTIONS = (
    Option(
        "formats", names, None, "NAMES", "Formats to make, separated by commas (onnx,torchscript-trace)", _is_checked
    ),
    Option("runtimes", names, None, "NAMES", "Runtimes or runners to check (cpu,cuda or OnnxCPU)", _is_checked),
    Option("precisions", names, None, "NAMES", "Precisions of formats that have several (fp32,fp16)", _is_checked),
    Option(
        "batch_sizes",
        counts,
        None,
        "SIZES",
        "Batch sizes to profile (1,8); default: 1 and the loader's largest",
        lambda value: tuple(map(count, value)),
    ),
    Option("profile_seconds", seconds, 10.0, "S", "Time limit of one profile item (default: 10)"),
    Option("atol", atol, None, "TOL", "Absolute tolerance: 1e-5, or with overrides '1e-5 logits=1e-4'", _is_checked),
    Option("rtol", rtol, None, "TOL", "Relative tolerance: 1e-5, or with overrides '1e-5 logits=1e-4'", _is_checked),
    Option("sample_count", count, 100, "N", "Samples to check correctness on, at most (default: 100)"),
    Option("max_sample_bytes", count, 512 * MEBIBYTE, "BYTES", "Samples and outputs to keep (default: 512 MiB)"),
    Option("seed", whole, 0, "N", "Seed of nav_model, nav_dataloader and the choice of samples (default: 0)"),
    Option(
        "device",
        one_of(AUTO, ALL, *KINDS),
        AUTO,
        "DEVICE",
        "Runners on which devices: auto (those that are here, and what is named), all, cpu, cuda (default: auto)",
    ),
    Option("require", names, (), "NAMES", "What must be checked and pass (onnx,onnx-cpu,OnnxCPU,cpu)", _is_checked),
    Option(
        "keep", one_of("all", "best", "required", "none"), "all", "WHAT", "Models to package: all, best, required, none"
    ),
    Option("save_data", one_of("all", "none"), "all", "WHAT", "Samples to package: all or none"),
    Option(
        "child_imports",
        names,
        (),
        "MODULES",
        "Modules to import where model files run: they register operators",
        _is_checked,
    ),
    Option("timeout", seconds, 600.0, "S", "Time limit of one step (default: 600)"),
)
PROFILE = Option("profile", yes, True, "BOOL", "Whether to profile")


@dataclass(frozen=True)
class Setting:
    """A value and where it comes from: a flag, "nav_config", the ini file or "default"; the stronger place wins."""

    value: Any
    origin: str
    strength: int = 0


@dataclass(frozen=True)
class Settings:
    """What holds for one suite. `settings.timeout` is the value, `settings.all["timeout"].origin` its origin."""

    all: Mapping[str, Setting]
    config: NavConfig

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
    return Settings(merged, chosen)


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
    return [f"{name:{width}}  {listed(s.value)}  ({s.origin})" for name, s in settings.all.items()]


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
