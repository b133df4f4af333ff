"""Which artifact of a bound format runs here: a package that was merged can hold one of each machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.devices import built_with as bound
from pytest_navigator.package.query.results import MADE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_navigator.core.variants import Variant
    from pytest_navigator.formats.base import Format
    from pytest_navigator.package.query.results import Results

# Folder of a merged package with what machines have of their own.
#
# These are logs, engines, and scripts and configurations that are not the ones above.
MACHINES = "machines"


def folder(results: Results, variant: Variant, form: Format | None) -> str:
    """Return the folder of the artifact that runs here, that of the key where none does.

    Args:
        form: None for one that is not known here.
    """
    return next((place for place, why in _engines(results, variant, form) if why is None), variant.key)


def mismatch(results: Results, variant: Variant, form: Format | None) -> str | None:
    """Return "built with ...; found ..." of an artifact that is bound to something else than this machine has."""
    reasons = [why for _, why in _engines(results, variant, form)]
    return reasons[0] if reasons and all(reasons) else None


def _engines(results: Results, variant: Variant, form: Format | None) -> Iterator[tuple[str, str | None]]:
    """Yield the folder of each artifact of a bound format, the one that counts first, with why it does not run here."""
    made = results.made(variant.key)
    others = (o for o in results.others if o.step in MADE and o.key == variant.key and o.passed)
    places = ((f"{MACHINES}/{outcome.notes.machine}/{variant.key}", outcome) for outcome in others)
    for place, outcome in (*([(variant.key, made)] if made else []), *places):
        built = bound.recorded(outcome, variant.key)
        # A package may say that of a format that is bound to nothing.
        if built is not None and (form is None or form.bound):
            # Of a format that somebody else has written, its library cannot be asked for.
            library = form.built_by(variant.parameters) if form else built.library
            yield place, bound.mismatch(built, bound.found_here(built, library))
