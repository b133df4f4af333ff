"""Show what a package says: the summary of its run, and what it was made with; of a bundle, what each module has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.cli.fetched import package as package_path
from pytest_navigator.errors import PackageError
from pytest_navigator.package.container.reader import open_package
from pytest_navigator.package.zip.archive import is_bundle
from pytest_navigator.reporting.of_packages import as_the_run
from pytest_navigator.reporting.report import summary
from pytest_navigator.text import one_line

if TYPE_CHECKING:
    import argparse

    from pytest_navigator.package.container.reader import PackageFile
    from pytest_navigator.package.layout.content import Content


def add(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("package", type=package_path, metavar="PACKAGE")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print status.yaml, or bundle.yaml, as JSON")
    text = "write it as one HTML file with plots (default: out.html for out.nav)"
    form.add_argument("--html", nargs="?", type=Path, const=Path(), metavar="PATH", help=text)


def run(arguments: argparse.Namespace) -> int:
    """Print it, or write it."""
    if is_bundle(arguments.package):
        from pytest_navigator.cli import bundles

        return bundles.show(arguments)
    if arguments.html is not None:
        return _write(arguments.package, arguments.html)
    with open_package(arguments.package) as package:
        print(
            json.dumps(package.status, indent=1, default=str)
            if arguments.json
            else "\n".join(map(one_line, lines(package)))
        )
    return 0


def _write(source: Path, given: Path) -> int:
    """Write the report of a package.

    Raises:
        ConfigError, PackageError: it cannot be made or written.
    """
    from pytest_navigator.reporting import report_files
    from pytest_navigator.reporting.html.rendering import check_installed, render
    from pytest_navigator.reporting.of_packages import report_of

    target = given if given.name else Path(f"{source.name.removesuffix('.nav')}.html")
    check_installed()
    report_files.check({"--html": target})
    report_files.check_others({"--html": target}, [source])
    with open_package(source) as package:
        text = render(report_of(package))
    if problem := report_files.write(target, text):
        raise PackageError(problem)
    print(f"report: {target}")
    return 0


def lines(package: PackageFile) -> list[str]:
    """Return the summary of the run that a package is of, and lines about the package itself."""
    return [*summary(as_the_run(package.results)), *_partial(package), *_made_with(package.status, package.details)]


def _partial(package: PackageFile) -> list[str]:
    if package.complete:
        return []
    missing = package.details.get("missing") or []
    steps = "step" if len(missing) == 1 else "steps"
    return [f"partial: {len(missing)} {steps} did not run: {', '.join(missing)}" if missing else "partial: interrupted"]


def _made_with(status: Content, details: Content) -> list[str]:
    environment, git = status.get("environment") or {}, details.get("git")
    parts = [f"Python {environment['python_version']}"] if "python_version" in environment else []
    parts += [device["name"] for name in ("cpu", "gpu") if (device := environment.get(name))]
    dirty = {True: ", with changes", False: "", None: ""}
    return [
        *([f"commit: {git['commit'][:12]}{dirty[git['dirty']]}"] if git else []),
        f"made: {str(status.get('timestamp', '-'))[:19]} UTC, {', '.join(parts) or 'environment not recorded'}",
    ]
