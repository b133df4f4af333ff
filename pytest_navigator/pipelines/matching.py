"""Whether what a bundle holds runs on this machine: its platform, and of engines the GPU and the versions."""

from __future__ import annotations

import platform
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_navigator.backends.builtin import known
from pytest_navigator.devices import built_with as bound
from pytest_navigator.pipelines.bundle_file import Engine, Manifest, Platform

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from pytest_navigator.devices.built_with import BuiltWith, Library


def here() -> Platform:
    """Return that of this process."""
    return Platform(platform.system(), platform.machine())


def mismatches(manifest: Manifest, tags: Collection[str] | None = None) -> list[str]:
    """Return what differs between what a bundle is for and what is here; empty for nothing.

    Args:
        tags: what the bundle's have to be, in any order; None: any.
    """
    return [*_platform(manifest.platform, here()), *_tags(manifest.tags, tags), *_engines(manifest)]


def _platform(then: Platform, now: Platform) -> list[str]:
    return [] if then == now else [f"it was made on {then}, this is {now}"]


def _tags(own: Collection[str], asked: Collection[str] | None) -> list[str]:
    if asked is None or set(asked) == set(own):
        return []
    return [f"its tags are {_listed(own)}, asked for is {_listed(asked)}"]


def _listed(tags: Collection[str]) -> str:
    return ", ".join(sorted(tags)) or "none"


def _engines(manifest: Manifest) -> Iterator[str]:
    for module in manifest.modules:
        for engine in module.engines:
            reasons = [bound.mismatch(built, _found(engine, built)) for built in engine.built_with]
            if reasons and all(reasons):
                yield f"{engine.graph}: {engine.format} was {reasons[0]}"


def _found(engine: Engine, built: BuiltWith) -> BuiltWith:
    return bound.found_here(built, _library(engine.kind, built.library))


def _library(kind: str, then: Library) -> Library:
    """Return the library of an engine as it is here; of a format of somebody else, it cannot be asked for."""
    form = known().formats.get(kind)
    return replace(then, version=form.built_by({}).version) if form else then
