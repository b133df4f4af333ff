"""Workers that end, or do not start, at a moment that nobody meets from outside of the server's process."""

from __future__ import annotations

import asyncio
import gc
import time
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
import psutil
import pytest

from pytest_navigator.deploy.protocol.errors import RequestError
from pytest_navigator.deploy.protocol.metadata import ServedModel
from pytest_navigator.deploy.serve import workers
from pytest_navigator.deploy.serve.dispatcher import HOPELESS, Dispatcher
from pytest_navigator.deploy.serve.metrics import Metrics
from pytest_navigator.deploy.serve.options import Options
from pytest_navigator.deploy.serve.process import Loaded, Worker
from tests.deploy.fragile_server import SIGNATURE, open_runner
from tests.deploy.serving import PATIENCE, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from pytest_navigator.deploy.serve.options import Infer, Open

X = {"x": np.ones((1, 1), np.float32)}


@dataclass
class Refusing:
    """What a worker loads; as long as a file is there, no process can be started with it."""

    mark: Path

    def __call__(self, folder: Path) -> AbstractContextManager[Infer]:
        return open_runner(folder)

    def __getstate__(self) -> dict[str, Path]:
        if self.mark.exists():
            raise RuntimeError("can't start new thread")
        return {"mark": self.mark}


@asynccontextmanager
async def dispatching(loading: Open = open_runner) -> AsyncIterator[Dispatcher]:
    """Give one whose worker is ready."""
    with TemporaryDirectory() as folder:
        loaded, metrics = Loaded(loading, Path(folder)), Metrics(ServedModel("double", SIGNATURE, "none/Double"))
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

    error = asyncio.run(asked())
    assert error is None or "is replaced" in str(error)  # until it is noticed, a request may be taken to the dead one


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE / 4):
        while not condition():
            await asyncio.sleep(0.01)


def test_a_worker_that_cannot_be_started_is_tried_again_and_until_then_nobody_waits(tmp_path: Path) -> None:
    async def asked() -> Any:
        async with dispatching(Refusing(tmp_path / "mark")) as dispatcher:
            (tmp_path / "mark").touch()
            killed()
            await eventually(lambda: not dispatcher.ready)
            await refused(dispatcher)
            with pytest.raises(RequestError, match=HOPELESS):
                dispatcher.put(X)
            (tmp_path / "mark").unlink()
            await eventually(lambda: dispatcher.ready)
            return await dispatcher.put(X).answer

    assert asyncio.run(asked())["y"].tolist() == [[2]]


async def refused(dispatcher: Dispatcher) -> None:
    with pytest.raises(RequestError, match=HOPELESS) as raised:
        await dispatcher.put(X).answer
    assert raised.value.status == 503


@contextmanager
def loading_for_long(folder: Path, mark: Path) -> Iterator[Infer]:
    if mark.exists():
        time.sleep(300)
    with open_runner(folder) as infer:
        yield infer


def test_a_worker_that_does_not_load_in_time_is_ended_and_another_one_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "mark"
    monkeypatch.setattr(workers, "PATIENCE", 1)
    monkeypatch.setattr(workers, "TIMES_AS_LONG", 2)

    async def asked() -> Any:
        async with dispatching(partial(loading_for_long, mark=mark)) as dispatcher:
            mark.touch()
            killed()
            await eventually(lambda: not dispatcher.ready)
            await refused(dispatcher)
            mark.unlink()
            await eventually(lambda: dispatcher.ready)
            return await dispatcher.put(X).answer

    assert asyncio.run(asked())["y"].tolist() == [[2]]


def test_of_a_process_that_does_not_start_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "mark").touch()
    folder = tmp_path / "files"
    folder.mkdir()
    open_files = []

    for _ in range(2):  # the first one closes what other tests have left
        with pytest.raises(RuntimeError):
            asyncio.run(Worker.start(Loaded(Refusing(tmp_path / "mark"), folder)))
        gc.collect()
        open_files.append(psutil.Process().num_fds())

    assert list(folder.iterdir()) == []
    assert open_files[0] == open_files[1]


def test_text_that_a_runtime_gives_as_objects_comes_as_bytes_if_some_of_it_is() -> None:
    async def asked() -> Any:
        async with dispatching() as dispatcher:
            return await dispatcher.put({"x": np.full((1, 1), 555, np.float32)}).answer

    assert asyncio.run(asked())["y"].tolist() == [["Å".encode(), b"\xff", "Zoë".encode()]]
