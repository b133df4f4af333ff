"""Importing frameworks without the collector of cyclic garbage, for which half a million new objects are much work."""

from __future__ import annotations

import atexit
import gc
import warnings
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@contextmanager
def uncollected() -> Iterator[None]:
    """Collect no garbage meanwhile: what is imported stays."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def imported_for_good(names: Iterable[str], *, known: bool) -> None:
    """Import modules; the first time, exempt all that is there from every later collection.

    Those at the end of a process are the longest: of torch and its exporters more than a second.

    Args:
        names: whoever needs a module that raises imports it again, and fails by itself.
        known: whether garbage may be among what is there, which is then collected before.
    """
    with uncollected(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a library's own imports, which are none of the user's business
        for name in names:
            with suppress(Exception):
                import_module(name)
    exempt(known=known)


@cache
def leave_to_the_system() -> None:
    """Have what is there when this process ends not be taken apart: its memory goes back as a whole."""
    atexit.register(gc.freeze)


_exempted: list[bool] = []


def exempt(*, known: bool) -> None:
    """Leave all that is there out of every later collection, once a process; `known` as above."""
    if _exempted:
        return  # a model or an artifact may be there by now, which is not to stay
    _exempted.append(True)
    if known:
        gc.collect()
    gc.freeze()
