"""Write files of a package, or packages of a bundle, into a folder; each is compared with its digest first."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.cli.fetched import package as package_path
from pytest_navigator.errors import PackageError
from pytest_navigator.package.container.reader import open_package
from pytest_navigator.package.zip.archive import STATUS, is_bundle

if TYPE_CHECKING:
    import argparse

    from pytest_navigator.package.container.reader import PackageFile


def add(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("package", type=package_path, metavar="PACKAGE")
    names = "formats, folders, files or patterns: onnx, 'onnx/*.py' (default: all but logs alone); modules of a bundle"
    parser.add_argument("names", nargs="*", metavar="NAME", help=names)
    output = "folder (default: one here that is named like the package, out for out.nav)"
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help=output)
    parser.add_argument("-f", "--force", action="store_true", help="replace files that are there")


def run(arguments: argparse.Namespace) -> int:
    """Write them, and print the path of each."""
    if is_bundle(arguments.package):
        from pytest_navigator.cli import bundles

        return bundles.extract(arguments)
    with open_package(arguments.package) as package:
        names = _chosen(package, arguments.names)
        folder = arguments.output or Path(arguments.package.stem)
        if folder.exists() and not folder.is_dir():
            raise PackageError(f"{folder} is a file; nothing was written. Choose a folder with -o DIR")
        there = [name for name in names if (folder / name).exists()]
        if there and not arguments.force:
            raise PackageError(
                f"{folder / there[0]} exists; nothing was written. Choose another folder with -o DIR, or replace it "
                "with --force"
            )
        for name in names:
            print(*package.extract([name], folder), flush=True)
    return 0


def _chosen(package: PackageFile, names: list[str]) -> list[str]:
    """Return the files that are meant, in the package's order.

    Raises:
        PackageError: a name means no file.
    """
    files = [STATUS, *package.files()]
    for name in names:
        if not any(_means(name, file) for file in files):
            raise PackageError(f"{package.path}: {name}: {_why_not(package, name, files)}")
    if not names:
        # A format that could not be made has its log alone.
        worth = {file.partition("/")[0] for file in files if "/" in file and not file.endswith(".log")}
        return [file for file in files if "/" not in file or file.partition("/")[0] in worth]
    return [file for file in files if any(_means(name, file) for name in names)]


def _means(name: str, file: str) -> bool:
    folder = f"{name.rstrip('/')}/"
    return file == name or file.startswith(folder) or fnmatchcase(file, name)


def _why_not(package: PackageFile, name: str, files: list[str]) -> str:
    left_out: dict[str, str] = package.details.get("left_out") or {}
    if reasons := [reason for file, reason in left_out.items() if _means(name, file)]:
        return f"it was left out ({reasons[0]})"
    there = sorted({file.partition("/")[0] for file in files})
    return f"no such file (there are: {', '.join(there)})"
