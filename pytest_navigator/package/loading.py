"""`nav.load` and its like."""

from __future__ import annotations

from pathlib import Path

from pytest_navigator.package.descriptor import Package
from pytest_navigator.package.reader import open_package
from pytest_navigator.package.workdir import Workdir


def load(
    path: str | Path,
    workdir: str | Path | None = None,
    override_workdir: bool = False,
    target_device: str | None = None,
) -> Package:
    """Open a package. Nothing is extracted and no framework is imported before something is asked for.

    Args:
        path: of the `.nav` file.
        workdir: where files are extracted; None: a temporary folder, which goes with the package.
        override_workdir: replace what an earlier package has left in `workdir`.
        target_device: "cpu" or "cuda": only runners of this device; None: of any.

    Raises:
        PackageError: there is no such file, it is truncated or no package; or `workdir` holds something.
    """
    folder = Workdir(Path(workdir) if workdir is not None else None, override=override_workdir)
    file = open_package(Path(path))
    try:
        return Package(file, folder, target_device)
    except BaseException:
        file.close()
        raise


def save(
    package: Package,
    path: str | Path,
    keep_workdir: bool = True,
    override: bool = False,
    save_data: bool = True,
) -> None:
    """Write a package; see `Package.save`."""
    package.save(path, keep_workdir=keep_workdir, override=override, save_data=save_data)
