"""Where the formats of modules are kept: by the fingerprint of weights and code, never by name alone.

A folder for each fingerprint has a `.nav` file for each graph and `choices.json`, which is written last and at once:
readers see all of one writer. Files have names by content, and go only when no list names them any more.
"""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pytest_navigator.core.ours import ignore, sweep
from pytest_navigator.core.warned import warn
from pytest_navigator.errors import ConfigError, PackageError
from pytest_navigator.package.zip.archive import SUFFIX
from pytest_navigator.package.zip.file_names import portable
from pytest_navigator.pipelines.fingerprint import HALF, identity_of
from pytest_navigator.pipelines.kept import CHOICES, Kept, file_digest, is_whole, read, write
from pytest_navigator.pipelines.room import LOCK, age, make_room, most_bytes, note_use

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    import torch

    from pytest_navigator.pipelines.choice import Choice
    from pytest_navigator.pipelines.registry import Wrapped

PARTIAL = ".partial"
INCOMING = ".new-"
LONGEST_WAIT = 60.0  # For another process that writes the same module, s: it moves files, and makes none
ABANDONED = 24 * 3600.0  # Age of a half-moved file whose writer was killed, s
LONGEST_NAME = 80  # Characters of a graph's name in that of its file

# Names the folder; the second is Model Navigator's.
VARIABLES = ("NAV_PIPELINES_DIR", "MODEL_NAVIGATOR_DEFAULT_CACHE_DIR")


@dataclass(frozen=True)
class Store:
    """A folder with a folder for each fingerprint, in which are a `.nav` file for each graph and `choices.json`.

    Attributes:
        warn: is told what is damaged, and so is not used.
    """

    root: Path
    warn: Callable[[str], None] = warn

    def check(self) -> None:
        """Find out before hours of work whether something can be kept.

        Raises:
            ConfigError: no, with what to do.
        """
        most_bytes()
        with self.incoming():
            pass

    @contextmanager
    def incoming(self) -> Iterator[Path]:
        """Give a temporary folder on the store's own disk, from which files are moved at once.

        Raises:
            ConfigError: the store cannot be written, with what to do.
        """
        try:
            self._prepare(self.root)
            sweep(self.root, lambda name: name.startswith(INCOMING), ABANDONED)
            folder = TemporaryDirectory(prefix=INCOMING, dir=self.root, ignore_cleanup_errors=True)
        except OSError as error:
            raise ConfigError(self._refused(error)) from None
        with folder as path:
            yield Path(path)

    def fingerprints(self) -> list[str]:
        """Return the fingerprints of all modules of which something is kept."""
        return sorted(path.parent.name for path in self.root.glob(f"*/{CHOICES}"))

    def put(self, choices: list[Choice], packages: Mapping[str, Path], changing: Collection[str] = ()) -> list[Choice]:
        """Keep what became of a module's graphs; whole or not at all.

        What is known of other graphs of the same weights and code stays.

        Args:
            choices: of one fingerprint.
            packages: name of a graph -> its `.nav` file, which is moved here.
            changing: names of what calls change in the module, see `fingerprint.changing`.

        Returns:
            The choices, with the names of their packages.

        Raises:
            ConfigError: the environment says no size of the store.
            PackageError: the folder refuses it, or another process holds it; what was there before is as it was.
        """
        if not choices:
            return []
        folder, most = self.root / choices[0].fingerprint, most_bytes()
        try:
            self._prepare(folder)
            with _locked(folder):
                put = self._put(folder, choices, packages, changing)
            for gone in make_room(self.root, folder, most):
                self.warn(f"{gone} was not used for longest and went: {self.root} takes {most / 2**30:g} GiB at most")
            return put
        except OSError as error:
            raise PackageError(self._refused(error)) from error

    def choices(self, fingerprint: str) -> list[Choice]:
        """Return what is known of a module with this fingerprint; empty for none, or if all of it is damaged."""
        folder = self.root / fingerprint
        for _ in range(3):  # a writer may have replaced list and files between the two looks
            kept = self._read(folder)
            damaged = [name for name in kept.packages if not is_whole(folder / name, kept.packages[name])]
            if not damaged or kept == self._read(folder):
                break
        if kept.choices:
            note_use(folder)
        for name in damaged:
            self.warn(f"{folder / name} is missing or damaged, and not used: the module's own forward stays")
        return [choice for choice in kept.choices if choice.package not in damaged]

    def choices_of(self, module: torch.nn.Module) -> list[Choice]:
        """Return what is known of a module as it is now, whatever its calls have changed in it; the newest counts."""
        identity = identity_of(module)
        folders = [path.parent for path in self.root.glob(f"{identity.lasting[:HALF]}*/{CHOICES}")]
        fitting = [each for each in folders if identity.fingerprint(self._read(each).changing) == each.name]
        newest = sorted(fitting, key=lambda folder: age(folder / CHOICES))
        return next(filter(None, (self.choices(folder.name) for folder in newest)), [])

    def choices_for(self, wrapped: Wrapped) -> list[Choice]:
        """Return what is known of a wrapped module as it is now, by its name.

        Where modules of equal weights and code have several, what it has itself counts; else that of the first one.
        """
        found = self.choices_of(wrapped.module)
        own = [each for each in found if each.module == wrapped.name]
        others = [each for each in found if each.module == found[0].module]
        return own or [each.renamed(wrapped.name) for each in others]

    def changing(self, fingerprint: str) -> list[str]:
        """Return what calls change in a module of this fingerprint."""
        return self._read(self.root / fingerprint).changing

    def package(self, choice: Choice) -> Path:
        """Return the `.nav` file of a choice.

        Raises:
            PackageError: there is none.
        """
        path = self.root / choice.fingerprint / choice.package
        if not choice.package or not path.is_file():
            raise PackageError(f"{choice.graph}: {path} is not in the store: optimize the pipeline again")
        return path

    def _put(
        self, folder: Path, choices: list[Choice], packages: Mapping[str, Path], changing: Collection[str]
    ) -> list[Choice]:
        known = self._read(folder)
        moved = {graph: _moved(path, graph, folder) for graph, path in packages.items()}
        new = [replace(c, package=moved[c.graph][0] if c.graph in moved else c.package) for c in choices]
        own = {(c.module, c.key) for c in new}
        every = [*(c for c in known.choices if (c.module, c.key) not in own), *new]
        digests = {**known.packages, **dict(moved.values())}
        used = {c.package: digests[c.package] for c in every if c.package in digests}
        write(folder, Kept(folder.name, every, sorted({*known.changing, *changing}), used))
        sweep(folder, lambda name: name.endswith(SUFFIX) and name not in used, 0)
        sweep(folder, lambda name: name.endswith(PARTIAL), ABANDONED)
        return new

    def _prepare(self, folder: Path) -> Path:
        if not os.path.lexists(self.root):
            ignore(self.root)  # only then the folder is nobody else's
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _refused(self, error: OSError) -> str:
        return (
            f"{self.root}: nothing can be kept there ({error.strerror or error}); "
            f"{VARIABLES[0]} names another folder for the formats of pipelines"
        )

    def _read(self, folder: Path) -> Kept:
        """Return what is kept in a folder; of a damaged list, nothing."""
        try:
            return read(folder)
        except (FileNotFoundError, NotADirectoryError):
            return Kept(folder.name)
        except PermissionError as error:
            self.warn(f"{folder} cannot be read ({error.strerror}) and is not used")
        except Exception:  # json and cattrs raise many types
            self.warn(f"{folder / CHOICES} is damaged and not used: optimize the pipeline again")
        return Kept(folder.name)


def default_store(environment: Mapping[str, str] | None = None) -> Store:
    """Return the user's own store: the folder that the environment names, or `~/.cache/pytest_navigator/pipelines`."""
    variables = os.environ if environment is None else environment
    named = next((variables[name] for name in VARIABLES if variables.get(name)), "")
    return Store(Path(named).expanduser() if named else Path.home() / ".cache" / "pytest_navigator" / "pipelines")


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    try:
        with FileLock(folder / LOCK, timeout=LONGEST_WAIT):
            yield
    except Timeout:
        raise PackageError(f"{folder}: another process has been writing it for {LONGEST_WAIT:g} s; try again") from None


def _moved(path: Path, graph: str, folder: Path) -> tuple[str, str]:
    """Move a package into a folder; return its name there, which is by content, and its SHA-256."""
    digest = file_digest(path)
    name = f"{portable(graph[:LONGEST_NAME])}-{digest[:16]}{SUFFIX}"
    partial = folder / f".{name}{PARTIAL}"
    shutil.move(path, partial)  # from another file system it is a copy: only a whole one gets its name
    partial.replace(folder / name)
    return name, digest
