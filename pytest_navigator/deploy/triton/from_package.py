"""A package -> a version of a model in a repository."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_navigator.deploy.recorded import RecordedRunner
from pytest_navigator.deploy.triton.adding import shared_files
from pytest_navigator.deploy.triton.chosen import chosen
from pytest_navigator.deploy.triton.configured import configured
from pytest_navigator.deploy.triton.contents import contents
from pytest_navigator.deploy.triton.deployed import Deployed
from pytest_navigator.deploy.triton.files import digest
from pytest_navigator.deploy.triton.message import config_text
from pytest_navigator.deploy.triton.record import Origin
from pytest_navigator.deploy.triton.repository import Version, add, check_named
from pytest_navigator.deploy.triton.served import backend
from pytest_navigator.devices import built_with as bound

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_navigator.deploy.triton.chosen import Choice, Wish
    from pytest_navigator.deploy.triton.configured import Target
    from pytest_navigator.deploy.triton.model_config import ModelConfig
    from pytest_navigator.package.container.reader import PackageFile
    from pytest_navigator.package.query.results import Results


@dataclass(frozen=True)
class Deployment:
    """What was written.

    Attributes:
        path: the model's folder.
        notices: what whoever deployed it has to know.
    """

    path: Path
    version: int
    config: ModelConfig
    origin: Origin
    notices: tuple[str, ...]


def add_from_package(package: PackageFile, results: Results, wish: Wish, target: Target) -> Deployment:
    """Write what is chosen of a package as a version of a model.

    Args:
        results: of the package, with what was noted since it was opened.

    Raises:
        ConfigError: a value of the target is not possible.
        PackageError: there is no such format or runner, it did not pass, is not verified, or is not in the package.
        DeploymentError: Triton cannot serve it, or it cannot be written. Nothing of it is left then.
    """
    check_named(target.name, target.version)
    found = chosen(package, results, wish)
    deployed = Deployed.of(package, results, found)
    served = backend(deployed)
    config, shared = configured(deployed, served, target)
    version = Version(
        target.name,
        target.version,
        config_text(target.name, config),
        contents(deployed, config),
        {**shared, **shared_files(replace(config, warmup={}))} if shared else shared_files(config),
        origin_of(package, results, found),
    )
    path = add(target.repository, version, overwrite=target.overwrite)
    noted = (*found.notices, *_bound(results, found), *served.notices, *notices(config, deployed.unbatched))
    return Deployment(path, target.version, config, version.origin, noted)


def origin_of(package: PackageFile, results: Results, found: Choice) -> Origin:
    """Return what is recorded of where a version came from."""
    key, runner = found.variant.key, found.runner.name
    figure = found.figure
    return Origin(
        package.path.name,
        digest(package.path) if package.path.is_file() else "",
        key,
        runner,
        found.runner.device,
        RecordedRunner(results, key, runner).tolerance,
        figure.p50_latency if figure else None,
        figure.batch_size if figure else None,
        figure.caveat if figure else "",
        results.verified(key, runner),
    )


def _bound(results: Results, found: Choice) -> list[str]:
    """Return what the machine of the server has to be; which one that is, nobody knows here."""
    key = found.variant.key
    made = results.made(key)
    built = bound.recorded(made, key) if made else None
    return [f"{key} runs only where the server has the same: it was {bound.told(built)}"] if built else []


def notices(config: ModelConfig, unbatched: str) -> list[str]:
    """Return what whoever deploys it has to know of a configuration.

    Args:
        unbatched: why requests are not joined, "" if they are.
    """
    found = [f"requests are not joined into batches: {unbatched}"] if unbatched else []
    threads = config.parameters.get("intra_op_thread_count")
    if threads == 0 and sum(group.count or 1 for group in config.instance_groups) > 1:
        found.append("each instance has threads for every core, as it was measured alone: several are slower than that")
    return found
