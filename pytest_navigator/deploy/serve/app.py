"""The routes of the Open Inference Protocol, as an application of ASGI.

It knows a model and a way to run it, not how that is done.
"""

from __future__ import annotations

import asyncio
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any, Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pytest_navigator.deploy.protocol import requests, responses
from pytest_navigator.deploy.protocol.errors import RequestError
from pytest_navigator.deploy.protocol.metadata import model_metadata, server_metadata
from pytest_navigator.deploy.serve.receiving import body_of
from pytest_navigator.isolation.causes import error_line

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractContextManager

    from starlette.requests import Request

    from pytest_navigator.deploy.protocol.metadata import ServedModel
    from pytest_navigator.deploy.serve.metrics import Metrics
    from pytest_navigator.deploy.serve.options import Arrays
    from pytest_navigator.deploy.serve.pending import Pending
    from pytest_navigator.deploy.serve.receiving import Limits

    Endpoint = Callable[[Request], Awaitable[Response]]

GONE = 499  # what others count for a client that did not wait for its answer

UNREAD = (408, 413)  # the answers to a body that was not received to its end

# A body from this size on is read beside the event loop, in B: others are not to wait for that.
LARGE = 2**17


class Dispatching(Protocol):
    """What runs requests: the processes of our own server, or a replica of Ray's."""

    @property
    def ready(self) -> bool:
        """Whether it can run one."""

    def receiving(self) -> AbstractContextManager[None]:
        """Have room for a request that is received; raises RequestError if there is none."""

    def put(self, inputs: Arrays) -> Pending:
        """Let a request wait; raises RequestError if there is no room in the queue."""

    def forget(self, pending: Pending) -> None:
        """Leave out a request whose client is gone."""


def application(model: ServedModel, dispatcher: Dispatching, metrics: Metrics, limits: Limits) -> Starlette:
    """Return the application that serves a model.

    Args:
        dispatcher: which runs requests.
        limits: of what is received.
    """
    routes = Routes(model, dispatcher, metrics, limits)
    own = {"": routes.metadata, "/ready": routes.model_ready, "/stats": routes.statistics}
    paths: dict[str, Endpoint] = {
        "/v2": routes.server,
        "/v2/health/live": routes.live,
        "/v2/health/ready": routes.ready,
        "/v2/models/stats": routes.all_statistics,
        "/metrics": routes.metrics,
        **{f"{place}{path}": endpoint for path, endpoint in own.items() for place in PLACES},
    }
    infer = [Route(f"{place}/infer", routes.infer, methods=["POST"]) for place in PLACES]
    handlers: Any = {RequestError: _refused, HTTPException: _unknown}
    return Starlette(
        routes=[*infer, *(Route(path, endpoint) for path, endpoint in paths.items())], exception_handlers=handlers
    )


PLACES = ("/v2/models/{name}", "/v2/models/{name}/versions/{version}")


class Routes:
    """The endpoints."""

    def __init__(self, model: ServedModel, dispatcher: Dispatching, metrics: Metrics, limits: Limits) -> None:
        self._model, self._dispatcher, self._metrics, self._limits = model, dispatcher, metrics, limits

    async def server(self, request: Request) -> Response:
        """Say what the server is."""
        return JSONResponse(server_metadata())

    async def live(self, request: Request) -> Response:
        """Say that it lives."""
        return JSONResponse({"live": True})

    async def ready(self, request: Request) -> Response:
        """Say whether it can answer: not while no process runs the model."""
        ready = self._dispatcher.ready
        return JSONResponse({"ready": ready}, 200 if ready else 503)

    async def metadata(self, request: Request) -> Response:
        """Say what goes into the model and what comes out."""
        self._check(request)
        return JSONResponse(model_metadata(self._model))

    async def model_ready(self, request: Request) -> Response:
        """Say whether the model can answer."""
        self._check(request)
        ready = self._dispatcher.ready
        return JSONResponse({"name": self._model.name, "ready": ready}, 200 if ready else 503)

    async def statistics(self, request: Request) -> Response:
        """Say how many requests there were and how long they took."""
        self._check(request)
        return JSONResponse(self._metrics.statistics())

    async def all_statistics(self, request: Request) -> Response:
        """Say so of all models, of which there is one."""
        return JSONResponse(self._metrics.statistics())

    async def metrics(self, request: Request) -> Response:
        """Give Prometheus its metrics."""
        return Response(self._metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def infer(self, request: Request) -> Response:
        """Run the model; every answer is counted."""
        started = perf_counter_ns()
        try:
            response = await self._infer(request)
        except RequestError as error:
            response = _error(error)
        except ClientDisconnect:
            response = Response(status_code=GONE)
        except Exception as error:  # it is an answer as well, and counted
            response = _error(RequestError(f"this should not have happened: {error_line(error)}", 500))
        self._metrics.request(response.status_code, perf_counter_ns() - started)
        return response

    async def _infer(self, request: Request) -> Response:
        self._check(request)
        with self._dispatcher.receiving():
            body = await body_of(request, self._limits)
            length, signature = request.headers.get(requests.HEADER_LENGTH), self._model.signature
            asked = await _beside(len(body), requests.decode, body, length, signature)
        outputs = await self._outputs(request, self._dispatcher.put(asked.inputs))
        if outputs is None:
            return Response(status_code=GONE)
        size = sum(array.nbytes for array in outputs.values())
        answer = await _beside(size, responses.encode, asked, outputs, self._model)
        return Response(answer.body, headers=answer.headers)

    async def _outputs(self, request: Request, pending: Pending) -> Arrays | None:
        """Wait for the outputs; None: the client is gone."""
        watching = asyncio.create_task(self._watch(request, pending))
        try:
            return await pending.answer
        except asyncio.CancelledError:
            if not pending.answer.cancelled() or not watching.done():
                raise
            return None
        finally:
            watching.cancel()
            self._dispatcher.forget(pending)

    async def _watch(self, request: Request, pending: Pending) -> None:
        """Take a request back whose client is gone."""
        while (await request.receive())["type"] != "http.disconnect":
            pass
        self._dispatcher.forget(pending)

    def _check(self, request: Request) -> None:
        """Raise RequestError (404) for another model or version."""
        name, version = request.path_params["name"], request.path_params.get("version", self._model.version)
        if name != self._model.name:
            raise RequestError(f"there is no model {name[:100]!r} here, but {self._model.name!r}", 404)
        if version != self._model.version:
            raise RequestError(f"{name!r} has no version {version[:40]!r}, but {self._model.version!r}", 404)


async def _beside(size: int, work: Callable[..., Any], *arguments: Any) -> Any:
    """Do some work, beside the event loop if its size in B is large."""
    return await asyncio.to_thread(work, *arguments) if size > LARGE else work(*arguments)


def _error(error: RequestError) -> Response:
    # What is left of a body that was not read is nothing that another request could start with.
    return JSONResponse(
        error.content(), error.status, headers={"Connection": "close"} if error.status in UNREAD else None
    )


async def _refused(request: Request, error: RequestError) -> Response:
    return _error(error)


async def _unknown(request: Request, error: HTTPException) -> Response:
    said = f"{request.method} {request.url.path[:200]}: {error.detail}"
    return JSONResponse({"error": said}, error.status_code, headers=error.headers)
