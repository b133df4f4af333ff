"""The workers of a server: all start before it does, and each that ends is replaced."""

from __future__ import annotations

import asyncio
import sys
from time import monotonic
from typing import TYPE_CHECKING

from pytest_navigator.deploy.serve.process import Worker, WorkerDied
from pytest_navigator.isolation.causes import error_line
from pytest_navigator.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_navigator.deploy.serve.metrics import Metrics
    from pytest_navigator.deploy.serve.process import Loaded

# s until the next attempt to replace a worker that does not start.
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0

# A worker in the place of another one has so many times as long to load as it has taken until then; at least so many s.
TIMES_AS_LONG, PATIENCE = 10, 60.0


class Workers:
    """The processes that run the model.

    Attributes:
        there: those that have loaded it, and have not been found dead.
    """

    def __init__(self, loaded: Loaded, metrics: Metrics) -> None:
        self.there: list[Worker] = []
        self._loaded, self._metrics = loaded, metrics
        self._start_failed = False
        self._most_to_start: float | None = None  # in s; the first workers have any time

    @property
    def hopeless(self) -> bool:
        """Whether none is there, and the last attempt to start one has failed."""
        return self._start_failed and not self.there

    async def start(self, count: int) -> None:
        """Start so many; if one does not start, or this is cancelled, all are ended.

        Raises:
            NavigatorError: one cannot load the model.
        """
        starting = [asyncio.create_task(self._one_more()) for _ in range(count)]
        try:
            await asyncio.gather(*starting)
        except BaseException:
            for each in starting:
                each.cancel()
            await asyncio.gather(*starting, return_exceptions=True)
            await self.close()
            raise

    async def close(self) -> None:
        """End all."""
        await asyncio.gather(*(worker.close() for worker in self.there))
        self.there = []

    async def replace(self, dead: Worker, error: WorkerDied, failed: Callable[[], None]) -> Worker:
        """Return a worker in the place of one that has ended, as soon as one starts.

        Args:
            error: what it died of.
            failed: called after each attempt that has failed.
        """
        self.there.remove(dead)
        self._metrics.replaced()
        say(f"{error}; it is replaced")
        pause = FIRST_PAUSE
        while True:
            try:
                await dead.close()
                return await self._one_more()
            except Exception as problem:  # whatever it is (no memory, no thread, no room), a later attempt may succeed
                say(f"no worker in its place: {error_line(problem)}; the next attempt is in {pause:g} s")
                self._start_failed = True
                failed()
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)

    async def _one_more(self) -> Worker:
        """Return a new worker, which is among those that are closed from the moment on that it has started."""
        started = monotonic()
        try:
            async with asyncio.timeout(self._most_to_start):
                worker = await Worker.start(self._loaded)
        except TimeoutError:
            raise WorkerDied(f"the model was not loaded within {self._most_to_start:.3g} s") from None
        self._most_to_start = max(self._most_to_start or PATIENCE, TIMES_AS_LONG * (monotonic() - started))
        self.there.append(worker)
        self._start_failed = False
        return worker


def say(text: str) -> None:
    """Tell who runs the server."""
    print(one_line(f"pytest-navigator: {text}"), file=sys.stderr, flush=True)
