"""An ONNX file that no run has checked -> a version of a model in a repository."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_navigator.deploy.batches import obstacle
from pytest_navigator.deploy.triton.adding import own_files
from pytest_navigator.deploy.triton.configs import ONNXModelConfig
from pytest_navigator.deploy.triton.configured import check_size, groups, made, specs
from pytest_navigator.deploy.triton.files import digest
from pytest_navigator.deploy.triton.from_package import Deployment, notices
from pytest_navigator.deploy.triton.message import config_text
from pytest_navigator.deploy.triton.record import Origin
from pytest_navigator.deploy.triton.repository import Version, add, check_named
from pytest_navigator.deploy.triton.served import ONNXRUNTIME, refused
from pytest_navigator.deploy.triton.tensors import InputTensorSpec, OutputTensorSpec
from pytest_navigator.errors import ConfigError, DeploymentError, SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_navigator.core.records import Description, TensorSpec
    from pytest_navigator.deploy.triton.configured import Target

UNSAID = "outputs_without_shape"  # in the data of what describes a file

LARGEST = 4
"""Rows of the largest batch of a file that does not say it: Model Navigator's."""


def add_from_file(path: Path, target: Target) -> Deployment:
    """Write an ONNX file as a version of a model; what goes in and what comes out is what the file says.

    Raises:
        ConfigError: there is no such file, onnx is not installed, or a value of the target is not possible.
        DeploymentError: Triton cannot serve it, or it cannot be written. Nothing of it is left then.
    """
    check_named(target.name, target.version)
    described = _described(path)
    tensors = tuple(map(_with_batch, (*described.inputs, *described.outputs)))
    unbatched = _obstacle(tensors, asked="max_batch_size" in target.fields)
    check_size(target, unbatched)
    values: dict[str, Any] = {
        "batching": not unbatched,
        "max_batch_size": 0 if unbatched else LARGEST,
        "inputs": specs(InputTensorSpec, described.inputs, batching=not unbatched),
        "outputs": specs(OutputTensorSpec, described.outputs, batching=not unbatched),
        "instance_groups": groups(target.instances or {"cpu": 1}),
        "response_cache": target.response_cache,
    }
    if why := refused(tensors, ONNXRUNTIME, unbatched):
        otherwise = f"check it (pytest --nav-model={path}), of a package it becomes a Python model"
        raise DeploymentError(f"{path}: {why}: {otherwise}")
    config = made(ONNXModelConfig, {**values, **target.fields})
    origin = Origin(path.name, digest(path))
    text, files = config_text(target.name, config), own_files(path, config)
    version = Version(target.name, target.version, text, files, {}, origin)
    folder = add(target.repository, version, overwrite=target.overwrite)
    return Deployment(folder, target.version, config, origin, tuple(notices(config, unbatched)))


def _described(path: Path) -> Description:
    from pytest_navigator.backends.onnx.description import describe

    if not path.is_file():
        raise ConfigError(f"{path}: no such file")
    try:
        described = describe(path, {})
        return _completed(path, described) if UNSAID in described.data else described
    except ModuleNotFoundError as error:
        raise ConfigError(f"{path}: onnx is needed to read what goes in and comes out: pip install onnx") from error
    except SourceError as error:
        raise DeploymentError(f"{path}: {error}") from error


def _completed(path: Path, described: Description) -> Description:
    """Return a description with the outputs that the file does not say, as they follow from its graph."""
    from pytest_navigator.backends.onnx.description import inferred_outputs

    outputs = []
    for said, inferred in zip(described.outputs, inferred_outputs(path), strict=True):
        if inferred is None:
            raise DeploymentError(
                f"{path}: the file does not say how many axes output {said.name!r} has, and it does not follow from "
                f"its graph: save it with that shape, or check it (pytest --nav-model={path}) and deploy the package"
            )
        outputs.append(inferred)
    return replace(described, outputs=tuple(outputs))


def _with_batch(spec: TensorSpec) -> TensorSpec:
    # A file says nothing of batches: an axis 0 of any size is one.
    return replace(spec, batched=bool(spec.shape))


def _obstacle(tensors: Sequence[TensorSpec], *, asked: bool) -> str:
    """Return why requests cannot be joined, "" if they can: axis 0 has one symbol in every tensor, or it is asked for.

    Nothing else says that it is the batch: the rows of NonZero are as many as they come to be.
    """
    found = obstacle(0, tensors)
    if asked or found:
        return found
    unnamed = [spec.name for spec in tensors if _unnamed(spec)]
    symbols = sorted({spec.axes[0] for spec in tensors})
    if unnamed:
        found = f"axis 0 of {unnamed[0]!r} has no name in the file"
    elif len(symbols) > 1:
        found = f"axis 0 is not of one size: {', '.join(symbols)}"
    return f"{found}; if it is the batch, say --max-batch-size={LARGEST}" if found else ""


def _unnamed(spec: TensorSpec) -> bool:
    return spec.axes.get(0) in (None, re.sub(r"\W", "_", f"{spec.name}_0"))
