"""A sample of a package as a request before a model is ready."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pytest_navigator.core.records import TEXT_TYPES
from pytest_navigator.deploy.protocol import texts
from pytest_navigator.deploy.triton.files import of_bytes
from pytest_navigator.deploy.triton.values import ModelWarmup, ModelWarmupInput, ModelWarmupInputDataType
from pytest_navigator.errors import DeploymentError, PackageError
from pytest_navigator.reproduce.code import identifiers
from pytest_navigator.samples.npz import UNREADABLE, load_npz

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_navigator.core.records import Signature
    from pytest_navigator.deploy.triton.files import Files
    from pytest_navigator.deploy.triton.onnx_file import Tensors
    from pytest_navigator.package.container.reader import PackageFile
    from pytest_navigator.package.query.results import Results


def warm_ups(
    package: PackageFile, results: Results, tensors: Tensors, sizes: tuple[int, ...]
) -> tuple[dict[str, ModelWarmup], Files]:
    """Return a warm-up for each size of a batch, of the sample that was timed, and the files that they name.

    A file has the sample's first row, which the server repeats, with its own shape: of an axis of any length the
    largest one would be longer than the file.

    Args:
        sizes: of the batches; none for a model without batching, whose sample is sent whole.

    Raises:
        DeploymentError: the package has no samples.
    """
    rows = {name: array[0] if sizes else array for name, array in _sample(package, results, tensors).items()}
    paths = dict(zip(rows, (Path(f"{each}.data") for each in identifiers(list(rows))), strict=True))
    kind = ModelWarmupInputDataType.FILE
    inputs = {
        spec.name: ModelWarmupInput(rows[spec.name].shape, spec.dtype, kind, paths[spec.name])
        for spec in tensors.inputs
    }
    found = {f"batch_{size}": ModelWarmup(inputs, size) for size in dict.fromkeys(sizes)}
    files = {f"warmup/{paths[name]}": of_bytes(_content(row)) for name, row in rows.items()}
    return found or {"sample": ModelWarmup(inputs)}, files


def _sample(package: PackageFile, results: Results, tensors: Tensors) -> Mapping[str, np.ndarray]:
    """Return the arrays of the sample that was timed, by the file's names."""
    facts = results.source_facts
    signature = results.signature
    assert signature is not None
    name = facts.timed_batch or facts.profiling_batch
    try:
        arrays = _read(package, name, signature)
    except (PackageError, *UNREADABLE) as error:
        raise DeploymentError(f"a warm-up needs a sample, and the package gives none: {error}") from error
    return {own: arrays[here] for own, here in tensors.names.items()}


def _read(package: PackageFile, name: str, signature: Signature) -> dict[str, np.ndarray]:
    with tempfile.TemporaryDirectory(prefix="pytest_navigator.") as folder:
        (path,) = package.extract([name], Path(folder))
        return load_npz(path, signature.inputs)


def _content(array: np.ndarray) -> bytes:
    """Return the bytes of an array, of text each with its length before it, as the server reads them."""
    if array.dtype.kind not in TEXT_TYPES:
        return np.ascontiguousarray(array).tobytes()
    return texts.joined(array)
