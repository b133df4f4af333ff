"""The command line and the ini file, as pytest sees them."""

from __future__ import annotations

from argparse import ArgumentTypeError
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_navigator.configuration.run_options import RunOptions
from pytest_navigator.configuration.settings import OPTIONS, PROFILE, Settings, names, one_of, resolve
from pytest_navigator.errors import ConfigError
from pytest_navigator.plugin._compat import ini_value

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from pytest_navigator.configuration.config import NavConfig
    from pytest_navigator.configuration.nav_config_file import FileConfig

A_FOLDER = 'a text like "folder"'

# Flags whose value pytest can take for an argument.
PATHS = ("--nav-package", "--nav-workspace", "--nav-model", "--nav-config", "--nav-cache")

UNCHECKED = "no model is checked without --nav, --nav-package=PATH or --nav-model=SPEC"

OF_PROFILES = ("batch_sizes", "profile_seconds")  # Options that say how to measure

# Options that say something of the model of `--nav-model`.
NEEDS_MODEL = ("nav_model_format", "nav_framework", "nav_dataloader", "nav_config")

MARKERS = {
    "nav": "a test that pytest-navigator generated",
    "nav_source": "checks the model and its loader",
    "nav_export": "exports the model to a format",
    "nav_convert": "converts one format to another",
    "nav_correctness": "compares a format's outputs with the source's",
    "nav_profile": "measures latency and throughput",
    "nav_verify": "a user's verify_ test of a format",
}


# Flag, what argparse does with it, how its value is called, help.
MODEL_OPTIONS = (
    ("--nav-model", "append", "SPEC", "Model to check: a file, or module:function that returns it; repeatable"),
    ("--nav-model-format", "store", "NAME", "Format of the model file, where neither content nor suffix tells it"),
    ("--nav-framework", "store", "NAME", "Framework of what module:function returns"),
    ("--nav-dataloader", "store", "SPEC", "Samples for the model: module:function that returns them"),
    ("--nav-inputs", "append", "SPECS", "Inputs of a model file without a signature: 'x:-1,3:float32 y:-1:int64'"),
    ("--nav-outputs", "append", "SPECS", "Its outputs, in the same form"),
    ("--nav-config", "store", "FILE", "YAML file with the configuration of the model file and its random data"),
)


def _cached_steps(text: str) -> tuple[str, ...]:
    """Parse `convert,correctness`."""
    return steps(names(text))


def steps(found: tuple[str, ...]) -> tuple[str, ...]:
    """Return the steps that can be cached, as they are."""
    from pytest_navigator.core.steps import PLANNED

    return tuple(map(one_of(*(kind.name for kind in PLANNED if kind.cached is not False)), found))


# Flag, how its value is called, what parses it, help; each is an ini option too.
CACHE_OPTIONS: tuple[tuple[str, str, Callable[[str], Any], str], ...] = (
    ("--nav-cache", "DIR", str, "Folder with conversions and checks of earlier runs, to use and to add to"),
    ("--nav-cache-steps", "STEPS", _cached_steps, "Of convert,correctness,profile (default: convert,correctness)"),
)


def add_options(parser: pytest.Parser) -> None:
    """Add every flag and ini option of the plugin.

    Help texts start with a capital and end without a period; a flag's default is None so that "not given" is visible.
    """
    group = parser.getgroup("navigator", "model export, correctness and performance")
    add = group.addoption
    add("--nav", action="store_true", dest="nav", help="Run the model checks, write no package")
    add("--nav-package", metavar="PATH", dest="nav_package", help="Run the model checks and write this .nav package")
    for flag, action, metavar, text in MODEL_OPTIONS:
        add(flag, action=action, metavar=metavar, dest=flag[2:].replace("-", "_"), default=None, help=text)
    add("--nav-workspace", metavar="DIR", dest="nav_workspace", help="Folder of the run (default: navigator_workspace)")
    add("--nav-resume", action="store_true", dest="nav_resume", help="Reuse what an unchanged earlier run recorded")
    for flag, metavar, parse, text in CACHE_OPTIONS:
        add(flag, metavar=metavar, type=parse, dest=flag[2:].replace("-", "_"), default=None, help=text)
        parser.addini(flag[2:].replace("-", "_"), text, default=None)
    add(
        "--nav-in-process",
        action="store_true",
        dest="nav_in_process",
        help="Run everything in pytest's process (--pdb)",
    )
    add("--nav-no-git", action="store_true", dest="nav_no_git", help="Record no git commit in the package")
    add(
        "--nav-show-config",
        action="store_true",
        dest="nav_show_config",
        help="Print each setting with its origin; alone: and run nothing",
    )
    add("--nav-no-profile", action="store_false", default=None, dest="nav_profile", help="Generate no profile items")
    for option in OPTIONS:
        add(option.flag, type=option.parse, metavar=option.metavar, dest=option.dest, default=None, help=option.help)
    for option in (*OPTIONS, PROFILE):
        parser.addini(option.dest, option.help, default=None)
    redact = "Regular expression of what no package may have; repeatable"
    add("--nav-redact", action="append", metavar="PATTERN", dest="nav_redact", default=None, help=redact)
    parser.addini("nav_redact", "Regular expressions of what no package may have, one a line", type="linelist")
    parser.addini("nav_workspace", "Folder of the run")


def check_needless(config: pytest.Config) -> None:
    """Refuse a flag on the command line that means nothing, because no model is checked: a green run would lie.

    Flags that a project has in `addopts` say what holds if models are checked.

    Raises:
        pytest.UsageError: with what to add.
    """
    import pytest

    given = (str(word) for word in config.invocation_params.args)
    if needless := next((word for word in given if word.startswith("--nav-")), None):
        raise pytest.UsageError(f"{needless}: {UNCHECKED}")


def active(config: pytest.Config) -> bool:
    """Whether this run collects models at all."""
    return checking(config) or bool(config.getoption("nav_show_config"))


def checking(config: pytest.Config) -> bool:
    """Whether this run checks models; with `--nav-show-config` alone it tells how it would."""
    return bool(
        config.getoption("nav")
        or config.getoption("nav_package") is not None
        or config.getoption("nav_model")
        or config.getoption("nav_config")
    )


def run_options(config: pytest.Config) -> RunOptions:
    """Read the run's own options.

    Raises:
        ConfigError: pytest has taken one of the paths for an argument of its own, or `--nav-config` is wrong.
    """
    _check_form(config)
    get, said = config.getoption, _file_config(config)
    given = get("nav_workspace") or said.workspace_path
    folder = given or _ini(config, "nav_workspace", str, A_FOLDER) or "navigator_workspace"
    return RunOptions(
        said.output_package if get("nav_package") is None else get("nav_package"),
        Path(config.invocation_params.dir if given else config.rootpath, folder),
        get("nav_resume"),
        get("nav_in_process"),
        get("nav_no_git"),
        get("nav_show_config"),
        said,
        _cache(config),
        _cached(config),
        tuple(get("nav_redact") or config.getini("nav_redact")),
    )


def _cached(config: pytest.Config) -> tuple[str, ...]:
    """Return which steps are cached; a flag with nothing after it asks for the usual ones."""
    given = config.getoption("nav_cache_steps")
    found: tuple[str, ...] | None = _cached_steps_of_ini(config) if given is None else given
    if found:
        return found
    from pytest_navigator.core.steps import CACHED

    return CACHED


def _cached_steps_of_ini(config: pytest.Config) -> tuple[str, ...] | None:
    found = _ini(config, "nav_cache_steps", names)
    try:
        return steps(found) if found else None
    except ArgumentTypeError as error:
        raise ConfigError(f"{config.inipath}: nav_cache_steps: {error}") from None


def _cache(config: pytest.Config) -> Path | None:
    """Return the folder of the cache: what a flag says starts from where pytest was, what the ini file says from it.

    Raises:
        ConfigError: the path is missing.
    """
    given, found = config.getoption("nav_cache"), _ini(config, "nav_cache", str, A_FOLDER)
    if given is not None and not given.strip():
        raise ConfigError("--nav-cache=: the path is missing; name a folder, like --nav-cache=navigator_cache")
    if config.getoption("nav_cache_steps") and not (given or found):
        raise ConfigError("--nav-cache-steps means nothing without --nav-cache=DIR")
    folder = given or found
    return Path(config.invocation_params.dir if given else config.rootpath, folder) if folder else None


def _file_config(config: pytest.Config) -> FileConfig:
    """Read `--nav-config`, with what flags say instead of it; its defaults without one.

    Raises:
        ConfigError: the file or a value cannot be.
    """
    from pytest_navigator.configuration.nav_config_file import FileConfig, read

    path = config.getoption("nav_config")
    found = read(Path(config.invocation_params.dir, path)) if path else FileConfig()
    given = {name: config.getoption(f"nav_{name}") for name in ("inputs", "outputs")}
    if not any(given.values()):
        return found
    from pytest_navigator.configuration.file_values import specs

    own: dict[str, Any] = {name: specs(texts, f"--nav-{name}") for name, texts in given.items() if texts}
    return replace(found, **own)


def _check_form(config: pytest.Config) -> None:
    """Refuse `--nav-package PATH` where pytest, which knew no such flag yet, took PATH for a place of tests."""
    here, given = config.invocation_params.dir, config.invocation_params.args
    if config.getoption("rootdir") or config.getoption("inifilename"):
        return
    for flag, value in pairwise(map(str, given)):
        path = Path(here, value)
        if flag in PATHS and path.exists() and not path.is_relative_to(here):
            raise ConfigError(
                f"{flag} {value}: pytest takes a path that exists for an argument, and so looks for its configuration "
                f"there (rootdir: {config.rootpath}); write {flag}={value}"
            )


def unmeasured(config: pytest.Config) -> list[str]:
    """Return a note for each flag that says how to measure beside `--nav-no-profile`.

    They are no error, since engines are made for the batch sizes; flags in `addopts` say what holds if one measures.
    """
    given = {str(word).partition("=")[0] for word in config.invocation_params.args}
    if "--nav-no-profile" not in given:
        return []
    flags = [o.flag for o in OPTIONS if o.name in OF_PROFILES and o.flag in given and config.getoption(o.dest)]
    return [f"note: {flag} measures nothing beside --nav-no-profile" for flag in flags]


def suite_settings(config: pytest.Config, nav_config: NavConfig | None) -> Settings:
    """Return what holds for the suite whose nearest configuration is `nav_config`."""
    every = (*OPTIONS, PROFILE)
    flags = {o.name: config.getoption(o.dest) for o in every}
    return resolve(
        flags, {o.name: _ini(config, o.dest, o.parse, f"one of {o.metavar}: {o.help}") for o in every}, nav_config
    )


def _ini(config: pytest.Config, name: str, parse: Any, example: str = "") -> Any:
    value = ini_value(config, name)
    if value in (None, ""):
        return None
    from pytest_navigator.plugin.ini_file import parsed

    try:
        return parsed(value, parse, example)
    except ArgumentTypeError as error:
        raise ConfigError(f"{config.inipath}: {name}: {error}") from None
