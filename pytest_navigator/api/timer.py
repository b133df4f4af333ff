"""`nav.Timer`: how long a pipeline takes, and each of its modules, in the user's own code."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING

from pytest_navigator.core.plain import fields_of, write_atomically
from pytest_navigator.errors import ConfigError
from pytest_navigator.pipelines.registry import registered
from pytest_navigator.pipelines.timing import timed
from pytest_navigator.profiling.measuring import NS_PER_MS
from pytest_navigator.text import columns

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Self

    from pytest_navigator.pipelines.timing import Times

HEADINGS = ("", "calls", "mean ms", "total ms", "share")


@dataclass
class Timer:
    """Times the pipeline in its `with` block, and each call of its modules there; `print` shows a table.

    Modules are those that `nav.Module(..., timer=timer)` names, else all that are wrapped.

    Attributes:
        name: of the pipeline, in the table.
        info: what else is to stand in the file.
        times: ms of each block that ended; one that raised does not count.
        modules: name of a module -> ms of each of its calls in those blocks.
    """

    name: str
    info: dict[str, str] = field(default_factory=dict)
    times: list[float] = field(default_factory=list)
    modules: dict[str, list[float]] = field(default_factory=dict)
    _own: list[str] = field(default_factory=list, repr=False)
    _block: ExitStack | None = field(default=None, repr=False)
    _now: Times = field(default_factory=dict, repr=False)
    _begin: int = field(default=0, repr=False)

    def register_module(self, name: str) -> None:
        """Time this module; `nav.Module(..., timer=timer)` calls it."""
        if name not in self._own:
            self._own.append(name)

    def __enter__(self) -> Self:
        if self._block is not None:
            raise ConfigError(f"the timer {self.name!r} is in use: take another one for a block inside of its own")
        self._block = ExitStack()
        watched = [each for each in registered() if not self._own or each.name in self._own]
        self._now = self._block.enter_context(timed(watched))
        self._begin = time.perf_counter_ns()
        return self

    def __exit__(self, kind: object, *exc: object) -> None:
        took = (time.perf_counter_ns() - self._begin) / NS_PER_MS
        assert self._block is not None
        self._block.close()
        self._block = None
        if kind is None:
            self.times.append(took)
            for name, times in self._now.items():
                self.modules.setdefault(name, []).extend(times)

    def reset(self) -> None:
        """Forget what was measured so far."""
        self.times.clear()
        self.modules.clear()

    def speed_up(self, before: Timer) -> float:
        """Return how many times faster a block is than one that another timer has measured.

        Raises:
            ConfigError: one of them has measured nothing.
        """
        for timer in (self, before):
            if not timer.times:
                raise ConfigError(f"the timer {timer.name!r} has measured nothing: run the pipeline in `with timer:`")
        return fmean(before.times) / fmean(self.times)

    def to_file(self, path: str | Path) -> None:
        """Write the times as YAML, whole or not at all."""
        from pathlib import Path

        import yaml

        content = {name: value for name, value in fields_of(self).items() if not name.startswith("_")}
        write_atomically(Path(path), yaml.safe_dump(content, sort_keys=False).encode())

    def __str__(self) -> str:
        whole = sum(self.times)
        rows = [_row(self.name, self.times, whole), *(_row(f"  {n}", t, whole) for n, t in self.modules.items())]
        return "\n".join(columns([HEADINGS, *rows], indent=""))


def _row(name: str, times: list[float], whole: float) -> tuple[str, ...]:
    mean = f"{fmean(times):.3f}" if times else ""
    return name, str(len(times)), mean, f"{sum(times):.3f}", f"{sum(times) / whole:.0%}" if whole else ""
