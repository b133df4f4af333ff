"""What holds for a whole run, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_navigator.configuration.nav_config_file import FileConfig
    from pytest_navigator.core.expected import ExpectedOption
    from pytest_navigator.core.remote import Url


def _cached() -> tuple[str, ...]:
    from pytest_navigator.core.steps import CACHED

    return CACHED


def _off() -> ExpectedOption:
    from pytest_navigator.core.expected import OFF, ExpectedOption

    return ExpectedOption(OFF)


@dataclass(frozen=True)
class RunOptions:
    """What holds for the whole run.

    Attributes:
        package: path or URL where the packages go, `{model}` in it is a model's name; None: none is written.
        file_config: what `--nav-config` says; None without it.
        in_process: run in this process what a child would run.
        cache: the folder, or the URL, of `--nav-cache`; None without it.
        no_diagnosis: whether failed comparisons are not looked into.
        baseline: path or URL of the packages that this run is compared with, `{model}` is a model's name; None: none.
        redact: regular expressions of what no package may have.
        reports: flag of each report that is asked for -> where it goes.
        expected: what is done with `nav_expected.toml`.
        ahead: whether steps run ahead of the items that report them.
    """

    package: str | None
    workspace: Path
    resume: bool = False
    in_process: bool = False
    no_git: bool = False
    show_config: bool = False
    file_config: FileConfig | None = None
    cache: Path | Url | None = None
    cache_steps: tuple[str, ...] = field(default_factory=_cached)
    redact: tuple[str, ...] = ()
    no_diagnosis: bool = False
    reports: Mapping[str, Path] = field(default_factory=dict)
    baseline: str | None = None
    expected: ExpectedOption = field(default_factory=_off)
    ahead: bool = False
