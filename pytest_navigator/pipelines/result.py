"""What `nav.optimize` has made of a pipeline: plain data, and its text (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_navigator.profiling.figures import caveats, milliseconds, times
from pytest_navigator.reporting.notebook import shown
from pytest_navigator.text import columns, one_line

if TYPE_CHECKING:
    from pytest_navigator.pipelines.choice import Choice

HEADINGS = ("module", "calls", "eager ms", "chosen ms", "runs", "why")


@dataclass(frozen=True)
class PipelineResult:
    """What became of a pipeline; `print` shows it as a table.

    Attributes:
        choices: of each graph of each module.
        calls: name of a module -> how many calls it had on the samples.
        samples: how many samples the pipeline ran on.
        eager_ms, optimized_ms: what a call of the whole pipeline takes, ms, the median of all samples: as it is, and
            with what was chosen; None where nothing was.
        caveat: what a reader of these figures must know; "" for nothing.
        notes: what a reader must know beside.
    """

    choices: tuple[Choice, ...]
    calls: dict[str, int]
    samples: int
    eager_ms: float | None = None
    optimized_ms: float | None = None
    notes: tuple[str, ...] = ()
    caveat: str = ""

    def __str__(self) -> str:
        return "\n".join(self.summary())

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        return shown(self._whole(), HEADINGS, map(self._row, self.choices), [f"note: {note}" for note in self.notes])

    @property
    def chosen(self) -> dict[str, str]:
        """Name of a graph -> what runs it: "onnx/OnnxCPU"; those that stay as they are are left out."""
        return {each.graph: f"{each.format}/{each.runner}" for each in self.choices if each.format}

    @property
    def eager(self) -> dict[str, str]:
        """Name of a graph that stays as it is -> why."""
        return {each.graph: each.reason for each in self.choices if not each.format}

    def summary(self) -> list[str]:
        """Return the table, and what there is to say of the whole pipeline, as lines."""
        rows = [HEADINGS, *(self._row(each) for each in self.choices)]
        told = [f"{each.graph}: {each.caveat}" for each in self.choices if each.caveat]
        notes = [*caveats([*told, *([f"the whole: {self.caveat}"] if self.caveat else [])]), *self.notes]
        return [*columns(rows), self._whole(), *(f"note: {one_line(note)}" for note in notes)]

    def _row(self, choice: Choice) -> tuple[str, ...]:
        runs = f"{choice.format}/{choice.runner}" if choice.format else "eager"
        calls = str(self.calls.get(choice.module, 0))
        figures = (_ms(ms, choice.spread, choice.caveat) for ms in (choice.eager_ms, choice.chosen_ms))
        return choice.graph, calls, *figures, runs, one_line(choice.reason)

    def _whole(self) -> str:
        what = f"the whole pipeline, {self.samples} sample{'s' if self.samples != 1 else ''}"
        eager, optimized = (_ms(ms, 0, self.caveat) for ms in (self.eager_ms, self.optimized_ms))
        if not self.chosen:
            return f"{what}: {eager} ms, eager: nothing is swapped in"
        assert self.eager_ms
        assert self.optimized_ms
        gain = f"{times(self.eager_ms, self.optimized_ms)} as fast"
        return (
            f"{what}: eager {eager} ms, optimized {optimized} ms, {gain}; it gives the same. "
            "nav.load_optimized() swaps the formats in"
        )


def _ms(value: float | None, spread: float, caveat: str) -> str:
    return "" if value is None else milliseconds(value, spread, marked=bool(caveat))
