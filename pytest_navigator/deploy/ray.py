"""A model behind Ray Serve: Ray starts replicas on its nodes, brings them requests, and joins these to batches."""

from __future__ import annotations

import asyncio
import math
import tempfile
import threading
from collections import defaultdict
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, TypeAlias

from pytest_navigator.deploy.batches import batch_axis
from pytest_navigator.deploy.protocol.errors import RequestError
from pytest_navigator.deploy.serve import batches
from pytest_navigator.deploy.serve.pending import Pending
from pytest_navigator.errors import ConfigError, InputError
from pytest_navigator.isolation.causes import error_line

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    from starlette.applications import Starlette

    from pytest_navigator.deploy.protocol.metadata import ServedModel
    from pytest_navigator.deploy.serve.metrics import Metrics
    from pytest_navigator.deploy.serve.options import Arrays, Infer, Open

    Outcome: TypeAlias = Arrays | RequestError

FOLDER = "navigator-ray-"


@dataclass(frozen=True)
class Replica:
    """What a replica is told: it loads the model itself, wherever Ray starts it.

    Attributes:
        open_runner: what loads the model, with a folder for its files.
        max_batch_size: rows that are joined at most; 1: requests are never joined.
        batch_wait_timeout_s: how long the first request of a batch waits for others; 0: those are joined that came
            while the model was busy.
        max_request_mb: size of the largest body in MiB.
    """

    model: ServedModel
    open_runner: Open
    max_batch_size: int
    batch_wait_timeout_s: float
    max_request_mb: int

    def __post_init__(self) -> None:
        for name, least in (("max_batch_size", 1), ("batch_wait_timeout_s", 0), ("max_request_mb", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value < math.inf:
                raise ConfigError(f"{name}={value!r}: a number from {least} on is needed")

    def application(self) -> Starlette:
        """Load the model, and return the routes that serve it until they are shut down."""
        from pytest_navigator.deploy.serve.app import application
        from pytest_navigator.deploy.serve.metrics import Metrics
        from pytest_navigator.deploy.serve.receiving import Limits

        held = ExitStack()
        folder = held.enter_context(tempfile.TemporaryDirectory(prefix=FOLDER))
        infer = held.enter_context(self.open_runner(Path(folder)))
        metrics = Metrics(self.model)
        limits = Limits(self.max_request_mb, option="max_request_mb")
        app = application(self.model, Queue(infer, self, metrics), metrics, limits)

        @asynccontextmanager
        async def lifespan(_: Starlette) -> AsyncIterator[None]:
            with held:
                yield

        app.router.lifespan_context = lifespan
        return app


def deployed(replica: Replica, options: Mapping[str, Any]) -> Any:
    """Return the application that `ray.serve.run` takes.

    Args:
        options: of `ray.serve.deployment`.

    Raises:
        ConfigError: Ray Serve is not installed, or has no such option, or not such a value of it.
    """
    serve = _serve()

    def routes() -> Starlette:  # Ray takes functions alone for what a replica is to call
        return replica.application()

    try:
        return serve.deployment(serve.ingress(routes)(), name=replica.model.name, **options).bind()
    except (TypeError, ValueError) as error:
        raise ConfigError(f"Ray Serve does not take this: {error}") from error


def _serve() -> Any:
    try:
        from ray import serve
    except ModuleNotFoundError as error:
        needed = "pip install 'pytest-navigator[ray]'"
        raise ConfigError(f"nav.ray needs {error.name}, which is not installed ({needed})") from None
    return serve


@dataclass(frozen=True)
class Request:
    """A request that waits; since when, in ns."""

    inputs: Arrays
    rows: int
    since: int


class Queue:
    """Takes the requests of a replica to its model; those that wait at the same time together, where it allows that."""

    ready = True

    def __init__(self, infer: Infer, replica: Replica, metrics: Metrics) -> None:
        """Call it where an event loop runs."""
        self._infer, self._metrics = infer, metrics
        self._axis = batch_axis(replica.model.signature)
        self._most = replica.max_batch_size
        self._one_at_a_time = threading.Lock()
        self._join = _joining(self._run, self._most, replica.batch_wait_timeout_s)

    def receiving(self) -> AbstractContextManager[None]:
        """Have room for a request, of which Ray lets no more come than there is."""
        return nullcontext()

    def put(self, inputs: Arrays) -> Pending:
        """Let a request wait; its `answer` may be cancelled."""
        request = Request(inputs, batches.rows_of(inputs, self._axis), perf_counter_ns())
        return Pending(inputs, request.rows, asyncio.ensure_future(self._answer(request)))

    def forget(self, pending: Pending) -> None:
        """Leave out a request whose client is gone."""
        pending.answer.cancel()

    async def _answer(self, request: Request) -> Arrays:
        # What fills a batch, or more, is none for Ray to join; it refuses what is more.
        alone = self._axis is None or request.rows >= self._most
        outcome = (await self._run([request]))[0] if alone else await self._join(request)
        if isinstance(outcome, RequestError):
            raise outcome
        return outcome

    async def _run(self, requests: list[Request]) -> list[Outcome]:
        """Return the outcome of each request of a batch; those of one shape are one inference."""
        outcomes: dict[int, Outcome] = {}
        for group in self._alike(requests):
            found = await asyncio.to_thread(self._inferred, [requests[index] for index in group])
            outcomes.update(zip(group, found, strict=True))
        return [outcomes[index] for index in range(len(requests))]

    def _alike(self, requests: Sequence[Request]) -> list[list[int]]:
        if self._axis is None:
            return [[index] for index in range(len(requests))]
        groups: dict[batches.Alike, list[int]] = defaultdict(list)
        for index, request in enumerate(requests):
            groups[batches.alike(request.inputs, self._axis)].append(index)
        return list(groups.values())

    def _inferred(self, requests: Sequence[Request]) -> list[Outcome]:
        """Run requests as one; if that fails, each gets the outcome that it has alone."""
        try:
            return self._outputs(requests)
        except Exception as error:
            if len(requests) > 1:
                return [outcome for request in requests for outcome in self._inferred([request])]
            if isinstance(error, InputError):
                return [RequestError(str(error))]
            return [RequestError(f"the model raised: {error_line(error)}", 500)]

    def _outputs(self, requests: Sequence[Request]) -> list[Outcome]:
        inputs, rows = [request.inputs for request in requests], [request.rows for request in requests]
        with self._one_at_a_time:
            started = perf_counter_ns()
            outputs = self._infer(inputs[0] if len(inputs) == 1 else batches.join(inputs, self._axis or 0))
            waited = [started - request.since for request in requests]
            self._metrics.batch(waited, perf_counter_ns() - started, sum(rows))
        return [outputs] if len(inputs) == 1 else [*batches.split(outputs, rows, self._axis or 0)]


def _joining(
    run: Callable[[list[Request]], Awaitable[list[Outcome]]], most: int, wait: float
) -> Callable[[Request], Awaitable[Outcome]]:
    def rows(requests: list[Request]) -> int:
        return sum(request.rows for request in requests)

    async def batch(requests: list[Request]) -> list[Outcome]:
        return await run(requests)

    joined: Any = _serve().batch(max_batch_size=most, batch_wait_timeout_s=wait, batch_size_fn=rows)
    wrapped: Callable[[Request], Awaitable[Outcome]] = joined(batch)
    return wrapped
