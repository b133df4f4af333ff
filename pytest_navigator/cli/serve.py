"""Serve a package over HTTP by the Open Inference Protocol (KServe's V2), which clients of Triton and KServe speak.

It runs until it is stopped (Ctrl-C, SIGTERM), and answers before that what was asked. Only what has passed correctness
is served. It has no passwords: whoever reaches the port may ask.
"""

from __future__ import annotations

import os
import warnings
from dataclasses import fields
from functools import partial
from typing import TYPE_CHECKING

from pytest_navigator.cli import strategies
from pytest_navigator.cli.fetched import package as package_path
from pytest_navigator.errors import ConfigError
from pytest_navigator.package.zip.archive import is_bundle
from pytest_navigator.text import one_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable
    from pathlib import Path

    from pytest_navigator.api.package import Package
    from pytest_navigator.deploy.protocol.metadata import ServedModel
    from pytest_navigator.deploy.recorded import RecordedRunner
    from pytest_navigator.deploy.serve.options import Options


def add(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("package", type=package_path, metavar="PACKAGE")
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
    if is_bundle(arguments.package):
        _opened(arguments.package)  # which says what to do, before anything is installed for it in vain
    serve = _server()
    from pytest_navigator.api.opening import Place, opened_runner, threads_of
    from pytest_navigator.deploy.recorded import RecordedRunner
    from pytest_navigator.deploy.serve import example
    from pytest_navigator.deploy.serve.chosen import passed_over, runner_of_a_file, served_model

    wanted = {"strategies": arguments.strategy, "verified_only": arguments.verified_only}
    with _opened(arguments.package) as package, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        runner = runner_of_a_file(package, arguments.format, runtime=arguments.runner, **wanted)
        chosen = RecordedRunner.of(package.results, runner)
        model = served_model(package.results, runner, arguments.name, "--name")
        asked = arguments.format or arguments.runner or arguments.strategy
        over = [] if asked else passed_over(package.results, chosen, verified_only=arguments.verified_only)
        place = Place.of(package, runner, "start the server again")
    chosen.check_largest(arguments.max_batch_size, "--max-batch-size")
    options = _options(arguments, chosen)
    inputs = example.zeros(model.signature, chosen.shapes)
    loading = partial(opened_runner, place, threads_of(arguments.threads, place.kind, _processors(options.workers)))

    def started(address: str) -> None:
        url = f"{address}/v2/models/{model.name}"
        notes = [f"note: {text}" for text in (*over, *(warning.message for warning in caught))]
        lines = [
            f"{model.name}: {chosen.line()}",
            *notes,
            f"serving at {url}, {_how(model, options)}; for example:",
        ]
        print(*map(one_line, lines), example.curl(url, inputs, model.signature), sep="\n", flush=True)

    serve(model, loading, options, started)
    return 0


def _server() -> Callable[..., None]:
    try:
        from pytest_navigator.deploy.serve.server import serve
    except ModuleNotFoundError as error:
        needed = "pip install 'pytest-navigator[serve]'"
        raise ConfigError(f"pytest-navigator serve needs {error.name}, which is not installed: {needed}") from None
    return serve


def _opened(path: Path) -> Package:
    from pytest_navigator.api.loading import load

    return load(path)


def _processors(workers: int) -> int | None:
    """Return how many one of several workers has, which share them; None: all."""
    return None if workers == 1 else max(1, len(os.sched_getaffinity(0)) // workers)


def _how(model: ServedModel, options: Options) -> str:
    from pytest_navigator.deploy.batches import batch_axis

    workers = f"{options.workers} worker{'s' * (options.workers > 1)}"
    joined = batch_axis(model.signature) is not None and options.max_batch_size > 1
    return f"{workers}, requests {f'joined up to {options.max_batch_size} rows' if joined else 'one by one'}"


def _options(arguments: argparse.Namespace, chosen: RecordedRunner) -> Options:
    from pytest_navigator.deploy.serve.options import Options

    names = {field.name for field in fields(Options)} & vars(arguments).keys()
    given = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    return Options(**{"max_batch_size": chosen.largest_batch, **given})
