"""What `show`, `verify` and `extract` do with a bundle, the packages of a pipeline's modules in one file."""

from __future__ import annotations

import json
import shutil
from fnmatch import fnmatchcase
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pytest_navigator.core.plain import plain
from pytest_navigator.errors import ConfigError, PackageError, unknown
from pytest_navigator.package.zip.archive import SUFFIX
from pytest_navigator.package.zip.file_names import portable
from pytest_navigator.pipelines.bundle_file import open_bundle
from pytest_navigator.text import columns, one_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pytest_navigator.pipelines.bundle_file import BundleFile, Manifest
    from pytest_navigator.pipelines.choice import Choice

HEAD = ("graph", "format", "runner", "eager [ms]", "chosen [ms]", "reason")
NO_PAGE = "{path} is a bundle, which has no page: pytest-navigator extract {path} MODULE, and show --html of that"


def show(arguments: argparse.Namespace) -> int:
    """Print what a bundle says, module by module.

    Raises:
        ConfigError: a page is asked for.
    """
    if arguments.html is not None:
        raise ConfigError(NO_PAGE.format(path=arguments.package))
    with open_bundle(arguments.package) as bundle:
        manifest = bundle.manifest
    if arguments.json:
        print(json.dumps(plain(manifest), indent=1))
    else:
        print("\n".join(map(one_line, lines(arguments.package, manifest))))
    return 0


def lines(path: Path, manifest: Manifest) -> list[str]:
    """Return the modules of a bundle with what was chosen, and where it was made (pure)."""
    count = len({module.name for module in manifest.modules})
    tags = f", tags: {', '.join(manifest.tags)}" if manifest.tags else ""
    return [
        f"{path.name}: a bundle of {count} module{'s' * (count != 1)}",
        *columns([HEAD, *map(_row, manifest.choices)]),
        f"made: {manifest.platform}, pytest_navigator {manifest.version}{tags}",
    ]


def damaged(path: Path) -> tuple[list[str], int]:
    """Read every file of every package of a bundle; return the problems, and how many files there are."""
    with open_bundle(path) as bundle:
        return bundle.examined()


def extract(arguments: argparse.Namespace) -> int:
    """Write the packages of modules into a folder, and print the path of each.

    Raises:
        ConfigError: no module of the bundle has that name.
        PackageError: a package is damaged or there is one already.
    """
    with open_bundle(arguments.package) as bundle:
        folder = arguments.output or Path(arguments.package.stem)
        targets = {name: folder / file for name, file in _files(_chosen(bundle, arguments.names)).items()}
        if there := [path for path in targets.values() if path.exists() and not arguments.force]:
            raise PackageError(
                f"{there[0]} exists; nothing was written. Choose another folder with -o DIR, or replace it with --force"
            )
        for name, target in targets.items():
            _write(bundle, name, target)
            print(target, flush=True)
    return 0


def _row(choice: Choice) -> tuple[str, ...]:
    times = ("-" if each is None else f"{each:.4g}" for each in (choice.eager_ms, choice.chosen_ms))
    return choice.graph, choice.format or "eager", choice.runner or "-", *times, choice.reason or "-"


def _chosen(bundle: BundleFile, names: Sequence[str]) -> list[Choice]:
    """Return the choices with a package that are meant: of modules or graphs, by name or pattern; all for none."""
    packed = [choice for choice in bundle.manifest.choices if choice.package]
    for name in names:
        if not any(_means(name, choice) for choice in packed):
            raise unknown("module", name, {choice.module for choice in packed})
    return [choice for choice in packed if not names or any(_means(name, choice) for name in names)]


def _means(name: str, choice: Choice) -> bool:
    return any(fnmatchcase(each, name) for each in (choice.module, choice.graph))


def _files(choices: Sequence[Choice]) -> dict[str, str]:
    """Return name in the bundle -> name of the file: that of the graph, unless two have it."""
    short = {choice.package: f"{portable(choice.graph)}{SUFFIX}" for choice in choices}
    twice = {name for name in short.values() if list(short.values()).count(name) > 1}
    return {name: Path(name).name if file in twice else file for name, file in short.items()}


def _write(bundle: BundleFile, name: str, target: Path) -> None:
    # Only a whole file gets its name: it is moved there once it was compared with its digest.
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".extract-", dir=target.parent) as folder:
            (path,) = bundle.extract([name], Path(folder))
            shutil.move(path, target)
    except OSError as error:
        raise PackageError(f"cannot write {target} ({error.strerror or error})") from error
