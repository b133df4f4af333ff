"""The checks of a package, run again on this machine: what `pytest --nav-model=some.nav` does, for its own formats."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.api.given import Given
from pytest_navigator.api.session import Session
from pytest_navigator.configuration.profile_config import check_profile
from pytest_navigator.configuration.run_options import RunOptions
from pytest_navigator.core.plain import plain
from pytest_navigator.errors import ConfigError, PackageError
from pytest_navigator.package.container.copying import write_copy
from pytest_navigator.package.container.reader import open_package
from pytest_navigator.package.source import OWN_FORMATS, read_package, source_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_navigator.api.given import VerifyFunction
    from pytest_navigator.configuration.format_config import FormatConfig
    from pytest_navigator.configuration.profile_config import OptimizationProfile, ProfilerConfig
    from pytest_navigator.core.records import Setting
    from pytest_navigator.package.container.reader import PackageFile
    from pytest_navigator.package.query.results import Results

    Profile = OptimizationProfile | ProfilerConfig


@dataclass(frozen=True)
class Again:
    """How the checks of a package are run again; without anything as they were.

    Attributes:
        profile_config: how to measure; None: as it was measured before.
        flags: settings that win over the package's own, by name.
        configs: of conversions that are to be other ones than the package's.
        others: make the conversions too that the package has not.
        verify_func, debug: as in `optimize`.
    """

    profile_config: Profile | None = None
    flags: Mapping[str, object] = field(default_factory=dict)
    configs: tuple[FormatConfig, ...] = ()
    others: bool = False
    verify_func: VerifyFunction | None = None
    debug: bool = False


def checked_again(package: PackageFile, results: Results, again: Again) -> PackageFile:
    """Run the checks again and return the package that they give, open; progress and summary go to stdout.

    Raises:
        ConfigError: the configuration of the profiler is none.
        PackageError: the package holds nothing to check, or the run did not come to its end.
    """
    check_profile(again.profile_config)
    source_of(package)  # what the run would refuse is said once, before it starts
    # The file stays readable for as long as it is open.
    with tempfile.TemporaryDirectory(prefix="pytest_navigator.") as name:
        copy, target = Path(name, "checked.nav"), Path(name, "again", "again.nav")
        write_copy(package, _configured(results, again), copy, override=False, save_data=True)
        _check(copy, target, package.path, again)
        return open_package(target)


def _check(copy: Path, target: Path, path: Path, again: Again) -> None:
    """Check a copy of a package, and write the package that this gives.

    Raises:
        PackageError: there is nothing to check, or nothing that it could be checked with.
    """
    source = replace(read_package(copy), configs=again.configs)
    options = RunOptions(str(target), target.parent.with_name("workspace"))
    target.parent.mkdir()
    given = Given(None, None, source.config(), again.verify_func)
    try:
        Session.planned(given, path.name, options, flags=again.flags, package=source, debug=again.debug).run()
    except ConfigError as error:
        raise PackageError(f"the checks of {path} could not be run again: {error}") from error
    if not target.is_file():
        raise PackageError(f"the checks of {path} could not be run again, see what was printed")


def _configured(results: Results, again: Again) -> Results:
    # A run takes its settings from its package.
    said: dict[str, Setting] = {OWN_FORMATS: {"value": not again.others, "origin": "nav_config"}}
    config = again.profile_config
    if config is not None:
        said |= {
            "optimization_profile": {"value": plain(config), "origin": "nav_config"},
            "batch_sizes": {"value": None, "origin": "default"},
            "latency_budget": {"value": None, "origin": "default"},
            "profile": {"value": True, "origin": "nav_config"},
        }
    return replace(results, suite=replace(results.suite, settings={**results.suite.settings, **said}))
