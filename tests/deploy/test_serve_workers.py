"""Workers that end, or do not start, at a moment that nobody meets from outside of the server's process."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import psutil
import pytest

from pytest_navigator.deploy.protocol.metadata import ServedModel
from pytest_navigator.deploy.serve.dispatcher import Dispatcher
from pytest_navigator.deploy.serve.metrics import Metrics
from pytest_navigator.deploy.serve.options import Options
from pytest_navigator.deploy.serve.process import Loaded
from tests.deploy.fragile_server import SIGNATURE, open_runner
from tests.deploy.serving import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

X = {"x": np.ones((1, 1), np.float32)}


@asynccontextmanager
async def dispatching() -> AsyncIterator[Dispatcher]:
    """Give one whose worker is ready."""
    with TemporaryDirectory() as folder:
        loaded, metrics = Loaded(open_runner, Path(folder)), Metrics(ServedModel("double", SIGNATURE, "none/Double"))
        async with Dispatcher(loaded, Options(port=0), None, metrics) as dispatcher:
            yield dispatcher


def killed() -> None:
    """Kill the worker, and leave it to the server to notice."""
    children = psutil.Process().children()
    (worker,) = [each for each in children if "spawn_main" in " ".join(each.cmdline())]
    worker.kill()
    until(lambda: worker.status() == psutil.STATUS_ZOMBIE)


@pytest.mark.parametrize("turns", range(6))
def test_a_request_that_comes_just_after_an_idle_worker_died_is_answered(turns: int) -> None:
    async def asked() -> BaseException | None:
        async with dispatching() as dispatcher, asyncio.timeout(PATIENCE / 4):
            killed()
            for _ in range(turns):
                await asyncio.sleep(0)
            pending = dispatcher.put(X)
            await asyncio.wait([pending.answer])
            return pending.answer.exception()

    assert asyncio.run(asked()) is None or turns < 3  # until it is noticed, a request may be taken to the dead worker
