"""Write a package, or an ONNX file, into a model repository of Triton: the model with its config.pbtxt.

Of a package the best runner that passed correctness is taken, unless --format, --runner or --strategy say another.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_navigator.cli import strategies
from pytest_navigator.cli.fetched import package as package_path
from pytest_navigator.errors import ConfigError
from pytest_navigator.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_navigator.deploy.triton.configured import Target
    from pytest_navigator.deploy.triton.from_package import Deployment

# What is asked of a package, and cannot be asked of a file.
OF_PACKAGES = {"format": None, "runner": None, "strategy": None, "verified_only": False, "warmup": False}


def add(parser: argparse.ArgumentParser) -> None:
    """Describe the arguments."""
    parser.add_argument("source", type=package_path, metavar="SOURCE", help="a .nav package, or an .onnx file")
    parser.add_argument("-r", "--repository", type=Path, required=True, metavar="DIR", help="the model repository")
    parser.add_argument("--name", help="of the model there (default: the package's, or that of the file)")
    parser.add_argument("--version", type=_from(1), default=1, metavar="N", help="of the model (default: 1)")
    force = "replace the version if it is there, and a configuration that the other versions share"
    parser.add_argument("-f", "--force", action="store_true", help=force)
    _add_choice(parser.add_argument_group("what of a package"))
    _add_configuration(parser.add_argument_group("config.pbtxt"))


def _add_choice(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--format", help="folder name of a format")
    group.add_argument("--runner", help="name of a runner or its runtime (OnnxCPU, cpu)")
    group.add_argument("--strategy", type=strategies.strategy, help=strategies.HELP)
    verified = "nothing that neither a verify_ test nor set_verified vouches for"
    group.add_argument("--verified-only", action="store_true", help=verified)


def _add_configuration(group: argparse._ArgumentGroup) -> None:
    instances = "how many run on a device, cpu=2 or gpu=1 (default: one, where it was measured)"
    group.add_argument("--instances", type=_instances, action="append", metavar="DEVICE=N", help=instances)
    largest = "rows of the largest batch; 0: no batches (default: the largest that was measured)"
    group.add_argument("--max-batch-size", type=_from(0), metavar="ROWS", help=largest)
    batching = "whether requests that wait are joined (default: on)"
    group.add_argument("--dynamic-batching", nargs="?", const="on", default="on", choices=("on", "off"), help=batching)
    preferred = "sizes of batches that are worth waiting for: 4,8"
    group.add_argument("--preferred-batch-sizes", type=_numbers, metavar="ROWS,...", help=preferred)
    delay = "how long a request waits for others, in microseconds (default: 0)"
    group.add_argument("--max-queue-delay-us", type=_from(0), default=0, metavar="US", help=delay)
    warmup = "send the sample that was timed before the model is ready"
    group.add_argument("--warmup", action="store_true", help=warmup)
    cache = "cache answers (the server needs --cache-config)"
    group.add_argument("--response-cache", action="store_true", help=cache)
    served = "which versions are served: all, or how many of the latest (default: 1)"
    group.add_argument("--serve-versions", type=_versions, metavar="all|N", help=served)


def run(arguments: argparse.Namespace) -> int:
    """Write it, and print what was written and from what."""
    done = _from_file(arguments) if _is_onnx(arguments.source) else _from_package(arguments)
    print(*map(one_line, lines(done)), sep="\n")
    return 0


def lines(done: Deployment) -> list[str]:
    """Return what was written, from what, and what has to be known of it."""
    origin, config = done.origin, done.config
    batches = f"batches of up to {config.max_batch_size}" if config.batching else "no batches"
    groups = ", ".join(f"{group.count} on {str(group.kind).removeprefix('KIND_')}" for group in config.instance_groups)
    instances = f", instances: {groups}" if groups else ""
    return [
        f"{done.path / str(done.version)}: {config.backend} backend, {batches}{instances}",
        f"from: {origin.source}{_measured(done)}",
        *(f"note: {notice}" for notice in done.notices),
    ]


def _measured(done: Deployment) -> str:
    from pytest_navigator.deploy.recorded import in_words

    origin = done.origin
    if not origin.format:
        return ", which no run has checked"
    said = in_words(f"{origin.format} on {origin.runner}", origin.tolerance, origin.latency, origin.batch_size)
    return f": {said}{', verified' if origin.verified else ''}"


def _is_onnx(path: Path) -> bool:
    return path.suffix == ".onnx"


def _from_package(arguments: argparse.Namespace) -> Deployment:
    from pytest_navigator.deploy.triton.chosen import Wish
    from pytest_navigator.deploy.triton.from_package import add_from_package
    from pytest_navigator.package.container.reader import open_package

    wish = Wish(arguments.format, arguments.runner, None, arguments.strategy, arguments.verified_only)
    with open_package(arguments.source) as package:
        results = package.results
        return add_from_package(package, results, wish, _target(arguments, results.suite.name))


def _from_file(arguments: argparse.Namespace) -> Deployment:
    from pytest_navigator.deploy.triton.from_file import add_from_file

    for name, unsaid in OF_PACKAGES.items():
        if getattr(arguments, name) != unsaid:
            option = name.replace("_", "-")
            raise ConfigError(f"--{option} is of a package; {arguments.source} is a file that no run has checked")
    return add_from_file(arguments.source, _target(arguments, arguments.source.stem))


def _target(arguments: argparse.Namespace, called: str) -> Target:
    from pytest_navigator.deploy.names import name_of
    from pytest_navigator.deploy.triton.configured import Target

    return Target(
        arguments.repository,
        name_of(called) if arguments.name is None else arguments.name,
        arguments.version,
        arguments.force,
        arguments.response_cache,
        arguments.warmup,
        _merged(arguments.instances),
        _fields(arguments),
    )


def _fields(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the fields of a configuration that were asked for."""
    from pytest_navigator.deploy.triton.batching import DynamicBatcher

    preferred, delay = arguments.preferred_batch_sizes, arguments.max_queue_delay_us
    on = arguments.dynamic_batching == "on"
    if not on and (preferred or delay):
        raise ConfigError("--preferred-batch-sizes and --max-queue-delay-us are of --dynamic-batching=on")
    found = {"max_batch_size": arguments.max_batch_size or None, "version_policy": arguments.serve_versions}
    fields = {name: value for name, value in found.items() if value is not None}
    if arguments.max_batch_size == 0:
        return {**fields, "batching": False}
    largest, most = max(preferred or [0]), arguments.max_batch_size
    if most and largest > most:
        raise ConfigError(f"--preferred-batch-sizes={largest} is above --max-batch-size={most}")
    return {**fields, "batcher": DynamicBatcher(delay, preferred) if on else None}


def _from(least: int) -> Callable[[str], int]:
    """Return what reads a whole number from `least` on."""

    def read(text: str) -> int:
        if not text.isdecimal() or int(text) < least:
            raise argparse.ArgumentTypeError(f"{text}: a whole number from {least} on is needed")
        return int(text)

    return read


def _merged(instances: Sequence[dict[str, int]] | None) -> dict[str, int] | None:
    """Return the instances of every device.

    Raises:
        ConfigError: a device is named twice.
    """
    found: dict[str, int] = {}
    for device, count in (item for each in instances or () for item in each.items()):
        if device in found:
            raise ConfigError(f"--instances={device}={count}: {device}={found[device]} was said before")
        found[device] = count
    return found or None


def _instances(text: str) -> dict[str, int]:
    device, _, count = text.partition("=")
    if device not in ("cpu", "gpu") or not count.isdecimal() or int(count) < 1:
        raise argparse.ArgumentTypeError(f"{text}: a device with a number is needed, cpu=2 or gpu=1")
    return {device: int(count)}


def _numbers(text: str) -> list[int]:
    parts = text.split(",")
    if not all(part.strip().isdecimal() and int(part) for part in parts):
        raise argparse.ArgumentTypeError(f"{text}: whole numbers from 1 on are needed, like 4,8")
    return [int(part) for part in parts]


def _versions(text: str) -> str | int:
    if text != "all" and not (text.isdecimal() and int(text)):
        raise argparse.ArgumentTypeError(f"{text}: all, or a number from 1 on is needed")
    return text if text == "all" else int(text)
