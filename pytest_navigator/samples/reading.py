"""The user's loader, read once: which samples are kept, and what was seen of the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from operator import gt, lt
from typing import TYPE_CHECKING, cast

import ml_dtypes
import numpy as np

from pytest_navigator.errors import ConfigError, SourceError, unknown
from pytest_navigator.samples.differences import difference
from pytest_navigator.samples.flattening import type_name
from pytest_navigator.samples.npz import dtype_name
from pytest_navigator.samples.structure import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Sequence, Sized

    from pytest_navigator.core.plain import Tree
    from pytest_navigator.samples.flattening import Arrays

    Flatten = Callable[[object], tuple[Tree, Arrays]]

MIB = 2**20

NO_LOADER = object()  # Stands for the user's loader where there is none


@dataclass(frozen=True)
class Limits:
    """How much of a loader is read and kept.

    Attributes:
        sample_count: how many random samples are kept, for correctness.
        max_bytes: how much memory the kept inputs may take; those with extreme shapes are kept in any case.
        read_limit: how many samples are read of a loader that has a length; one without must end before.
    """

    sample_count: int = 100
    max_bytes: int = 512 * MIB
    read_limit: int = 10_000


@dataclass(frozen=True)
class Samples:
    """What one reading of the loader gave.

    Attributes:
        tree: the structure of every sample.
        kept: inputs of the samples that were kept, by their index in the loader, ascending.
        correctness: indices of the random samples, ascending.
        conversion: indices of the first samples with the smallest and the largest size of every axis, ascending.
        profiling: index of the sample at which the last axis first reached its largest size; one without empty inputs,
            if there is one among those with a largest size.
        dims: per input and axis, its size in every sample that was read.
        read: how many samples were read.
        left_out: how many samples less than `Limits.sample_count` allows are in `correctness`, for `max_bytes`.
        complete: whether the loader was read to its end.
        ranking: indices of the samples that were kept: those of `conversion`, then the random ones in random order.
    """

    tree: Tree
    kept: dict[int, Arrays]
    correctness: tuple[int, ...]
    conversion: tuple[int, ...]
    profiling: int
    dims: dict[str, tuple[tuple[int, ...], ...]]
    read: int
    left_out: int
    complete: bool
    ranking: tuple[int, ...]

    def limited(self, indices: Collection[int]) -> Samples:
        """Return what is left if only these are kept; the ones of `conversion` have to be among them."""
        correctness = tuple(i for i in self.correctness if i in indices)
        return replace(
            self,
            kept={i: arrays for i, arrays in self.kept.items() if i in indices},
            correctness=correctness or self.conversion[:1],
            left_out=self.left_out + len(self.correctness) - len(correctness or self.conversion[:1]),
            ranking=tuple(i for i in self.ranking if i in indices),
        )


def read_loader(
    loader: object,
    flatten: Flatten,
    limits: Limits,
    seed: int,
    batch_dim: int | None,
    unbatched: Collection[str] = (),
) -> Samples:
    """Iterate the loader once.

    The correctness samples are Model Navigator's for a loader that has a length; else, as many are chosen at random
    while it is read. The random state of numpy is not touched.

    Args:
        loader: an iterable, or a callable that returns one.
        flatten: gives structure and inputs of a sample.
        limits: how much is read and kept.
        seed: of the choice.
        batch_dim: the batch axis; one input has to have it.
        unbatched: names of inputs without it.

    Raises:
        SourceError: the loader or a sample does not keep its contract; says which sample and input.
        ConfigError: no input has a batch axis, or `unbatched` names one that does not exist.
    """
    iterable = _iterable(loader)
    reader = _Reader(_chosen(_length(iterable), limits, seed), limits, seed)
    for index, sample in enumerate(_samples(iterable)):
        # What comes after is not even asked for: a loader may be a stream of millions.
        if index == limits.read_limit:
            _check_sized(iterable, index)
            return reader.result(complete=False)
        tree, arrays = _flattened(flatten, sample, index)
        if index == 0:
            _check_batch_dim(arrays, batch_dim, unbatched)
        reader.add(index, tree, arrays)
    if not reader.read:
        raise SourceError("the loader is empty: it has to give at least one sample")
    return reader.result(complete=True)


def first_sample(loader: object, flatten: Flatten, samples: Samples) -> Arrays:
    """Return the first sample of another loader, which has to give the same kind of samples.

    Raises:
        SourceError: it does not, or gives none.
    """
    for sample in _samples(_iterable(loader)):
        tree, arrays = _flattened(flatten, sample, 0)
        if problem := _disagreement(tree, arrays, samples.tree, samples.kept[min(samples.kept)]):
            raise SourceError(f"sample 0: {problem}")
        _check_content(0, arrays)
        return arrays
    raise SourceError("the loader is empty: it has to give at least one sample")


def each_sample(loader: object) -> Iterator[object]:
    """Yield the samples of a loader, as they are.

    Raises:
        SourceError: it is no loader, or raises.
    """
    yield from _samples(_iterable(loader))


def batch_size(arrays: Arrays, batch_dim: int | None, unbatched: Collection[str] = ()) -> int | None:
    """Return the batch size of one sample: the size of the first input that has the batch axis; None without one."""
    if batch_dim is None:
        return None
    shapes = (array.shape for name, array in arrays.items() if name not in unbatched)
    return next((shape[batch_dim] for shape in shapes if len(shape) > batch_dim), None)


class _Reader:
    """The samples so far.

    Random samples have a random priority: the highest ones go when there are too many, or too many bytes, so that
    those that stay are a fair choice of all that were read.
    """

    def __init__(self, chosen: set[int] | None, limits: Limits, seed: int) -> None:
        self.chosen = chosen
        self.limits = limits
        self.random = np.random.RandomState(seed)
        self.tree: Tree = {}
        self.first: Arrays = {}
        self.dims: dict[str, tuple[list[int], ...]] = {}
        self.kept: dict[int, Arrays] = {}
        self.bytes: dict[int, int] = {}
        self.priority: dict[int, float] = {}
        self.extremes: dict[tuple[str, int, str], int] = {}
        self.candidates = 0
        self.read = 0

    def add(self, index: int, tree: Tree, arrays: Arrays) -> None:
        """Take a sample, check it, and drop those that are no longer wanted."""
        if index == 0:
            self.tree, self.first = tree, arrays
            self.dims = {name: tuple([] for _ in array.shape) for name, array in arrays.items()}
        elif problem := _disagreement(tree, arrays, self.tree, self.first):
            raise SourceError(f"sample {index}: {problem}")
        _check_content(index, arrays)
        self.read += 1
        self.kept[index] = arrays
        self.bytes[index] = sum(array.nbytes for array in arrays.values())
        if self.chosen is None or index in self.chosen:
            # Numbers of its own: numpy's state is the user's, and a loader may draw from it.
            self.priority[index] = self.random.random_sample()
            self.candidates += 1
        self._note_sizes(index, arrays)
        self._drop_unwanted()

    def result(self, complete: bool) -> Samples:
        """Return the samples that are left."""
        conversion = tuple(sorted(self._extreme()))
        correctness = tuple(sorted(self.priority)) or conversion[:1]
        return Samples(
            tree=self.tree,
            kept={index: self.kept[index] for index in sorted(self.kept)},
            correctness=correctness,
            conversion=conversion,
            profiling=max(self._largest(), key=self._fullness, default=0),
            dims={name: tuple(tuple(sizes) for sizes in axes) for name, axes in self.dims.items()},
            read=self.read,
            left_out=max(0, min(self.limits.sample_count, self.candidates) - len(correctness)),
            complete=complete,
            ranking=(*conversion, *sorted(self.priority.keys() - self._extreme(), key=self.priority.__getitem__)),
        )

    def _note_sizes(self, index: int, arrays: Arrays) -> None:
        for name, array in arrays.items():
            for axis, size in enumerate(array.shape):
                sizes = self.dims[name][axis]
                sizes.append(size)
                for end, beyond in (("min", lt), ("max", gt)):
                    best = self.extremes.setdefault((name, axis, end), index)
                    if beyond(size, sizes[best]):
                        self.extremes[name, axis, end] = index

    def _largest(self) -> set[int]:
        return {index for (*_, end), index in self.extremes.items() if end == "max"}

    def _fullness(self, index: int) -> tuple[int, int]:
        # A sample with fewer empty inputs shows more of what the model does; then the later one.
        return -sum(any(sizes[index] == 0 for sizes in axes) for axes in self.dims.values()), index

    def _extreme(self) -> set[int]:
        # Inputs without axes have no sizes, and the first sample will do.
        return set(self.extremes.values()) or {0}

    def _drop_unwanted(self) -> None:
        extreme = self._extreme()
        if len(self.priority) > self.limits.sample_count:
            self._drop_last(self.priority.keys())
        while self._bytes_of(extreme | self.priority.keys()) > self.limits.max_bytes and self.priority.keys() - extreme:
            self._drop_last(self.priority.keys() - extreme)
        self.kept = {i: arrays for i, arrays in self.kept.items() if i in extreme or i in self.priority}

    def _drop_last(self, candidates: Collection[int]) -> None:
        del self.priority[max(candidates, key=self.priority.__getitem__)]

    def _bytes_of(self, indices: Collection[int]) -> int:
        return sum(self.bytes[i] for i in indices)


def _iterable(loader: object) -> Iterable[object]:
    """Return what is to be iterated; a callable is called, but not if it can be iterated itself."""
    if callable(loader) and (isinstance(loader, type) or not _can_be_iterated(loader)):
        try:
            loader = loader()
        except Exception as error:
            raise SourceError(f"the loader raised when it was called: {_text(error)}") from error
    if what := one_sample(loader):
        raise SourceError(f"the loader is {what}, which is one sample: return a list of samples, each a batch")
    if not _can_be_iterated(loader):
        raise SourceError(f"the loader is a {type_name(loader)}, which cannot be iterated: return a list of samples")
    return cast("Iterable[object]", loader)


def one_sample(value: object) -> str:
    """Return what a value is that is a sample and no loader, "" for anything else."""
    if hasattr(value, "shape") and hasattr(value, "dtype"):
        return f"one array of shape {tuple(value.shape)}"
    if isinstance(value, Mapping):
        return f"one {type(value).__name__} with the keys {', '.join(map(repr, value))}"
    return f"one {type(value).__name__}" if isinstance(value, str | bytes | Call) else ""


def _can_be_iterated(loader: object) -> bool:
    # `iter` takes both: a data set of PyTorch has only `__getitem__`.
    return hasattr(loader, "__iter__") or hasattr(loader, "__getitem__")


def _length(loader: object) -> int | None:
    try:
        return len(cast("Sized", loader))
    except (TypeError, NotImplementedError, AttributeError):
        return None


def _chosen(length: int | None, limits: Limits, seed: int) -> set[int] | None:
    """Return Model Navigator's choice of correctness samples, None when the length is not known."""
    if length is None:
        return None
    population = min(length, limits.read_limit)
    size = min(limits.sample_count, population)
    return set(np.random.RandomState(seed).choice(population, size, replace=False).tolist()) if size else set()


def _samples(loader: Iterable[object]) -> Iterator[object]:
    index, length = 0, None if hasattr(loader, "__iter__") else _length(loader)
    # A map-style data set of PyTorch has a length and need not raise an IndexError at its end.
    samples = loader if length is None else (cast("Sequence[object]", loader)[i] for i in range(length))
    try:
        for sample in samples:
            yield sample
            index += 1
    except Exception as error:
        raise SourceError(f"the loader raised at sample {index}: {_text(error)}") from error


def _check_sized(loader: object, read: int) -> None:
    if _length(loader) is None:
        raise SourceError(
            f"the loader has no len() and still goes on after {read} samples: is it infinite? "
            "End it (itertools.islice), or give it a len()"
        )


def _flattened(flatten: Flatten, sample: object, index: int) -> tuple[Tree, Arrays]:
    try:
        return flatten(sample)
    except SourceError as error:
        raise SourceError(f"sample {index}: {error}") from error


def _check_batch_dim(arrays: Arrays, batch_dim: int | None, unbatched: Collection[str]) -> None:
    for name in unbatched:
        if name not in arrays:
            raise unknown("input in unbatched", name, arrays)
    if batch_dim is None or (batch_dim >= 0 and batch_size(arrays, batch_dim, unbatched) is not None):
        return
    found = ", ".join(f"{name} {array.shape}" for name, array in arrays.items() if name not in unbatched)
    raise ConfigError(f"batch_dim={batch_dim}, but no input has that axis ({found}): set it, to None without a batch")


def _disagreement(tree: Tree, arrays: Arrays, first_tree: Tree, first: Arrays) -> str | None:
    """Return how a sample differs from the first one in what must be equal, None if it does not."""
    if text := difference(tree, first_tree):
        return text
    for name, array in arrays.items():
        if array.ndim != first[name].ndim:
            return f"input {name!r} has shape {array.shape}, sample 0 has {first[name].shape}: not as many axes"
        here, there = dtype_name(array.dtype), dtype_name(first[name].dtype)
        if here != there:
            return f"input {name!r} is {here}, sample 0 has {there}"
    return None


def _check_content(index: int, arrays: Arrays) -> None:
    for name, array in arrays.items():
        if array.dtype.kind in "fc" or array.dtype.name in vars(ml_dtypes):
            with np.errstate(invalid="ignore"):  # ml_dtypes warns of a signalling NaN
                nan = np.isnan(array)  # infinity is a number that masks of attention are made of
            if nan.any():
                place = np.unravel_index(int(np.argmax(nan)), array.shape)
                raise SourceError(f"sample {index}: input {name!r} is {array[place]} at {[int(i) for i in place]}")


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".rstrip(": ")
