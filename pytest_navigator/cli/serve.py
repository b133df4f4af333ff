"""Serve a package over HTTP by the Open Inference Protocol (KServe's V2), which clients of Triton and KServe speak.

It runs until it is stopped (Ctrl-C, SIGTERM), and answers before that what was asked. Only what has passed correctness
is served. It has no passwords: whoever reaches the port may ask.
"""

from __future__ import annotations

import os
import warnings
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.cli import strategies
from pytest_navigator.errors import ConfigError, PackageError
from pytest_navigator.text import one_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from pytest_navigator.api.package import Package
    from pytest_navigator.deploy.protocol.metadata import ServedModel
    from pytest_navigator.deploy.recorded import RecordedRunner
    from pytest_navigator.deploy.serve.options import Arrays, Infer, Options


def add(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("package", type=Path, metavar="PACKAGE")
    parser.add_argument("--name", help="by which clients ask for the model (default: the package's)")
    parser.add_argument("--format", help="folder name of a format (default: that of the best runner)")
    parser.add_argument("--runner", help="name of a runner or its runtime (OnnxCPU, cpu)")
    parser.add_argument("--strategy", type=strategies.strategy, help=strategies.HELP)
    verified = "serve nothing that neither a verify_ test nor set_verified vouches for"
    parser.add_argument("--verified-only", action="store_true", help=verified)
    _add_server(parser)


def _add_server(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("server")
    group.add_argument("--host", default="127.0.0.1", help="address (default: 127.0.0.1, this machine alone)")
    group.add_argument("--port", type=int, default=8000, help="0: any that is free (default: 8000)")
    workers = "processes that run the model, each on requests of its own (default: 1)"
    group.add_argument("--workers", type=int, default=1, metavar="N", help=workers)
    threads = "of one inference, ONNX alone (default: what the package says, the processors shared by the workers)"
    group.add_argument("--threads", type=int, metavar="N", help=threads)
    size = "rows that are joined at most; 1: none (default: the largest batch that was measured)"
    group.add_argument("--max-batch-size", type=int, metavar="ROWS", help=size)
    delay = "how long the first request of a batch waits for others (default: 0, those that wait anyhow are joined)"
    group.add_argument("--batch-delay-ms", type=float, default=0.0, metavar="MS", help=delay)
    queue = "requests that may wait; others get 503 (default: 128)"
    group.add_argument("--queue-size", type=int, default=128, metavar="N", help=queue)
    largest = "size of the largest request; a larger one gets 413 (default: 64)"
    group.add_argument("--max-request-mb", type=int, default=64, metavar="MIB", help=largest)


def run(arguments: argparse.Namespace) -> int:
    """Serve it."""
    serve = _server()
    from pytest_navigator.deploy.recorded import RecordedRunner
    from pytest_navigator.deploy.serve import example
    from pytest_navigator.deploy.serve.chosen import runner_of_a_file, served_model

    wanted = {"strategies": arguments.strategy, "verified_only": arguments.verified_only}
    with _opened(arguments.package) as package, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        runner = runner_of_a_file(package, arguments.format, runtime=arguments.runner, **wanted)
        chosen = RecordedRunner.of(package.results, runner)
        model = served_model(package.results, runner, arguments.name, "--name")
    options = _options(arguments, chosen)
    inputs = example.zeros(model.signature, chosen.shapes)
    threads = _threads(arguments.threads, options.workers, runner.format)
    file = PackageAt.of(arguments.package)
    loading = partial(open_runner, file, runner.format, runner.runner_name, threads, inputs)

    def started(address: str) -> None:
        place = f"{address}/v2/models/{model.name}"
        notes = [f"note: {warning.message}" for warning in caught]
        lines = [f"{model.name}: {chosen.line()}", *notes, f"serving at {place}, {_how(model, options)}; for example:"]
        print(*map(one_line, lines), example.curl(place, inputs, model.signature), sep="\n", flush=True)

    serve(model, loading, options, started)
    return 0


@contextmanager
def open_runner(
    file: PackageAt, key: str, runner: str, threads: int | None, first: Arrays, folder: Path
) -> Iterator[Infer]:
    """Open a package in a worker; gives what runs one inference.

    Args:
        first: inputs of an inference whose outcome does not matter: for many runtimes the first one takes longest.

    Raises:
        PackageError: the file is another one than when the server started, or the runner is not to be had.
    """
    file.check()
    warnings.simplefilter("ignore", UserWarning)  # the server has said it
    opened = _opened(file.path, folder / "files")
    with opened as package, package.get_runner(key, runtime=runner, threads=threads) as active:
        with suppress(Exception):  # zeros may be nothing that the model takes
            active.infer(first)
        yield active.infer


@dataclass(frozen=True)
class PackageAt:
    """The file of a package, and what tells whether it is still the same."""

    path: Path
    state: tuple[int, ...]

    @classmethod
    def of(cls, path: Path) -> PackageAt:
        """Return the file as it is now."""
        return cls(path, cls._state(path))

    def check(self) -> None:
        """Raise PackageError if it is another file now: workers of one server run the same model."""
        if self._state(self.path) != self.state:
            raise PackageError(f"{self.path} was changed while it is served: start the server again")

    @staticmethod
    def _state(path: Path) -> tuple[int, ...]:
        found = path.stat()
        return found.st_ino, found.st_size, found.st_mtime_ns


def _server() -> Callable[..., None]:
    try:
        from pytest_navigator.deploy.serve.server import serve
    except ModuleNotFoundError as error:
        needed = "pip install 'pytest-navigator[serve]'"
        raise ConfigError(f"pytest-navigator serve needs {error.name}, which is not installed: {needed}") from None
    return serve


def _opened(path: Path, workdir: Path | None = None) -> Package:
    from pytest_navigator.api.loading import load

    return load(path, workdir=workdir)


def _threads(given: int | None, workers: int, key: str) -> int | None:
    """Return the threads of one inference: several workers share the processors, where we can say so."""
    if given is not None or workers == 1 or key != "onnx":
        return given
    return max(1, len(os.sched_getaffinity(0)) // workers)


def _how(model: ServedModel, options: Options) -> str:
    from pytest_navigator.deploy.serve.batches import batch_axis

    workers = f"{options.workers} worker{'s' * (options.workers > 1)}"
    joined = batch_axis(model.signature) is not None and options.max_batch_size > 1
    return f"{workers}, requests {f'joined up to {options.max_batch_size} rows' if joined else 'one by one'}"


def _options(arguments: argparse.Namespace, chosen: RecordedRunner) -> Options:
    from pytest_navigator.deploy.serve.options import Options

    names = {field.name for field in fields(Options)} & vars(arguments).keys()
    given = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    return Options(**{"max_batch_size": chosen.largest_batch, **given})
