"""XNNPACK's threads."""

from __future__ import annotations

from threading import Lock
from typing import Any

from pytest_navigator.backends.executorch.model import quiet


class Pool:
    """The pool of threads, which is one for the process.

    A program keeps the address of the pool that was there when it was loaded, and ends the process with one that is
    gone: so another pool is made only while none is loaded.
    """

    def __init__(self) -> None:
        self._loaded, self._before, self._lock = 0, 0, Lock()

    def enter(self, *, alone: bool) -> int:
        """Return how many threads the program has that is loaded next: one if alone and others have no more."""
        with self._lock:
            if not self._loaded:
                self._before = _count()
                _change(1 if alone else self._before)
            self._loaded += 1
            return _count()

    def leave(self) -> None:
        """Have a program less; after the last one the process has its threads again."""
        with self._lock:
            self._loaded -= 1
            if not self._loaded:
                _change(self._before)


def _count() -> int:
    return int(_library()._threadpool_get_thread_count())


def _change(count: int) -> None:
    if count != _count():
        with quiet():
            _library()._unsafe_reset_threadpool(count)


def _library() -> Any:
    with quiet():
        from executorch.extension.pybindings import portable_lib

        portable_lib._threadpool_get_thread_count()  # the first time it says how it counts processors
    return portable_lib


POOL = Pool()
