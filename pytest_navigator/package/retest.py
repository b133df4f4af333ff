"""The checks of a package, run again on this machine: a run of pytest with `--nav-model=some.nav`."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.configuration.profile_config import check_profile
from pytest_navigator.errors import PackageError
from pytest_navigator.files.package_source import OWN_FORMATS
from pytest_navigator.files.package_source import source_of
from pytest_navigator.package.copying import write_copy
from pytest_navigator.package.reader import open_package
from pytest_navigator.records import plain

if TYPE_CHECKING:
    from pytest_navigator.configuration.profile_config import OptimizationProfile
    from pytest_navigator.configuration.profile_config import ProfilerConfig
    from pytest_navigator.package.reader import PackageFile
    from pytest_navigator.package.results import Results

    Profile = OptimizationProfile | ProfilerConfig

TAIL = 15
"""Lines of pytest's output in an error."""

PLUGINS = ("no:cacheprovider", "no:benchmark", "no:randomly")
OPTIONS = ("-c", "pytest.ini", "--rootdir=.", "-v", "--no-header", "-rN")
ALONE = [*(part for name in PLUGINS for part in ("-p", name)), *OPTIONS]
"""Nothing that is configured for the tests of the folder in which somebody calls this."""


def checked_again(
    package: PackageFile, results: Results, *, profile: bool, config: Profile | None = None, device: str | None = None
) -> PackageFile:
    """Run the checks again and return the package that they give, open; pytest's progress goes to stdout.

    Args:
        profile: measure as well.
        config: how; None: as it was measured before.
        device: "cpu" or "cuda": only runners of this device.

    Raises:
        ConfigError: `config` is no configuration of the profiler.
        PackageError: the package holds nothing to check, or the run did not come to its end.
    """
    check_profile(config, "profiler_config")
    source_of(package)  # what the run would refuse is said once, before it starts
    # The file stays readable for as long as it is open.
    with tempfile.TemporaryDirectory(prefix="pytest_navigator.") as name:
        folder = Path(name)
        # What pytest reads in an argument ("a[1].nav", "a::b.nav") may be in the user's name of the file.
        own = folder / re.sub(r"[^\w.+-]+", "_", package.path.name)
        write_copy(package, _configured(results, config), own, override=False, save_data=True)
        (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        target = folder / "checked" / "again.nav"
        options = [*["--nav-no-profile"] * (not profile), *([f"--nav-device={device}"] if device else [])]
        _run([f"--nav-model={own}", f"--nav-package={target}", *options], folder, package.path)
        return open_package(target)


def _configured(results: Results, config: Profile | None) -> Results:
    """Return results whose settings say what to check and how to profile: a run takes them from its package."""
    said = {OWN_FORMATS: {"value": True, "origin": "nav_config"}}
    if config is not None:
        said |= {
            "optimization_profile": {"value": plain(config), "origin": "nav_config"},
            "batch_sizes": {"value": None, "origin": "default"},
            "profile": {"value": True, "origin": "nav_config"},
        }
    return replace(results, suite=replace(results.suite, settings={**results.suite.settings, **said}))


def _run(options: list[str], folder: Path, path: Path) -> None:
    command = [sys.executable, "-m", "pytest", *ALONE, *options]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    tail: deque[str] = deque(maxlen=TAIL)
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            sys.stdout.write(line)
            tail.append(line)
    # 1: a check failed, which the package says.
    if process.returncode not in (0, 1) or not (folder / "checked" / "again.nav").is_file():
        raise PackageError(f"the checks of {path} could not be run again:\n{''.join(tail)}")
