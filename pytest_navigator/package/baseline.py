"""A package as the baseline of a run: what it records, and its artifacts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_navigator.core.remote import NoBucket, NotThere, RemoteError, fetch
from pytest_navigator.errors import PackageError
from pytest_navigator.gates.sides import Baseline
from pytest_navigator.package.container.reader import open_package
from pytest_navigator.package.query.selection import artifact_names
from pytest_navigator.package.running.artifacts import absence, held
from pytest_navigator.package.sides import side_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_navigator.core.records import OutputReport
    from pytest_navigator.core.remote import Url
    from pytest_navigator.package.container.reader import PackageFile

COMMIT = 12  # Letters of a commit


@dataclass(frozen=True)
class BaselinePackage:
    """A package that a run is compared with; it is read when it is asked for.

    Attributes:
        path: of the package; it may be the one that the run replaces at its end.
        url: from where it is fetched to that path; None: it is there.
    """

    path: Path
    url: Url | None = None

    def __str__(self) -> str:
        return str(self.url or self.path)

    def fetch(self) -> None:
        """Have the package at its path, if there is one.

        Raises:
            PackageError: nobody can tell.
        """
        if self.url is None or self.path.exists():
            return
        try:
            fetch(self.url, self.path)
        except NoBucket as error:
            raise PackageError(f"{self.url}: {error}") from None
        except NotThere:
            return
        except (RemoteError, OSError) as error:
            raise PackageError(f"{self.url} cannot be read ({error})") from None

    def read(self) -> Baseline:
        """Return what it records.

        Raises:
            PackageError: it is not there, damaged, no package, or one of a newer version.
        """
        with open_package(self.path) as package:
            return Baseline(self.path.name, *_run(package), side=side_of(package))

    def extract(self, key: str, target: Path) -> None:
        """Write the artifact of a variant below `target`.

        Raises:
            PackageError: it was left out, was not made, or is damaged.
        """
        with open_package(self.path) as package:
            variant = package.results.variant(key)
            if not held(package, variant):
                raise PackageError(absence(package, package.results, variant))
            package.extract(artifact_names(package.files(), key), target)

    def other_outputs(self, folder: Path, samples: Mapping[str, str]) -> list[OutputReport]:
        """Return the outputs of the source that are others on the same samples; see `other_outputs_of_run`."""
        from pytest_navigator.package.merge.same_model import other_outputs_of_run

        with open_package(self.path) as package:
            return other_outputs_of_run(package, folder, samples)


def _run(package: PackageFile) -> tuple[str, str]:
    """Return commit and date of the run that wrote a package, "" for what it does not say."""
    git = package.details.get("git") or {}
    changed = " with changes" if git.get("dirty") else ""
    commit = f"{git['commit'][:COMMIT]}{changed}" if git.get("commit") else ""
    return commit, str(package.status.get("timestamp") or "")[:10]
