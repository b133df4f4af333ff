"""The queue of requests, and who takes them to the workers: one task for each worker."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import contextmanager
from time import perf_counter_ns
from typing import TYPE_CHECKING

from pytest_navigator.deploy.protocol.errors import RequestError
from pytest_navigator.deploy.serve import batches
from pytest_navigator.deploy.serve.pending import Pending, fail
from pytest_navigator.deploy.serve.process import WorkerDied
from pytest_navigator.deploy.serve.workers import Workers, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self

    from pytest_navigator.deploy.serve.metrics import Metrics
    from pytest_navigator.deploy.serve.options import Arrays, Options
    from pytest_navigator.deploy.serve.process import Loaded, Worker

HOPELESS = "no process runs the model at the moment: try again later"
STOPPED = "the server was stopped before this request was answered"


class Dispatcher:
    """Takes requests to workers, joined where the model allows; an async context manager, which has the workers."""

    def __init__(self, loaded: Loaded, options: Options, axis: int | None, metrics: Metrics) -> None:
        """Args: what workers load; axis: along which requests are joined; None: they never are."""
        self._options, self._metrics = options, metrics
        self._axis = axis if options.max_batch_size > 1 else None
        self._pending: deque[Pending] = deque()
        self._arrived = asyncio.Event()
        self._turn = asyncio.Lock()
        self._received = 0
        self._workers = Workers(loaded, metrics)
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def ready(self) -> bool:
        """Whether a worker is there."""
        return bool(self._workers.there)

    @property
    def waiting(self) -> int:
        """How many requests are received or wait."""
        return self._received + len(self._pending)

    @property
    def workers(self) -> int:
        """How many workers are there."""
        return len(self._workers.there)

    @contextmanager
    def receiving(self) -> Iterator[None]:
        """Have room for a request that is received.

        Raises:
            RequestError: there is none, or none for it in the queue.
        """
        self._check_room()
        if self._received >= self._options.queue_size:
            raise RequestError(f"{self._received} requests are being received; try again later", 503)
        self._received += 1
        try:
            yield
        finally:
            self._received -= 1

    def put(self, inputs: Arrays) -> Pending:
        """Let a request wait; its `answer` may be cancelled as long as nobody has begun with it.

        Raises:
            RequestError: the queue is full; or no worker is there, and the last attempt to start one has failed.
        """
        self._check_room()
        answer = asyncio.get_running_loop().create_future()
        pending = Pending(inputs, batches.rows_of(inputs, self._axis), answer)
        self._pending.append(pending)
        self._arrived.set()
        return pending

    def _check_room(self) -> None:
        if self._workers.hopeless:
            raise RequestError(HOPELESS, 503)
        if len(self._pending) >= self._options.queue_size:
            raise RequestError(f"the queue is full: {self._options.queue_size} requests wait; try again later", 503)

    def forget(self, pending: Pending) -> None:
        """Leave out a request whose client is gone."""
        pending.answer.cancel()
        if pending in self._pending:
            self._pending.remove(pending)

    async def __aenter__(self) -> Self:
        """Start all workers.

        Raises:
            NavigatorError: one cannot load the model.
        """
        await self._workers.start(self._options.workers)
        self._tasks = [asyncio.create_task(self._work(worker)) for worker in self._workers.there]
        return self

    async def __aexit__(self, *exc: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        fail(self._pending, RequestError(STOPPED, 503))  # those that a second signal does not wait for
        self._pending.clear()
        await self._workers.close()

    async def _work(self, worker: Worker) -> None:
        while True:
            error = await self._until_it_ends(worker)
            worker = await self._workers.replace(worker, error, self._give_up)

    async def _until_it_ends(self, worker: Worker) -> WorkerDied:
        """Take batches to a worker as long as it lives; returns what it died of."""
        taking = asyncio.create_task(self._take(worker))
        try:
            await asyncio.wait((taking, worker.ended), return_when=asyncio.FIRST_COMPLETED)
            if worker.busy:
                return await taking
            taking.cancel()  # before anything else is awaited: a dead worker is to take no batch
            return await worker.death()
        finally:
            taking.cancel()

    async def _take(self, worker: Worker) -> WorkerDied:
        while True:
            worker.busy = False
            batch = await self._next()
            worker.busy = True
            try:
                await self._run(worker, batch)
            except WorkerDied as error:
                self._lost(batch, error)
                return error
            except asyncio.CancelledError:
                self._put_back(batch)
                raise
            except Exception as error:  # nobody is to wait for an answer that does not come
                problem = f"this should not have happened: {type(error).__name__}: {error}"
                say(problem)
                fail(batch, RequestError(problem, 500))

    async def _next(self) -> list[Pending]:
        """Return the requests that are taken to a worker together, as soon as there are some."""
        async with self._turn:
            while True:
                while not self._pending:
                    self._arrived.clear()
                    await self._arrived.wait()
                await self._delayed(self._pending[0])
                if self._pending:  # the client of the only one may be gone
                    return self._taken()

    async def _delayed(self, first: Pending) -> None:
        """Wait for others, until the first one has waited long enough, or the batch is full."""
        delay = self._options.batch_delay_ms * 1e6
        while self._axis is not None and not first.alone and not first.answer.done():
            left = first.since + delay - perf_counter_ns()
            if left <= 0 or sum(each.rows for each in self._fitting(first)) >= self._options.max_batch_size:
                return
            self._arrived.clear()
            try:
                async with asyncio.timeout(left / 1e9):  # wait_for of 3.11 can lose that it is cancelled
                    await self._arrived.wait()
            except TimeoutError:
                return

    def _taken(self) -> list[Pending]:
        batch = self._fitting(self._pending[0])
        for each in batch:
            self._pending.remove(each)
        return batch

    def _fitting(self, first: Pending) -> list[Pending]:
        """Return the first request and those that can be joined with it, in the order in which they came."""
        if self._axis is None or first.alone:
            return [first]
        alike, rows, found = batches.alike(first.inputs, self._axis), 0, []
        for each in self._pending:
            fits = rows + each.rows <= self._options.max_batch_size and not each.alone
            if each is first or (fits and batches.alike(each.inputs, self._axis) == alike):
                found.append(each)
                rows += each.rows
        return found

    async def _run(self, worker: Worker, batch: Sequence[Pending]) -> None:
        """Answer the requests of a batch; if it fails, each gets the outcome that it has alone.

        Raises:
            WorkerDied: the worker has ended.
        """
        try:
            parts = await self._inferred(worker, batch)
        except RequestError as error:
            if len(batch) == 1:
                fail(batch, error)
                return
            for each in batch:
                await self._run(worker, [each])
            return
        for each, outputs in zip(batch, parts, strict=True):
            if not each.answer.done():
                each.answer.set_result(outputs)

    async def _inferred(self, worker: Worker, batch: Sequence[Pending]) -> list[Arrays]:
        started = perf_counter_ns()
        inputs = [each.inputs for each in batch]
        one = len(batch) == 1 or self._axis is None
        outputs, nanoseconds = await worker.infer(inputs[0] if one else batches.join(inputs, self._axis or 0))
        rows = [each.rows for each in batch]
        self._metrics.batch([started - each.since for each in batch], nanoseconds, sum(rows))
        if one:
            return [outputs]
        try:
            return batches.split(outputs, rows, self._axis or 0)
        except ValueError as error:
            raise RequestError(str(error), 500) from None

    def _lost(self, batch: Sequence[Pending], error: WorkerDied) -> None:
        """Fail the request that a worker died of; of several, each is tried again alone."""
        unanswered = [each for each in batch if not each.answer.done()]
        if len(batch) == 1:
            fail(unanswered, RequestError(f"{error}; it is replaced", 500))
            return
        for each in unanswered:
            each.alone = True
        self._put_back(unanswered)

    def _put_back(self, batch: Sequence[Pending]) -> None:
        self._pending.extendleft(each for each in reversed(batch) if not each.answer.done())
        self._arrived.set()

    def _give_up(self) -> None:
        """Let nobody wait for a worker that does not start."""
        if self._workers.hopeless:
            fail(self._pending, RequestError(HOPELESS, 503))
            self._pending.clear()
