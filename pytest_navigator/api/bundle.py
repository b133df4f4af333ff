"""`nav.bundle`: what was made of a pipeline's modules in one file, to be used on another machine."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pytest_navigator.errors import ConfigError, PackageError
from pytest_navigator.pipelines.bundle import load_bundle, write_bundle
from pytest_navigator.pipelines.bundle_file import open_bundle
from pytest_navigator.pipelines.matching import mismatches
from pytest_navigator.pipelines.selection import (
    AllModulesSelection,
    BestRunnersSelection,
    BundleModuleSelection,
    ModulesByNameSelection,
    Patterns,
    RegisteredModulesSelection,
    only_best,
    selected,
)
from pytest_navigator.pipelines.store import default_store

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = [
    "AllModulesSelection",
    "BestRunnersSelection",
    "ModulesByNameSelection",
    "RegisteredModulesSelection",
    "is_matching",
    "load",
    "save",
]

TRIES = 3  # Another process may replace a module's packages while they are packed


def save(
    bundle_path: str | Path,
    modules: BundleModuleSelection | None = None,
    tags: Sequence[str] | None = None,
    include_patterns: Sequence[str] | None = None,
    exclude_patterns: Sequence[str] | None = None,
) -> None:
    """Write what `nav.optimize` has made of modules as one file: whole, or not at all.

    Args:
        bundle_path: of the file; a bundle that is there is replaced.
        modules: which modules, and how much of each; None: `BestRunnersSelection()`.
        tags: words that `load` and `is_matching` compare.
        include_patterns, exclude_patterns: of the modules' names, "vae.*".

    Raises:
        ConfigError: no module is wrapped, or one is not optimized; or an argument is wrong.
        PackageError: a package in the store is damaged, or the file cannot be written.
    """
    selection = BestRunnersSelection() if modules is None else modules
    if not isinstance(selection, BundleModuleSelection):
        raise ConfigError(f"modules={modules!r}: a selection is needed, like nav.bundle.RegisteredModulesSelection()")
    patterns = Patterns(
        _words("include_patterns", include_patterns), _words("exclude_patterns", exclude_patterns) or ()
    )
    words = _words("tags", tags) or ()
    for attempt in range(TRIES):
        try:
            return _save(Path(bundle_path), selection, words, patterns)
        except PackageError as error:
            if attempt == TRIES - 1 or not isinstance(error.__cause__, FileNotFoundError):
                raise


def load(bundle_path: str | Path, tags: Sequence[str] | None = None, force: bool = False) -> None:
    """Put what a bundle holds where `nav.load_optimized` finds it, in the place of what is known of the same modules.

    Everything is read and checked before anything is put there.

    Args:
        tags: what the bundle's have to be, in any order; None: any.
        force: load it although it was made on another platform, for another GPU, or has other tags.

    Raises:
        ConfigError: the store cannot be written; or `tags` is no list.
        PackageError: it is no bundle, is damaged, or does not match; with what differs.
    """
    load_bundle(Path(bundle_path), default_store(), _words("tags", tags), force=force)


def is_matching(bundle_path: str | Path, tags: Sequence[str] | None = None) -> bool:
    """Return whether a bundle is for this platform, has these tags, and its engines run on this GPU with what is here.

    Raises:
        PackageError: it is no bundle, or is damaged.
    """
    with open_bundle(Path(bundle_path)) as bundle:
        return not mismatches(bundle.manifest, _words("tags", tags))


def _save(path: Path, selection: BundleModuleSelection, tags: Sequence[str], patterns: Patterns) -> None:
    found = selected(selection, default_store(), patterns)
    with TemporaryDirectory(prefix="pytest_navigator.") as folder:
        if isinstance(selection, BestRunnersSelection):
            found = only_best(found, selection.runner_selection_strategy, Path(folder))
        write_bundle(path, found.choices, found.packages, tags, found.changing)


def _words(name: str, value: Sequence[str] | None) -> list[str] | None:
    """Return a list of words; one word alone would be taken for its letters.

    Raises:
        ConfigError: it is no list of words.
    """
    if value is None:
        return None
    if isinstance(value, str) or not all(isinstance(each, str) for each in value):
        raise ConfigError(f"{name}={value!r}: a list of words is needed, like {name}=['batch=large']")
    return list(value)
