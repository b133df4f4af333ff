"""The calls of modules while a pipeline runs: each copied before the module sees it, as many as there is room for."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_navigator.pipelines.aliases import aliases, viewed
from pytest_navigator.pipelines.calls import ENDLESS, RecordedCall, call_of
from pytest_navigator.pipelines.copies import changed, copied, size, state_of_call, state_of_module
from pytest_navigator.pipelines.extent import Extent
from pytest_navigator.pipelines.refusals import autocasting
from pytest_navigator.pipelines.registry import StandIn
from pytest_navigator.pipelines.structures import arrays, form_of, structure_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_navigator.pipelines.copies import State
    from pytest_navigator.pipelines.extent import End
    from pytest_navigator.pipelines.registry import Wrapped
    from pytest_navigator.samples.structure import Call


ENOUGH = "enough calls like it"


@dataclass(frozen=True)
class Limits:
    """How much is recorded.

    Attributes:
        alike: calls of one module that differ in nothing but values; of each sample, so that each batch size is seen.
        calls: of one module with one structure, numbers aside. Those that show a size or a number that none before
            had are kept beyond `alike` and `calls`, up to three times as many; and those with the least and the most
            of each number.
        structures: of one module; calls with further ones are counted.
        max_bytes: of all calls of all modules, inputs and outputs.
    """

    alike: int = 3
    calls: int = 24
    structures: int = 16
    max_bytes: int = 2 * 2**30


@dataclass(frozen=True)
class Seat:
    """What a call is kept as.

    Attributes:
        kind: its structure, numbers aside.
        ends: numbers of which it has the least or the most, if it is kept for that alone: until another one has.
    """

    kind: object
    ends: tuple[End, ...] = ()


@dataclass(eq=False)
class Recorder:
    """What was recorded; it stays when the pipeline raises.

    Attributes:
        calls: name of a module -> its calls that were kept, in their order.
        counted: name of a module -> how many calls it had.
        left_out: name of a module -> why calls were not kept -> how many.
        sample, batch_size: of the loader, which the calls to come belong to; who runs the pipeline sets them.
    """

    limits: Limits = field(default_factory=Limits)
    calls: dict[str, list[RecordedCall]] = field(default_factory=dict)
    counted: Counter[str] = field(default_factory=Counter)
    left_out: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    sample: int = 0
    batch_size: int = 1
    _bytes: int = 0
    _kinds: dict[str, Counter[object]] = field(default_factory=lambda: defaultdict(Counter))
    _alike: dict[str, Counter[object]] = field(default_factory=lambda: defaultdict(Counter))
    _extents: dict[tuple[str, object], Extent] = field(default_factory=lambda: defaultdict(Extent))
    _ends: dict[tuple[str, object], dict[End, RecordedCall]] = field(default_factory=lambda: defaultdict(dict))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def wanted(self, name: str, call: Call) -> Seat | None:
        """Return what a call of a module is kept as, None if there is no room; it is counted as kept, or left out."""
        kind = form_of(call, values=False)
        alike = (kind, self.sample, tuple(tuple(array.shape) for _, array in arrays(call)))
        with self._lock:
            extent, nbytes = self._extents[name, kind], size(call)
            more, ends = extent.grows(call), extent.ends(call)
            reason = self._refused(self._kinds[name], kind, 0 if more else self._alike[name][alike], nbytes, more)
            if not reason:
                self._kinds[name][kind] += 1
                self._alike[name][alike] += 1
                return Seat(kind)
            if ends and kind in self._kinds[name] and not self._full(nbytes):
                return Seat(kind, tuple(ends))
            self.left_out[name][reason] += 1
            return None

    def keep(self, name: str, recorded: RecordedCall, seat: Seat) -> None:
        """Keep a call of a module, in the place of those that were kept for the same ends alone."""
        with self._lock:
            self._bytes += size((recorded.call, recorded.output))
            self.calls[name].append(recorded)
            known = self._ends[name, seat.kind]
            before = {id(known[end]): known[end] for end in seat.ends if end in known}
            known.update(dict.fromkeys(seat.ends, recorded))
            for each in before.values():
                if not any(each is other for other in known.values()):
                    self._leave_out(name, each)

    def _leave_out(self, name: str, recorded: RecordedCall) -> None:
        self.calls[name] = [each for each in self.calls[name] if each is not recorded]
        self._bytes -= size((recorded.call, recorded.output))
        self.left_out[name][ENOUGH] += 1

    def _refused(self, kinds: Counter[object], kind: object, alike: int, nbytes: int, more: bool) -> str:
        limits = self.limits
        if kind not in kinds and len(kinds) >= limits.structures:
            return f"more than {limits.structures} structures"
        if alike >= limits.alike:
            return ENOUGH
        if kinds[kind] >= limits.calls * (3 if more else 1):
            return f"more than {limits.calls} calls of one structure"
        return self._full(nbytes)

    def _full(self, nbytes: int) -> str:
        most = self.limits.max_bytes
        return f"more than {most / 2**20:.0f} MiB" if self._bytes + nbytes > most else ""


@contextmanager
def recording(modules: Iterable[Wrapped], limits: Limits | None = None) -> Iterator[Recorder]:
    """Record the calls of modules until the block ends, whatever it raises."""
    recorder = Recorder(limits or Limits())
    with ExitStack() as stack:
        for each in modules:
            recorder.calls[each.name] = []
            stack.enter_context(each.standing_in(_Recording(each, recorder)))
        yield recorder


class _Recording(StandIn):
    """Keeps what the module is called with."""

    def __init__(self, wrapped: Wrapped, recorder: Recorder) -> None:
        super().__init__(wrapped)
        self._recorder = recorder
        self._autocast = autocasting(wrapped.module)
        self._names = list(wrapped.signature.parameters)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self.closed:
            return self._original(*args, **kwargs)
        name, recorder = self.wrapped.name, self._recorder
        recorder.counted[name] += 1
        try:
            call = call_of(self.wrapped, args, kwargs)
            seat = recorder.wanted(name, call)
        except TypeError:  # it says itself what it is called wrongly with
            seat = None
        except RecursionError:
            seat = None
            recorder.left_out[name][ENDLESS] += 1
        if seat is None:
            return self._original(*args, **kwargs)
        kept, sample, batch_size = copied(call), recorder.sample, recorder.batch_size
        before, given = self._state(call), [array for _, array in arrays(call)]
        autocast, begin = self._autocast(), time.perf_counter()
        output = self._original(*args, **kwargs)
        seconds = time.perf_counter() - begin
        found = aliases(given, output), changed(before, self._state(call))
        views = viewed([*given, *self._module.parameters(), *self._module.buffers()], output)
        seen = *found, views, autocast
        call_ = RecordedCall(kept, copied(output), structure_of(kept), sample, batch_size, seconds, *seen)
        recorder.keep(name, call_, seat)
        return output

    def _state(self, call: Call) -> State:
        return {**state_of_call(call, self._names), **state_of_module(self._module)}
