"""Which modules a pipeline calls, how long they take and with what: what tells which ones are worth a format."""

from __future__ import annotations

import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_navigator.errors import SourceError
from pytest_navigator.isolation.causes import error_line
from pytest_navigator.pipelines.calls import bound
from pytest_navigator.pipelines.registry import StandIn, Wrapped
from pytest_navigator.pipelines.spelling import Spelt
from pytest_navigator.pipelines.timing import finishing
from pytest_navigator.text import columns

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    import torch

    from pytest_navigator.pipelines.samples import PipelineSample

HEADINGS = ("module", "class", "parameters", "calls", "ms", "share", "inputs")
MOST_STRUCTURES = 3
"""Structures of one module's calls that are told; more are counted."""


@dataclass(frozen=True)
class ModuleUse:
    """What a pipeline does with one of its modules.

    Attributes:
        name: where it is in the pipeline, as `nav.wrap` takes it.
        kind: its class.
        parameters: how many numbers its weights are.
        calls: how often it was called on the samples; None: the pipeline was not run.
        ms: of all calls together; share: of the pipeline's whole time, 0 to 1.
        inputs: for each structure of its calls how it is called, with the sizes that were seen.
        inside: name of the module that called it; "" if the pipeline itself did.
    """

    name: str
    kind: str
    parameters: int
    calls: int | None = None
    ms: float = 0.0
    share: float = 0.0
    inputs: tuple[str, ...] = ()
    inside: str = ""


@dataclass(frozen=True)
class Inspection:
    """The modules of a pipeline; `print` shows those that the pipeline itself calls, the one with most time first.

    Attributes:
        modules: all that were found, or called.
        samples: how many samples the pipeline was run on.
        ms: what it took on all of them.
        note: why it was not run on all of them; "" if it was.
    """

    modules: tuple[ModuleUse, ...]
    samples: int = 0
    ms: float = 0.0
    note: str = ""

    @property
    def outermost(self) -> list[ModuleUse]:
        """The modules that the pipeline itself calls, the one with most time first; those it does not call, last.

        Of those that it does not call, parts of another module are left out.
        """
        names = {each.name for each in self.modules}
        own = [each for each in self.modules if not each.inside and (each.calls or not _is_part(each.name, names))]
        return sorted(own, key=lambda each: -each.ms)

    def __str__(self) -> str:
        rows = [row for each in self.outermost for row in _rows(each)]
        return "\n".join([*columns([HEADINGS, *rows], indent=""), *filter(None, [self.note])])


def inspected(
    parts: Mapping[str, torch.nn.Module], func: Callable[..., Any], samples: Iterable[PipelineSample]
) -> Inspection:
    """Run a pipeline on samples and see which of its modules it calls.

    Raises:
        SourceError: there is no sample, or the pipeline raises on the first one.
    """
    watch = _Watch()
    begin, done, note = time.perf_counter(), 0, ""
    with ExitStack() as stack:
        for name, part in parts.items():
            each = Wrapped(name, part)
            stack.enter_context(each.standing_in(_Watching(each, watch)))
        for sample in samples:
            try:
                sample.run(func)
            except Exception as error:
                if not done:
                    raise SourceError(f"the pipeline raised on the first sample: {error_line(error)}") from error
                note = f"it raised on sample {sample.index}, where this ends: {error_line(error)}"
                break
            done += 1
    if not done:
        raise SourceError("the dataloader is empty: there is no sample to run the pipeline on")
    whole = 1000 * (time.perf_counter() - begin)
    return Inspection(tuple(watch.use(name, part, whole) for name, part in parts.items()), done, whole, note)


def listed(parts: Mapping[str, torch.nn.Module]) -> Inspection:
    """Return the modules of a pipeline that is not run."""
    return Inspection(tuple(ModuleUse(name, *_known(part)) for name, part in parts.items()))


@dataclass
class _Watch:
    """What was seen, by the names of modules."""

    calls: Counter[str] = field(default_factory=Counter)
    ms: dict[str, float] = field(default_factory=dict)
    inputs: dict[str, dict[object, Spelt]] = field(default_factory=dict)
    callers: dict[str, set[str]] = field(default_factory=dict)
    _thread: threading.local = field(default_factory=threading.local)

    @property
    def running(self) -> list[str]:
        """Names of the modules that run in this thread, the innermost last."""
        found: list[str] = self._thread.__dict__.setdefault("running", [])
        return found

    def use(self, name: str, part: torch.nn.Module, whole: float) -> ModuleUse:
        spelt = list(self.inputs.get(name, {}).values())
        more = [f"and {len(spelt) - MOST_STRUCTURES} other structures"] * (len(spelt) > MOST_STRUCTURES)
        callers = self.callers.get(name, {""})
        inside = "" if "" in callers else min(callers)
        ms = self.ms.get(name, 0.0)
        inputs = (*(each.text for each in spelt[:MOST_STRUCTURES]), *more)
        return ModuleUse(name, *_known(part), self.calls[name], ms, ms / whole, inputs, inside)


class _Watching(StandIn):
    def __init__(self, wrapped: Wrapped, watch: _Watch) -> None:
        super().__init__(wrapped)
        self._watch = watch
        self._finish = finishing(self._module)
        self._signature = wrapped.signature

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        watch, name, running = self._watch, self.wrapped.name, self._watch.running
        watch.calls[name] += 1
        watch.callers.setdefault(name, set()).add(running[-1] if running else "")
        self._spell(args, kwargs)
        nested = name in running
        running.append(name)
        begin = time.perf_counter()
        try:
            return self._original(*args, **kwargs)
        finally:
            self._finish()
            running.pop()
            if not nested:
                watch.ms[name] = watch.ms.get(name, 0.0) + 1000 * (time.perf_counter() - begin)

    def _spell(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        try:
            spelt = Spelt.of(self._signature, bound(self._signature, args, kwargs))
        except (TypeError, RecursionError):  # the call itself says what is wrong
            return
        known = self._watch.inputs.setdefault(self.wrapped.name, {})
        known[spelt.form] = known[spelt.form].joined(spelt) if spelt.form in known else spelt


def _is_part(name: str, names: Collection[str]) -> bool:
    return any(name[:at] in names for at, letter in enumerate(name) if letter == ".")


def _known(part: torch.nn.Module) -> tuple[str, int]:
    return type(part).__name__, sum(each.numel() for each in part.parameters())


def _rows(use: ModuleUse) -> list[tuple[str, ...]]:
    ran = use.calls is not None
    figures = (str(use.calls), f"{use.ms:.2f}", f"{use.share:.0%}") if ran else ("", "", "")
    first, *others = use.inputs or ("",)
    return [
        (use.name, use.kind, f"{use.parameters:,}", *figures, first),
        *(("", "", "", "", "", "", other) for other in others),
    ]
