"""Which shapes an artifact takes: LiteRT's files take one each (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.errors import StepFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import numpy as np

    from pytest_navigator.core.records import Signature
    from pytest_navigator.formats.base import LoaderData

Shapes = dict[str, list[int]]

MOST = 16  # Files of one artifact: each takes seconds, and has all weights


def shapes_of(data: LoaderData, signature: Signature) -> dict[str, Shapes]:
    """Return the shapes of the inputs that a run needs, by the name of the file: "batch1", "batch8".

    These are those of every sample that conversions may see, of its first row, and of each batch size that is profiled.

    Raises:
        StepFailed: there are more than `MOST`.
    """
    found: list[Shapes] = []
    for shapes in _needed(data, signature):
        if shapes not in found and all(size for sizes in shapes.values() for size in sizes):
            found.append(shapes)
    found.sort(key=lambda shapes: batch_size(shapes, signature) or 0)
    if len(found) > MOST:
        raise StepFailed(
            f"the samples and the batch sizes have {len(found)} different shapes of inputs, and a file of LiteRT takes "
            f"one: no more than {MOST} are made; let nav_dataloader pad the samples to a few sizes, or give fewer"
        )
    return _named(found, signature)


def batch_size(shapes: Mapping[str, list[int]], signature: Signature) -> int | None:
    """Return the batch size of shapes; None without a batch."""
    axis = signature.batch_dim
    sizes = [shapes[spec.name][axis] for spec in signature.inputs if spec.batched and axis is not None]
    return sizes[0] if sizes else None


def batch_sizes(files: Mapping[str, Shapes], signature: Signature) -> tuple[int, ...] | None:
    """Return the batch sizes that files take, in order; None without a batch."""
    found = {batch_size(shapes, signature) for shapes in files.values()}
    return tuple(sorted(size for size in found if size is not None)) or None


def _needed(data: LoaderData, signature: Signature) -> Iterator[Shapes]:
    axis, record = signature.batch_dim, data.record
    free = [spec.name for spec in signature.inputs if spec.batched and axis is not None and spec.shape[axis] == -1]
    example = _own(data.example)
    yield example
    for batch in data.batches:
        yield _own(batch)
        if free:
            yield _resized(_own(batch), free, axis, 1)
    if free:
        for size in (1, record.max_batch_size or 1, *record.asked_batches):
            yield _resized(example, free, axis, size)


def _own(batch: Mapping[str, np.ndarray]) -> Shapes:
    return {name: list(array.shape) for name, array in batch.items()}


def _resized(shapes: Shapes, free: list[str], axis: int | None, size: int) -> Shapes:
    return {
        name: [size if name in free and index == axis else own for index, own in enumerate(sizes)]
        for name, sizes in shapes.items()
    }


def _named(found: list[Shapes], signature: Signature) -> dict[str, Shapes]:
    names: dict[str, Shapes] = {}
    for shapes in found:
        size = batch_size(shapes, signature)
        plain = "model" if size is None else f"batch{size}"
        more = sum(name == plain or name.startswith(f"{plain}-") for name in names)
        names[f"{plain}-{more + 1}" if more else plain] = shapes
    return names
