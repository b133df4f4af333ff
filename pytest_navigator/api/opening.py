"""How a process that runs a model for a server opens its package: our own server's worker, or a replica of Ray's."""

from __future__ import annotations

import warnings
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_navigator.api.loading import load
from pytest_navigator.backends.builtin import written_as
from pytest_navigator.errors import PackageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_navigator.api.package import Package
    from pytest_navigator.deploy.serve.options import Infer
    from pytest_navigator.package.query.results import Results
    from pytest_navigator.package.running.runner import PackageRunner


@dataclass(frozen=True)
class Place:
    """Where a process finds its model.

    Attributes:
        path: of the package, on every machine.
        digest: of the format's file, "" where the package does not say it.
        kind: the name of the format, where `format` is the key of its folder.
        otherwise: what people are to do if it is another one there.
    """

    path: Path
    format: str
    runner: str
    digest: str
    otherwise: str
    kind: str = ""

    @classmethod
    def of(cls, package: Package, runner: PackageRunner, otherwise: str) -> Place:
        """Return the place of a runner of an open package."""
        digest = _digest(package.results, runner.format)
        kind = package.results.variant(runner.format).format
        return cls(package.path.resolve(), runner.format, runner.runner_name, digest, otherwise, kind)


@contextmanager
def opened_runner(place: Place, threads: int | None, folder: Path) -> Iterator[Infer]:
    """Open a package; gives what runs one inference.

    Args:
        folder: where its files are extracted.

    Raises:
        PackageError: there is no such package or runner, or another package than when the place was noted.
    """
    from pytest_navigator.deploy.recorded import RecordedRunner
    from pytest_navigator.deploy.serve import example

    warnings.simplefilter("ignore", UserWarning)  # who noted the place was warned
    with load(place.path, workdir=folder / "files") as package:
        if _digest(package.results, place.format) != place.digest:
            raise PackageError(f"{place.path} was changed, it has another {place.format} now: {place.otherwise}")
        with package.get_runner(place.format, runtime=place.runner, threads=threads) as active:
            shapes = RecordedRunner.of(package.results, active).shapes
            with suppress(Exception):  # zeros may be nothing that the model takes; the first inference takes longest
                active.infer(example.zeros(active.signature, shapes))
            yield active.infer


def threads_of(given: int | None, format: str, processors: int | None) -> int | None:
    """Return the threads of one inference of a format: those of the process's processors, where we can say so."""
    return processors if given is None and written_as(format) == "onnx" else given


def _digest(results: Results, key: str) -> str:
    step = results.made(key)
    return step.digest_of(key) if step else ""
