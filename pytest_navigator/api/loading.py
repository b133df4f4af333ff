"""`nav.load` and its like."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.api.package import Package
from pytest_navigator.configuration.profile_config import check_profile
from pytest_navigator.core.kinds import kind_of
from pytest_navigator.errors import ConfigError, PackageError
from pytest_navigator.package.container.reader import open_package
from pytest_navigator.package.container.workdir import Workdir

if TYPE_CHECKING:
    from pytest_navigator.configuration.profile_config import OptimizationProfile, ProfilerConfig
    from pytest_navigator.package.container.reader import PackageFile

    Profile = OptimizationProfile | ProfilerConfig


SUITE = "suite.json"  # What tells the folder of a suite from any other


def load(
    path: str | Path,
    workdir: str | Path | None = None,
    override_workdir: bool = False,
    retest_conversions: bool = False,
    run_profiling: bool | None = None,
    profiler_config: Profile | None = None,
    target_device: object = None,
) -> Package:
    """Open a package. Nothing is extracted and no framework is imported before something is asked for.

    Args:
        path: of the `.nav` file, or its URL (`s3://bucket/main.nav`), or what the fixture `nav_package` gives: the
            results of a run so far.
        workdir: where files are extracted; None: a temporary folder, which goes with the package.
        override_workdir: replace what an earlier package has left in `workdir`.
        retest_conversions: run the checks again on this machine, see `Package.retest`. Model Navigator does unless it
            is told not to; here it is asked for.
        run_profiling: measure again as well; None: if the checks are run again. True alone runs them too.
        profiler_config: how to measure; None: as it was measured before.
        target_device: "cpu" or "cuda" (or a torch.device): only runners of this device; None: of any.

    Raises:
        ConfigError: `profiler_config` or `target_device` is something else.
        PackageError: there is no such file, it is truncated or no package; or `workdir` holds something;
            or the checks cannot be run again.
    """
    device = kind_of(target_device)
    check_profile(profiler_config)
    folder = Workdir(Path(workdir) if workdir is not None else None, override=override_workdir)
    here, fetched = _here(path)
    file = _opened(here)
    try:
        package = Package(file, folder, device)
        if retest_conversions or run_profiling:
            package.retest(profile=run_profiling is not False, profiler_config=profiler_config)
    except BaseException:
        file.close()
        if fetched:
            shutil.rmtree(here.parent)
        raise
    if fetched:
        weakref.finalize(package, shutil.rmtree, here.parent, ignore_errors=True)
    return package


def _here(path: str | Path) -> tuple[Path, bool]:
    """Return the path of a package, and whether it was fetched from a URL, into a folder of its own."""
    if "://" not in str(path):
        return Path(path), False
    from pytest_navigator.core.remote import RemoteError, Url, fetch, located

    url = located(str(path), "path")
    if not isinstance(url, Url):
        return url or Path(path), False
    folder = Path(tempfile.mkdtemp(prefix="pytest_navigator-"))
    try:
        fetch(url, folder / url.name)
    except RemoteError as error:
        shutil.rmtree(folder)
        raise PackageError(f"{url} cannot be read ({error})") from None
    return folder / url.name, True


def _opened(path: Path) -> PackageFile:
    if not (path / SUITE).is_file():
        return open_package(path)
    from pytest_navigator.package.container.folder import FolderFile  # which takes all that writes a package

    return FolderFile(path)


def save(
    package: Package | None = None,
    path: str | Path | None = None,
    keep_workdir: bool = True,
    override: bool = False,
    save_data: bool = True,
    *,
    package_descriptor: Package | None = None,
) -> None:
    """Write a package; see `Package.save`.

    Args:
        package_descriptor: Model Navigator 0.3's name of `package`.

    Raises:
        ConfigError: there is no package, or no path.
        PackageError: as `Package.save`.
    """
    given = package if package_descriptor is None else package_descriptor
    if not isinstance(given, Package) or path is None:
        raise ConfigError(f"nav.save({given!r}, {path!r}): a package and the path of its file are needed")
    given.save(path, keep_workdir=keep_workdir, override=override, save_data=save_data)
