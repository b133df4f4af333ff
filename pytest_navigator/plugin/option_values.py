"""What the flags and the ini file say, as values: of a whole run, and of one suite."""

from __future__ import annotations

import os
from argparse import ArgumentTypeError
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_navigator.configuration.options import OPTIONS, PROFILE, names
from pytest_navigator.configuration.run_options import RunOptions
from pytest_navigator.configuration.settings import resolve
from pytest_navigator.core.expected import UPDATE, ExpectedOption, usual_mode
from pytest_navigator.errors import ConfigError
from pytest_navigator.plugin._compat import ini_value
from pytest_navigator.plugin.options import REPORT_OPTIONS, on_or_off, steps

if TYPE_CHECKING:
    from collections.abc import Collection

    import pytest

    from pytest_navigator.configuration.config import NavConfig
    from pytest_navigator.configuration.nav_config_file import FileConfig
    from pytest_navigator.configuration.settings import Settings
    from pytest_navigator.core.remote import Url

A_FOLDER = 'a text like "folder"'

# Flags whose value pytest can take for an argument.
PATHS = (
    *("--nav-package", "--nav-baseline", "--nav-workspace", "--nav-model", "--nav-config", "--nav-cache"),
    "--nav-timeline",
    *(flag for flag, *_ in REPORT_OPTIONS),
)

LOOSEN = "loosen:"

OF_PROFILES = ("batch_sizes", "profile_seconds")  # Options that say how to measure


def run_options(config: pytest.Config) -> RunOptions:
    """Read the run's own options.

    Raises:
        ConfigError: pytest has taken one of the paths for an argument of its own, or `--nav-config` is wrong.
    """
    _check_form(config)
    get, said = config.getoption, _file_config(config)
    given = get("nav_workspace") or (said and said.workspace_path)
    folder = given or _ini(config, "nav_workspace", str, A_FOLDER) or "navigator_workspace"
    return RunOptions(
        _package(said.output_package if said and get("nav_package") is None else get("nav_package")),
        Path(config.invocation_params.dir if given else config.rootpath, folder),
        get("nav_resume"),
        get("nav_in_process"),
        get("nav_no_git"),
        get("nav_show_config"),
        said,
        _cache(config),
        _cached(config),
        tuple(get("nav_redact") or config.getini("nav_redact")),
        get("nav_no_diagnosis"),
        _reports(config),
        _baseline(config),
        _expected(config),
        _ahead(config),
    )


def _reports(config: pytest.Config) -> dict[str, Path]:
    """Return where each report goes that is asked for.

    Raises:
        ConfigError: a path is missing.
    """
    given = {flag: config.getoption(flag[2:].replace("-", "_")) for flag, *_ in REPORT_OPTIONS}
    if empty := next((flag for flag, text in given.items() if text is not None and not text.strip()), ""):
        raise ConfigError(f"{empty}=: the path is missing; name a file")
    if isinstance(timeline := config.getoption("nav_timeline"), str):  # else it is only printed, if anything
        given["--nav-timeline"] = timeline
    return {flag: Path(config.invocation_params.dir, text) for flag, text in given.items() if text}


def _expected(config: pytest.Config) -> ExpectedOption:
    """Return what `--nav-expected` asks for; without it, what has become better is written, but in CI.

    Raises:
        ConfigError: something is to be loosened without a reason, or a reason is given for nothing.
    """
    asked, reason = config.getoption("nav_expected") or "", (config.getoption("nav_expected_reason") or "").strip()
    if asked.startswith(LOOSEN):
        if not reason:
            raise ConfigError(
                f"--nav-expected={asked} needs a reason, which is written: --nav-expected-reason='why it may get worse'"
            )
        return ExpectedOption(UPDATE, tuple(n.strip() for n in asked.removeprefix(LOOSEN).split(",")), reason)
    if reason and asked != UPDATE:
        raise ConfigError(
            "--nav-expected-reason is of no use without --nav-expected=update or --nav-expected=loosen:NAME"
        )
    return ExpectedOption(asked or usual_mode(os.environ.get("CI", "")), reason=reason)


def _ahead(config: pytest.Config) -> bool:
    """Return whether steps run ahead: they do unless somebody says otherwise."""
    given = config.getoption("nav_ahead")
    found = _ini(config, "nav_ahead", on_or_off, "0 or 1") if given is None else given
    return found is None or bool(found)


def _package(given: str | None) -> str | None:
    """Return the path or the URL of the package; that of a file is its path."""
    return str(_place(given, Path(), "--nav-package")) if given and "://" in given else given


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


def _cache(config: pytest.Config) -> Path | Url | None:
    """Return where the cache is: what a flag says starts from where pytest was, what the ini file says from it.

    Raises:
        ConfigError: the path is missing, or the URL cannot be.
    """
    given, found = config.getoption("nav_cache"), _ini(config, "nav_cache", str, A_FOLDER)
    if given is not None and not given.strip():
        raise ConfigError("--nav-cache=: the path is missing; name a folder, like --nav-cache=navigator_cache")
    if config.getoption("nav_cache_steps") and not (given or found):
        raise ConfigError("--nav-cache-steps means nothing without --nav-cache=DIR")
    folder = given or found
    start = config.invocation_params.dir if given else config.rootpath
    return _place(folder, start, "--nav-cache" if given else "nav_cache") if folder else None


def _place(text: str, start: Path, name: str) -> Path | Url:
    """Return what an option names: a path below `start`, or a URL."""
    if "://" not in text:
        return Path(start, text)
    from pytest_navigator.core.remote import located

    return located(text, name) or Path(start, text)


def _baseline(config: pytest.Config) -> str | None:
    """Return the path of the baseline: what a flag says starts from where pytest was, what the ini file says from it.

    `--nav-baseline=` takes back what the ini file says.
    """
    given, found = config.getoption("nav_baseline"), _ini(config, "nav_baseline", str, 'a text like "main.nav"')
    if given is not None:
        return str(_place(given, config.invocation_params.dir, "--nav-baseline")) if given.strip() else None
    return str(_place(found, config.rootpath, "nav_baseline")) if found else None


def _file_config(config: pytest.Config) -> FileConfig | None:
    """Read `--nav-config`, with what flags say instead of it; None where neither says anything.

    Raises:
        ConfigError: the file or a value cannot be.
    """
    path = config.getoption("nav_config")
    given = {name: config.getoption(f"nav_{name}") for name in ("inputs", "outputs")}
    if not path and not any(given.values()):
        return None
    from pytest_navigator.configuration.file_values import specs
    from pytest_navigator.configuration.nav_config_file import FileConfig, read

    found = read(Path(config.invocation_params.dir, path)) if path else FileConfig()
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


def suite_settings(config: pytest.Config, nav_config: NavConfig | None, without: Collection[str] = ()) -> Settings:
    """Return what holds for the suite whose nearest configuration is `nav_config`.

    Args:
        without: names of the settings of which the flags do not count.
    """
    every = (*OPTIONS, PROFILE)
    flags = {o.name: o.given(config.getoption(o.dest)) for o in every if o.name not in without}
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
