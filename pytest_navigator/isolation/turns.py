"""Whose call of a child it is: one at a time, and the main thread's first."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class Refused(BaseException):
    """Nobody wants the call any more; no `except Exception` on the way makes a failure of it."""


class Turns:
    """A lock that its holder may take again, for which the main thread never queues behind another one."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._holder: int | None = None
        self._depth = 0
        self._first = 0
        self._refusing = False

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Hold it.

        Raises:
            Refused: in another thread than the main one, after `refuse_others`.
        """
        with self._changed:
            self._wait(main=threading.current_thread() is threading.main_thread())
            self._holder = threading.get_ident()
            self._depth += 1
        try:
            yield
        finally:
            self._give_back()

    @contextmanager
    def if_free(self) -> Iterator[bool]:
        """Hold it unless another thread does; tells whether."""
        with self._changed:
            free = self._holder in (None, threading.get_ident())
            if free:
                self._holder = threading.get_ident()
                self._depth += 1
        try:
            yield free
        finally:
            if free:
                self._give_back()

    def refuse_others(self) -> None:
        """Let no thread but the main one take it any more."""
        with self._changed:
            self._refusing = True
            self._changed.notify_all()

    def _wait(self, *, main: bool) -> None:
        own = threading.get_ident()
        self._first += main
        try:
            self._changed.wait_for(lambda: self._may(own, main=main))
        finally:
            self._first -= main
        if self._refusing and not main:
            raise Refused

    def _may(self, own: int, *, main: bool) -> bool:
        if self._holder == own or (self._refusing and not main):
            return True
        return self._holder is None and (main or not self._first)

    def _give_back(self) -> None:
        with self._changed:
            self._depth -= 1
            if not self._depth:
                self._holder = None
                self._changed.notify_all()
