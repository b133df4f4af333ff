"""What a pipeline takes, each way that it can run: the figures as plain data, the report and its text (pure)."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, Any

from pytest_navigator.core.plain import write_atomically
from pytest_navigator.profiling.figures import MARK, OFF, caveat, caveats, rounded, spread
from pytest_navigator.reporting.notebook import shown
from pytest_navigator.text import columns

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_navigator.core.records import ProfileResult

HEADER = b"# nav.profile\n"
"""The first line of a report."""

EAGER, BEST = "eager", "best"
HEADINGS = ("", "sample", "batch", "p50 ms", "p90 ms", "p99 ms", "infer/s", "speed-up")

# What Model Navigator's report has of one sample.
FIGURES = (
    *("batch_size", "avg_latency", "std_latency", "p50_latency", "p90_latency", "p95_latency", "p99_latency"),
    *("throughput", "request_count", "avg_gpu_clock"),
)


@dataclass(frozen=True)
class Way:
    """One way in which a pipeline can run, and what it took.

    Attributes:
        name: "eager", "best" (the chosen mix), or the format ("onnx").
        runner: Model Navigator's name of the runner; "" where it is not one for all.
        modules: name of a module -> what runs it: "onnx/OnnxCPU", "eager".
        samples: number of a sample -> its figures, latencies in ms a call of the pipeline, throughput in infer/s.
        times: name of a module -> ms of all its calls in one call of the pipeline with the first sample.
        whole: ms of that call.
        problem: why there are no figures; "" if there are.
    """

    name: str
    runner: str = ""
    modules: dict[str, str] = field(default_factory=dict)
    samples: dict[int, ProfileResult] = field(default_factory=dict)
    times: dict[str, float] = field(default_factory=dict)
    whole: float = 0.0
    problem: str = ""

    @property
    def title(self) -> str:
        """The format in its runner."""
        return f"{self.name}/{self.runner}" if self.runner else self.name

    @property
    def shares(self) -> dict[str, float]:
        """Name of a module -> its share of the pipeline's time, 0 to 1; one inside of another counts in both."""
        return {name: took / self.whole for name, took in self.times.items()} if self.whole else {}


@dataclass(frozen=True)
class PipelineProfile:
    """What `nav.profile` has measured; `print` shows it as a table.

    Attributes:
        ways: the eager pipeline first, then each format in its runner, then the chosen mix.
    """

    ways: tuple[Way, ...]

    def __str__(self) -> str:
        return "\n".join(text(self.ways))

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        return shown("nav.profile", HEADINGS, rows(self.ways), remarks(self.ways))

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data: `models` and `samples_data` are Model Navigator's, the rest is ours."""
        models: dict[str, Any] = {}
        for way in self.ways:
            runners = models.setdefault(way.name, {"runners": {}})["runners"]
            runners[way.runner or way.name] = _reported(way)
        sizes = {index: figures.batch_size for way in self.ways for index, figures in way.samples.items()}
        return {"models": models, "samples_data": {index: {"batch_size": size} for index, size in sizes.items()}}

    def to_file(self, path: str | Path) -> None:
        """Write the report as YAML; a file that is there is replaced, whole or not at all."""
        from pathlib import Path

        import yaml

        write_atomically(Path(path), HEADER + yaml.safe_dump(self.to_dict(), sort_keys=False).encode())


def _reported(way: Way) -> dict[str, Any]:
    figures = {index: {name: getattr(found, name) for name in FIGURES} for index, found in way.samples.items()}
    return {
        "status": "FAIL" if way.problem else "OK",
        "detailed": figures,
        **({"message": way.problem} if way.problem else {}),
        "modules": way.modules,
        "share_of_time": {name: round(share, 4) for name, share in way.shares.items()},
    }


def text(ways: Sequence[Way]) -> list[str]:
    """Return the lines that people read."""
    measured = rows(ways)
    return [*(columns([HEADINGS, *measured], indent="") if measured else []), *remarks(ways)]


def rows(ways: Sequence[Way]) -> list[tuple[str, ...]]:
    """Return what stands below `HEADINGS`."""
    eager = next((way for way in ways if way.name == EAGER), None)
    return [row for way in ways for row in _rows(way, eager)]


def remarks(ways: Sequence[Way]) -> list[str]:
    """Return what there is to say beside: the mix, the shares of the time, what failed or was disturbed."""
    return [*_mix(ways), *_shares(ways), *_notes(ways)]


def speed_up(way: Way, eager: Way | None) -> float | None:
    """Return how many times faster than the eager pipeline a way is, the mean over samples; None: not known."""
    if eager is None:
        return None
    common = [(eager.samples[index], found) for index, found in way.samples.items() if index in eager.samples]
    ratios = [old.p50_latency / new.p50_latency for old, new in common if new.p50_latency]
    return fmean(ratios) if ratios else None


def _rows(way: Way, eager: Way | None) -> list[tuple[str, ...]]:
    lines = []
    for index, found in way.samples.items():
        off, mark = spread(found), MARK if caveat(found) else ""
        latencies = [f"{rounded(ms, off)}{mark}" for ms in (found.p50_latency, found.p90_latency, found.p99_latency)]
        one = Way(way.name, samples={index: found})
        gain = speed_up(one, eager) if way is not eager else None
        size = "" if found.batch_size is None else str(found.batch_size)
        faster = f"{rounded(gain, OFF)}x" if gain is not None else ""
        lines.append((way.title, str(index), size, *latencies, f"{rounded(found.throughput, off)}{mark}", faster))
    return lines


def _mix(ways: Sequence[Way]) -> list[str]:
    best = next((way for way in ways if way.name == BEST and way.modules), None)
    return [f"best: {', '.join(f'{name} {runs}' for name, runs in best.modules.items())}"] if best else []


def _shares(ways: Sequence[Way]) -> list[str]:
    return [
        f"share of the time, {way.title}: " + ", ".join(f"{name} {share:.0%}" for name, share in way.shares.items())
        for way in ways
        if way.shares and way.name in (EAGER, BEST)
    ]


def _notes(ways: Sequence[Way]) -> list[str]:
    failed = [f"{way.title}: {way.problem}" for way in ways if way.problem]
    told = [
        f"{way.title}, sample {index}: {note}"
        for way in ways
        for index, found in way.samples.items()
        if (note := caveat(found))
    ]
    return [*failed, *(f"note: {note}" for note in caveats(told))]
