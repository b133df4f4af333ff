"""How long the modules of a pipeline take in it: each call timed, whatever stands in the place of `forward`."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from pytest_navigator.pipelines.refusals import compiling
from pytest_navigator.pipelines.registry import StandIn
from pytest_navigator.profiling.clocks import Clock
from pytest_navigator.profiling.measuring import NS_PER_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import torch

    from pytest_navigator.pipelines.registry import Wrapped

Times = dict[str, list[float]]
"""Name of a module -> ms of each of its calls, in their order."""


@contextmanager
def timed(modules: Iterable[Wrapped], clock: Clock | None = None) -> Iterator[Times]:
    """Time every call of modules, nested ones too, until the block ends; not of formats that are loaded in it.

    Args:
        clock: None: that on the wall.
    """
    times: Times = {}
    clock = clock or Clock(processor=time.perf_counter_ns)
    with ExitStack() as stack:
        for each in modules:
            stack.enter_context(each.standing_in(_Stopwatch(each, times.setdefault(each.name, []), clock)))
        yield times


@contextmanager
def timed_whole() -> Iterator[list[float]]:
    """Time a block; the list has its ms when it has ended."""
    took: list[float] = []
    begin = time.perf_counter_ns()
    yield took
    took.append((time.perf_counter_ns() - begin) / NS_PER_MS)


class _Stopwatch(StandIn):
    """Times what is in the place of `forward` when it is called: the module's own, a recorder's, or a format's."""

    def __init__(self, wrapped: Wrapped, times: list[float], clock: Clock) -> None:
        super().__init__(wrapped)
        self._times, self._clock = times, clock
        self._finish = finishing(wrapped.module)
        self._compiling = compiling()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run one inference; one that torch compiles is not timed: the clock would be compiled, too."""
        if self._compiling():
            return self._original(*args, **kwargs)
        forward = self.wrapped.beneath(self)
        begin = self._clock.now()
        try:
            return forward(*args, **kwargs)
        finally:
            self._finish()
            self._times.append(self._clock.since(begin)[0] / NS_PER_MS)


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
