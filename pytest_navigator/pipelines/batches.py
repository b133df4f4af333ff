"""A sample of a pipeline at another batch size: what a loader of one batch size does not show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_navigator.pipelines.structures import is_array

if TYPE_CHECKING:
    from pytest_navigator.pipelines.samples import PipelineSample


def doubled(sample: PipelineSample) -> PipelineSample | None:
    """Return a sample with each row of its arrays and lists twice, and a text as two; None if it has no rows.

    Whether the pipeline takes it, only a run of it tells.
    """
    size = sample.batch_size
    if size is None:
        return None
    args = tuple(_doubled(value, size) for value in sample.args)
    kwargs = {name: _doubled(value, size) for name, value in sample.kwargs.items()}
    values = [*zip(args, sample.args, strict=True), *((kwargs[name], value) for name, value in sample.kwargs.items())]
    if all(new is old for new, old in values):
        return None
    return replace(sample, batch_size=2 * size, args=args, kwargs=kwargs)


def _doubled(value: Any, size: int) -> Any:
    """Return a value with twice its rows; the value itself if it has not as many as the batch."""
    if is_array(value):
        fits = len(value.shape) and value.shape[0] == size
        return value[[*range(size), *range(size)]] if fits else value
    if isinstance(value, str):
        return [value, value] if size == 1 else value
    if type(value) is dict or isinstance(value, Mapping):
        parts = {key: _doubled(part, size) for key, part in value.items()}
        return parts if any(parts[key] is not part for key, part in value.items()) else value
    return [*value, *value] if type(value) is list and len(value) == size else value
