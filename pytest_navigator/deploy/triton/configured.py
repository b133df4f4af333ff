"""The configuration of a format of a package: what its records say, and what is asked of it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from pytest_navigator.deploy.batches import check_largest, largest_batch
from pytest_navigator.deploy.triton.batching import DynamicBatcher
from pytest_navigator.deploy.triton.samples import warm_ups
from pytest_navigator.deploy.triton.tensors import InputTensorSpec, OutputTensorSpec
from pytest_navigator.deploy.triton.values import DeviceKind, InstanceGroup
from pytest_navigator.errors import ConfigError, DeploymentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pytest_navigator.core.records import TensorSpec
    from pytest_navigator.deploy.triton.deployed import Deployed
    from pytest_navigator.deploy.triton.files import Files
    from pytest_navigator.deploy.triton.model_config import ModelConfig
    from pytest_navigator.deploy.triton.served import Backend

# Device of a runner -> where its instances run.
KINDS = {"cpu": DeviceKind.KIND_CPU, "cuda": DeviceKind.KIND_GPU}
NAMES = {"cpu": DeviceKind.KIND_CPU, "gpu": DeviceKind.KIND_GPU, "cuda": DeviceKind.KIND_GPU}


@dataclass(frozen=True)
class Target:
    """Where a version goes, and what is asked of it.

    Attributes:
        instances: device ("cpu", "gpu") -> how many, None: one on the device that it was measured on.
        fields: of the configuration, in place of what is found.
        largest: rows of the largest batch, of a model that has batches; None: the largest that was measured.
    """

    repository: Path
    name: str
    version: int = 1
    overwrite: bool = False
    response_cache: bool = False
    warmup: bool = False
    instances: Mapping[str, int] | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    largest: int | None = None


def configured(deployed: Deployed, served: Backend, target: Target) -> tuple[ModelConfig, Files]:
    """Return the configuration, and the files of its warm-ups.

    Raises:
        ConfigError: a value that is asked for is not possible.
        DeploymentError: Triton has no name for a type, or the package no sample for a warm-up.
    """
    check_size(target, deployed.unbatched)
    tensors = served.tensors
    check_names(target, {"inputs": tensors.inputs, "outputs": tensors.outputs})
    batching = not deployed.unbatched and target.fields.get("batching", True)
    measured = largest_batch(deployed.results, deployed.chosen.variant.key, deployed.chosen.runner.name)
    asked = target.fields.get("max_batch_size", target.largest)
    check_largest(deployed.results, deployed.chosen.variant.key, asked, "max_batch_size")
    size = target.fields.get("max_batch_size", measured if target.largest is None else target.largest)
    values: dict[str, Any] = {
        "batching": batching,
        "max_batch_size": size if batching else 0,
        "inputs": specs(InputTensorSpec, tensors.inputs, batching=batching),
        "outputs": specs(OutputTensorSpec, tensors.outputs, batching=batching),
        "instance_groups": _instances(deployed, target.instances),
        "response_cache": target.response_cache,
        **served.fields,
    }
    shared: Files = {}
    if target.warmup:
        sizes = (1, size) if batching else ()
        values["warmup"], shared = warm_ups(deployed.package, deployed.results, tensors, sizes)
    return made(served.config, {**values, **target.fields}), shared


def check_size(target: Target, unbatched: str) -> None:
    """Raise ConfigError where a size of batches is asked for of a model that takes none."""
    batcher = target.fields.get("batcher")
    preferred = batcher.preferred_batch_size if isinstance(batcher, DynamicBatcher) else None
    asked = {"max_batch_size": target.fields.get("max_batch_size"), "preferred_batch_size": preferred}
    for name, value in asked.items():
        if unbatched and value:
            raise ConfigError(f"{name}={value!r}: {unbatched}")


def check_names(target: Target, own: Mapping[str, Iterable[TensorSpec]]) -> None:
    """Raise ConfigError where a configuration names other inputs or outputs than there are."""
    for what, tensors in own.items():
        names = sorted(spec.name for spec in tensors)
        said = sorted(spec.name for spec in target.fields.get(what, ()))
        if said and said != names:
            raise ConfigError(f"config: its {what} are {', '.join(said)}, those of the model are {', '.join(names)}")


def made(kind: type[ModelConfig], values: Mapping[str, Any]) -> ModelConfig:
    """Return a configuration with these fields.

    Raises:
        ConfigError: the backend has no such field, or a value is not possible.
    """
    known = {each.name for each in fields(kind)}
    if strangers := sorted(values.keys() - known):
        raise ConfigError(f"config: {kind.__name__} has no {strangers[0]}")
    return kind(**values)


def specs(kind: Any, tensors: Iterable[TensorSpec], *, batching: bool) -> list[Any]:
    """Return tensors as a configuration has them: without the batch axis where there is batching.

    Raises:
        DeploymentError: Triton has no name for a type, or an axis is of size 0.
    """
    try:
        # A number without an axis is an axis of one where there is no batch axis: a Python model takes it so.
        shapes = [(spec, spec.shape[1:] if batching else spec.shape or (1,)) for spec in tensors]
        return [kind(spec.name, shape, spec.dtype) for spec, shape in shapes]
    except ConfigError as error:
        raise DeploymentError(f"Triton cannot serve it: {error}") from error


def groups(instances: Mapping[str, int]) -> list[InstanceGroup]:
    """Return instances by device as groups.

    Raises:
        ConfigError: there is no such device, or the number is not possible.
    """
    if strangers := instances.keys() - NAMES.keys():
        raise ConfigError(f"instances of {min(strangers)!r}: {', '.join(NAMES)} are possible")
    return [InstanceGroup(NAMES[device], count) for device, count in instances.items()]


def _instances(deployed: Deployed, asked: Mapping[str, int] | None) -> list[InstanceGroup]:
    """Return where it runs: one instance on the device that it was measured on, where nothing else is asked for.

    Without a group, Triton starts two of ONNX Runtime on the CPU, each with threads for every core.
    """
    runner = deployed.chosen.runner
    own = KINDS[runner.device]
    found = groups(asked or {})
    if any(group.kind != own for group in found):
        raise ConfigError(f"instances={dict(asked or {})}: {runner.name} was checked on {runner.device} alone")
    return found or [InstanceGroup(own, 1)]
