"""Writing bundles, and putting what is in one into the store."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_navigator._version import __version__
from pytest_navigator.core.digests import text_digest
from pytest_navigator.core.plain import plain
from pytest_navigator.core.privacy import scrubber
from pytest_navigator.devices import built_with as bound
from pytest_navigator.errors import PackageError
from pytest_navigator.package.container.reader import open_package
from pytest_navigator.package.container.writer import dump
from pytest_navigator.package.query.results import MADE
from pytest_navigator.package.zip.archive import BUNDLE, SUFFIX, Member, write_archive
from pytest_navigator.package.zip.file_names import portable
from pytest_navigator.pipelines.bundle_file import FORMAT_VERSION, BundledModule, Engine, Manifest, open_bundle
from pytest_navigator.pipelines.matching import here, mismatches

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from pytest_navigator.package.query.results import Results
    from pytest_navigator.pipelines.bundle_file import BundleFile
    from pytest_navigator.pipelines.choice import Choice
    from pytest_navigator.pipelines.store import Store

FOLDER = "modules"
LONGEST_NAME = 80  # Characters of a graph's name in that of its file


def write_bundle(
    path: Path,
    choices: Sequence[Choice],
    packages: Mapping[Choice, Path],
    tags: Sequence[str] = (),
    changing: Mapping[str, Collection[str]] | None = None,
) -> Path:
    """Write a bundle: whole, or not at all; the same content gives the same bytes.

    Args:
        path: of the bundle; a package or a bundle that is there is replaced.
        choices: what became of each graph of the modules.
        packages: the `.nav` file of each choice that has one.
        tags: words that `nav.bundle.load(tags=...)` compares.
        changing: fingerprint -> names of what calls change in that module.

    Returns:
        The path.

    Raises:
        PackageError: a file is no package, or cannot be read; or something is at the path that is neither, or it
            cannot be written. What was there before is as it was.
    """
    members = {choice: _member(choice, packages[choice]) for choice in choices if choice in packages}
    digests = {member.name: member.digest() for member in members.values()}
    modules = _modules(choices, members, changing or {})
    manifest = Manifest(FORMAT_VERSION, __version__, here(), sorted(set(tags)), modules, dict(sorted(digests.items())))
    every = {member.name: member for member in members.values()}
    try:
        write_archive(path, [Member(BUNDLE, dump(plain(manifest))), *(every[n] for n in sorted(every))], digests)
    except OSError as error:
        raise PackageError(
            f"cannot write {path}: {error.strerror or error}; what was there before is untouched"
        ) from error
    return path


def load_bundle(
    path: Path, store: Store, tags: Collection[str] | None = None, *, force: bool = False
) -> list[BundledModule]:
    """Put what a bundle holds into a store, once all of it is read and checked; returns its modules.

    Args:
        tags: what the bundle's have to be; None: any.
        force: whether it is loaded although it does not match what is here.

    Raises:
        PackageError: it is no bundle, is damaged, does not match, or the store refuses it.
    """
    with open_bundle(path) as bundle:
        found = mismatches(bundle.manifest, tags)
        if found and not force:
            raise PackageError(f"{path} is not for here: {'; '.join(found)}; force=True loads it all the same")
        with store.incoming() as folder:
            files = _extracted(bundle, folder)
            for module in bundle.manifest.modules:
                packages = {choice.graph: files[choice.package] for choice in module.choices if choice.package}
                store.put([replace(choice, package="") for choice in module.choices], packages, module.changing)
        return bundle.manifest.modules


def _extracted(bundle: BundleFile, folder: Path) -> dict[str, Path]:
    """Write the packages into a folder, and look whether each is one; name in the bundle -> path."""
    names = list(bundle.files())
    paths = dict(zip(names, bundle.extract(names, folder), strict=True))
    for name, path in paths.items():
        try:
            open_package(path).close()
        except PackageError as error:
            raise PackageError(str(error).replace(str(path), f"{bundle.path}: {name}")) from error
    return paths


def _member(choice: Choice, path: Path) -> Member:
    try:
        digest = Member("", path).digest()
    except OSError as error:
        raise PackageError(f"{choice.graph}: {path} cannot be read ({error.strerror or error})") from error
    # "UNet" and "unet" are the same on many file systems: what they are is in the digest.
    told = text_digest(repr((choice.fingerprint, choice.module, choice.graph, digest)))
    return Member(f"{FOLDER}/{portable(choice.graph[:LONGEST_NAME])}-{told[:16]}{SUFFIX}", path)


def _modules(
    choices: Sequence[Choice], members: Mapping[Choice, Member], changing: Mapping[str, Collection[str]]
) -> list[BundledModule]:
    scrub = scrubber()
    found: dict[tuple[str, str], BundledModule] = {}
    for choice in choices:
        member, place = members.get(choice), (choice.module, choice.fingerprint)
        names = sorted(changing.get(choice.fingerprint, ()))
        module = found.setdefault(place, BundledModule(*place, [], names))
        named = replace(choice, package=member.name if member else "", reason=scrub(choice.reason))
        module.choices.append(named)
        module.engines.extend(_engines(choice, member.content) if member else ())
    return list(found.values())


def _engines(choice: Choice, path: Any) -> Iterator[Engine]:
    """Yield what was chosen of a package, if it is bound to where it was built."""
    with open_package(path) as package:
        results = package.results
    for variant in results.suite.variants:
        if choice.format in (variant.key, variant.format) and (built := _built_with(results, variant.key)):
            yield Engine(choice.graph, variant.key, variant.format, built)


def _built_with(results: Results, key: str) -> list[bound.BuiltWith]:
    """Return what each artifact of a format was built with: a merged package has several."""
    own = results.made(key)
    others = [o for o in results.others if o.step in MADE and o.key == key and o.passed]
    found = [bound.recorded(outcome, key) for outcome in ([own] if own else []) + others]
    return [built for built in found if built is not None]
