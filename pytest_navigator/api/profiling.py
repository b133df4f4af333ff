"""The runners of a package, measured in this process on samples of the caller's: `nav.package.profile`."""

from __future__ import annotations

import tempfile
import warnings
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from pytest_navigator.configuration.batch_search import Search
from pytest_navigator.core.plain import write_atomically
from pytest_navigator.errors import InputError, PackageError
from pytest_navigator.isolation.causes import error_line
from pytest_navigator.package.query import verdict
from pytest_navigator.package.running import artifacts
from pytest_navigator.profiling.measuring import measure
from pytest_navigator.samples.npz import load_npz
from pytest_navigator.samples.reading import batch_size as rows_of
from pytest_navigator.samples.reading import each_sample
from pytest_navigator.samples.signatures import resized

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import numpy as np

    from pytest_navigator.api.package import Package
    from pytest_navigator.configuration.profile_config import OptimizationProfile
    from pytest_navigator.core.records import ProfileResult, Signature
    from pytest_navigator.package.query.asked import Asked
    from pytest_navigator.package.query.choice import Cell
    from pytest_navigator.package.running.runner import PackageRunner

    Feed = dict[str, np.ndarray]

SECONDS = 10.0  # Limit of one measurement, as that of an item of a run


@dataclass(frozen=True)
class ProfilingResult:
    """The figures of a runner for one sample in one batch size: latencies in ms, throughput in infer/s."""

    batch_size: int | None
    avg_latency: float
    std_latency: float
    p50_latency: float
    p90_latency: float
    p95_latency: float
    p99_latency: float
    throughput: float
    request_count: int

    @classmethod
    def of(cls, result: ProfileResult) -> ProfilingResult:
        """Take what people read of a measurement."""
        return cls(**{field.name: getattr(result, field.name) for field in fields(cls)})


@dataclass(frozen=True)
class RunnerProfilingResults:
    """What became of a runner.

    Attributes:
        status: "OK" or "FAIL".
        detailed: number of the sample -> its figures, one a batch size.
        message: why it failed.
    """

    status: str
    detailed: dict[int, list[ProfilingResult]]
    message: str = ""


@dataclass(frozen=True)
class RunnerResults:
    """The runners of a format, by name."""

    runners: dict[str, RunnerProfilingResults]


@dataclass(frozen=True)
class ProfilingResults:
    """What `nav.package.profile` has measured.

    Attributes:
        models: folder name of a format -> its runners.
        samples_data: number of a sample -> name of an input -> its shape and type.
    """

    models: dict[str, RunnerResults]
    samples_data: dict[int, dict[str, dict[str, Any]]]

    def to_dict(self) -> dict[str, Any]:
        """Return the results as plain data."""
        return asdict(self)

    def to_file(self, path: str | Path) -> None:
        """Write the results as YAML; a file that is there is replaced."""
        write_atomically(Path(path), yaml.safe_dump(self.to_dict(), sort_keys=False).encode())


def profiled(package: Package, loader: object, asked: Asked, config: OptimizationProfile) -> ProfilingResults:
    """Measure the runners that are asked for; raises what `nav.package.profile` does."""
    signature, cells = package.results.signature, _cells(package, asked)
    if signature is None or not cells:
        raise PackageError(f"{package.path}: none of its runners passed correctness and can run here")
    feeds = [_stored(package, signature)] if loader is None else list(_given(package, loader, cells[0]))
    found: dict[str, dict[str, RunnerProfilingResults]] = {}
    for key, name in cells:
        found.setdefault(key, {})[name] = _measured(package, (key, name), feeds, config, own=loader is None)
    data = {i: {n: {"shape": list(a.shape), "dtype": str(a.dtype)} for n, a in f.items()} for i, f in enumerate(feeds)}
    return ProfilingResults({key: RunnerResults(runners) for key, runners in found.items()}, data)


def _cells(package: Package, asked: Asked) -> list[Cell]:
    results = package.results
    asked.check([results])
    return [cell for cell in results.cells() if asked.takes(results, cell) and _ready(package, cell)]


def _ready(package: Package, cell: Cell) -> bool:
    live = package.has_source
    return verdict.passed(package.results, *cell) and artifacts.usable(package.file, package.results, *cell, live=live)


def _stored(package: Package, signature: Signature) -> Feed:
    """Return the sample of the package that its own figures are of.

    Raises:
        PackageError: the samples were left out of it.
    """
    facts = package.results.source_facts
    name = facts.timed_batch or facts.profiling_batch
    if name not in package.file.files():
        raise PackageError(f"{package.path} has no samples: give nav.package.profile a dataloader")
    with tempfile.TemporaryDirectory(prefix="pytest_navigator.") as folder:
        (path,) = package.file.extract([name], Path(folder))
        return load_npz(path, signature.inputs)


def _given(package: Package, loader: object, cell: Cell) -> Iterator[Feed]:
    runner = _runner(package, cell)
    for index, sample in enumerate(each_sample(loader)):
        try:
            yield runner.feed(sample)
        except InputError as error:
            raise InputError(f"sample {index} of the dataloader: {error}") from None


def _measured(
    package: Package, cell: Cell, feeds: Sequence[Feed], config: OptimizationProfile, *, own: bool
) -> RunnerProfilingResults:
    try:
        with _runner(package, cell) as runner:
            return RunnerProfilingResults(
                "OK", {i: _figures(runner, feed, config, own=own) for i, feed in enumerate(feeds)}
            )
    except Exception as error:  # of whatever the runtime raises: the other runners are measured all the same
        return RunnerProfilingResults("FAIL", {}, error_line(error))


def _runner(package: Package, cell: Cell) -> PackageRunner:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of another machine: what it takes here is what is asked
        return package.get_runner(cell[0], runtime=cell[1])


def _figures(runner: PackageRunner, feed: Feed, config: OptimizationProfile, *, own: bool) -> list[ProfilingResult]:
    if runner.signature.batch_dim is None:
        return [_timed(runner, feed, None, config)]
    if config.max_batch_size is not None and config.batch_sizes is None:
        return _searched(runner, feed, config)
    rows = _rows(runner.signature, feed)
    sizes: Iterable[int | None] = config.sizes() or dict.fromkeys([1, rows] if own and rows else [rows])
    return [_timed(runner, feed, size, config) for size in sizes]


def _searched(runner: PackageRunner, feed: Feed, config: OptimizationProfile) -> list[ProfilingResult]:
    search = Search(config.max_batch_size, config.throughput_cutoff_threshold, config.throughput_backoff_limit)
    found: list[ProfilingResult] = []
    for size in search.sizes():
        found.append(_timed(runner, feed, size, config))
        if search.saturated([each.throughput for each in found]):
            break
    return found


def _rows(signature: Signature, feed: Feed) -> int | None:
    return rows_of(feed, signature.batch_dim, [spec.name for spec in signature.inputs if not spec.batched])


def _timed(runner: PackageRunner, feed: Feed, size: int | None, config: OptimizationProfile) -> ProfilingResult:
    signature = runner.signature
    batch = feed if size is None else resized(feed, signature.inputs, signature.batch_dim, size)
    found = measure(lambda: runner.infer(batch), config.windows(), batch_size=size, seconds=SECONDS)
    return ProfilingResult.of(found)
