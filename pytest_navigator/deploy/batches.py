"""Whether requests can be joined into batches, and how large these become."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.core.facts import MakingFacts, facts_of
from pytest_navigator.errors import ConfigError
from pytest_navigator.package.query.strategies import figures_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_navigator.core.records import Signature, TensorSpec
    from pytest_navigator.package.query.results import Results


def obstacle(batch_dim: int | None, tensors: Iterable[TensorSpec]) -> str:
    """Return why requests cannot be joined, "" if they can.

    Triton joins them along axis 0 of every input, and divides every output along it.
    """
    if batch_dim:
        return f"the batch is axis {batch_dim}, and servers join requests along axis 0"
    return _obstacle(batch_dim, tensors)


def batch_axis(signature: Signature) -> int | None:
    """Return the axis along which a server of ours joins requests, which may be any. None: they cannot be joined."""
    axis = signature.batch_dim
    return None if _obstacle(axis, (*signature.inputs, *signature.outputs)) else axis


def _obstacle(axis: int | None, tensors: Iterable[TensorSpec]) -> str:
    if axis is None:
        return "the model has no batch axis"
    for spec in tensors:
        if not spec.batched:
            return f"{spec.name!r} has no batch axis"
        if spec.shape[axis] != -1:
            return f"the batch of {spec.name!r} is {spec.shape[axis]} always"
    return ""


def only_batches(results: Results, key: str) -> str:
    """Return which sizes of a batch alone a format takes, "" where it takes any: what is joined has any size."""
    sizes = _facts(results, key).batch_sizes
    return f"{key} takes batches of {' or '.join(map(str, sizes))} alone" if sizes else ""


def largest_batch(results: Results, key: str, runner: str) -> int:
    """Return the largest batch that was measured of a runner, else the largest of the samples; 1 if none is joined."""
    if only_batches(results, key):
        return 1
    measured = [figure.batch_size for figure in figures_of(results, [(key, runner)]) if figure.batch_size]
    found = max(measured, default=results.source_facts.max_batch_size or 1)
    return min(found, _facts(results, key).max_batch_size or found)


def check_largest(results: Results, key: str, asked: int | None, option: str) -> None:
    """Refuse requests to be joined into batches that a format does not take.

    Raises:
        ConfigError: `asked` rows are more than it takes; with the option.
    """
    most = _facts(results, key).max_batch_size
    if asked is not None and asked > 1 and (text := only_batches(results, key)):
        raise ConfigError(f"{option}={asked}: {text}, so that requests are never joined; leave it out")
    if asked is not None and most is not None and asked > most:
        raise ConfigError(f"{option}={asked}: {key} takes batches of up to {most} rows")


def _facts(results: Results, key: str) -> MakingFacts:
    return facts_of(results.made(key), MakingFacts)
