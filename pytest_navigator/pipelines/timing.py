"""How long the modules of a pipeline take in it: each call timed, whatever stands in the place of `forward`."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any

from pytest_navigator.profiling.measuring import NS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import torch

    from pytest_navigator.pipelines.registry import Forward, Wrapped

Times = dict[str, list[float]]
"""Name of a module -> ms of each of its calls, in their order."""


@contextmanager
def timed(modules: Iterable[Wrapped]) -> Iterator[Times]:
    """Time every call of modules, nested ones too, until the block ends."""
    times: Times = {}
    with ExitStack() as stack:
        for each in modules:
            stack.enter_context(_timed(each.module, times.setdefault(each.name, [])))
        yield times


@contextmanager
def timed_whole() -> Iterator[list[float]]:
    """Time a block; the list has its ms when it has ended."""
    took: list[float] = []
    begin = time.perf_counter_ns()
    yield took
    took.append((time.perf_counter_ns() - begin) / NS_PER_MS)


@contextmanager
def _timed(module: torch.nn.Module, times: list[float]) -> Iterator[None]:
    # Around what is there now: the module's own, a recorder's, or that of a format.
    before, missing = vars(module).get("forward"), "forward" not in vars(module)
    module.forward = _stopwatch(module.forward, finishing(module), times)
    try:
        yield
    finally:
        if missing:
            del vars(module)["forward"]
        else:
            module.forward = before


def _stopwatch(forward: Forward, finish: Callable[[], object], times: list[float]) -> Forward:
    @wraps(forward)
    def stopwatch(*args: Any, **kwargs: Any) -> Any:
        begin = time.perf_counter_ns()
        try:
            return forward(*args, **kwargs)
        finally:
            finish()
            times.append((time.perf_counter_ns() - begin) / NS_PER_MS)

    return stopwatch


def finishing(*modules: torch.nn.Module) -> Callable[[], object]:
    """Return what waits for the devices of modules: a call of one on a GPU returns before it is done."""
    devices = {p.device.type for module in modules for p in module.parameters()}
    if "cuda" not in devices:
        return _nothing
    import torch

    synchronize: Callable[[], object] = torch.cuda.synchronize
    return synchronize


def _nothing() -> None:
    return
