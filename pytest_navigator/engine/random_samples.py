"""Random data that fits a signature: seeded, at the smallest, the optimal and the largest shapes, inside the ranges."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import ml_dtypes
import numpy as np
import psutil

from pytest_navigator.comparison.tolerances import number
from pytest_navigator.core.records import TEXT_TYPES
from pytest_navigator.engine.random_shapes import KINDS, bytes_of, plan
from pytest_navigator.errors import ConfigError, unknown
from pytest_navigator.samples.npz import dtype_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from pytest_navigator.configuration.nav_config_file import FileConfig
    from pytest_navigator.core.records import TensorSpec
    from pytest_navigator.engine.random_shapes import Plan

    Array = NDArray[Any]
    Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]

Bounds = tuple[float, float]

# Of every number. Whole numbers of 0 and 1 are masks, segments and tokens that every model has.
DEFAULT_RANGE: Bounds = (0, 1)

NAMELESS = ""  # Key of the range and of the type of the inputs that have none of their own
LETTERS = 8  # Of a random text, at most
LARGEST_MEMORY = 0.25  # Share of the free memory that random data may take


def samples(inputs: Sequence[TensorSpec], config: FileConfig, seed: int) -> list[dict[str, Array]]:
    """Return three samples, at the smallest, the optimal and the largest shapes (see `shapes.plan`).

    Both bounds of a value range belong to it. Without one, numbers are from 0 to 1 (whole numbers 0 or 1); truth values
    are both, text is of 1 to 8 letters. The same arguments give the same data; numpy's global state is not used.

    Raises:
        ConfigError: a shape or a range that cannot be, or is missing; says which input and what to write.
    """
    shapes = plan(inputs, config)
    _check_names(inputs, config)
    _check_memory(inputs, shapes)
    draws = {spec.name: _draw(spec, config) for spec in inputs}
    generator = np.random.default_rng(seed)
    return [{name: draw(generator, getattr(shapes, kind)[name]) for name, draw in draws.items()} for kind in KINDS]


def untried(inputs: Sequence[TensorSpec], config: FileConfig) -> list[str]:
    """Return a note of the inputs of whole numbers that have no range: a table of 30000 words is read at two places."""
    ranged = {*config.value_ranges}
    names = [spec.name for spec in inputs if "int" in dtype_of(spec.dtype).name and not ranged & {spec.name, NAMELESS}]
    if not names:
        return []
    who = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
    return [f"{who}: only 0 and 1 were tried: write what the model takes into value_ranges of --nav-config"]


def _check_names(inputs: Sequence[TensorSpec], config: FileConfig) -> None:
    names = [spec.name for spec in inputs]
    for key, settings in (("value_ranges", config.value_ranges), ("dtypes", config.dtypes)):
        for name in settings:
            if name not in (*names, NAMELESS):
                raise ConfigError(f"{config.named(key)}: {unknown('input', name, names)}")
    for spec in inputs:
        said = config.dtypes.get(spec.name, config.dtypes.get(NAMELESS, spec.dtype))
        if said != spec.dtype:
            raise ConfigError(
                f"{config.named('dtypes')}: {said} for the input {spec.name!r}, which is {spec.dtype} in the model; "
                f"write {_dtype(spec, config)}, or leave it out"
            )


def _dtype(spec: TensorSpec, config: FileConfig) -> str:
    return f"dtypes: {{{spec.name}: {spec.dtype}}}" if config.flags is None else f"--dtypes {spec.name}={spec.dtype}"


def _check_memory(inputs: Sequence[TensorSpec], shapes: Plan) -> None:
    needed = sum(bytes_of(getattr(shapes, kind), inputs) for kind in KINDS)
    allowed = psutil.virtual_memory().available * LARGEST_MEMORY
    if needed > allowed:
        largest = max(inputs, key=lambda spec: math.prod(shapes.max[spec.name]))
        raise ConfigError(
            f"random data of these shapes takes {needed / 2**30:.3g} GiB, more than a quarter of the free memory "
            f"({allowed / LARGEST_MEMORY / 2**30:.3g} GiB); the largest is {list(shapes.max[largest.name])} of the "
            f"input {largest.name!r}: make max_batch_size or max_shapes smaller"
        )


def _draw(spec: TensorSpec, config: FileConfig) -> Draw:
    """Return what makes random arrays of one input."""
    own = config.value_ranges.get(spec.name)
    where = f"{config.named('value_ranges')}: {spec.name}"
    if spec.dtype in TEXT_TYPES.values():
        if own is not None:
            raise ConfigError(f"{where}: the input is {spec.dtype}, which has no range; leave it out")
        return _words(spec.dtype)
    bounds = own if own is not None else config.value_ranges.get(NAMELESS, DEFAULT_RANGE)
    dtype = dtype_of(spec.dtype)
    if dtype.kind == "b":
        # The range of the inputs without their own is one of numbers.
        return _integers(dtype, own or DEFAULT_RANGE, where)
    if "int" in dtype.name:
        return _integers(dtype, bounds, where)
    return _complex(dtype, bounds, where) if dtype.kind == "c" else _floats(dtype, bounds, where)


def _words(dtype: str) -> Draw:
    def draw(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
        count = math.prod(shape)
        codes = generator.integers(ord("a"), ord("z") + 1, (count, LETTERS), dtype=np.uint32)
        # A text of numpy's ends where zeros begin: so the words have several lengths.
        codes[np.arange(LETTERS) >= generator.integers(1, LETTERS + 1, (count, 1))] = 0
        return codes.view(f"U{LETTERS}").astype(np.dtype(dtype)).reshape(shape)

    return draw


def _integers(dtype: np.dtype[Any], bounds: Bounds, where: str) -> Draw:
    low, high = (_whole(bound, bounds, dtype, where) for bound in bounds)
    least, largest = _limits(dtype)
    for bound in (low, high):
        if not least <= bound <= largest:
            raise ConfigError(
                f"{where}: {_text(bounds)}: the input is {dtype.name}, which holds whole numbers from {least} to "
                f"{largest}"
            )
    # numpy draws none of ml_dtypes' small whole numbers, and the upper half of uint64 is no int64.
    drawn = np.dtype(np.uint64 if dtype == np.uint64 else np.int64)

    def draw(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return np.asarray(generator.integers(low, high, shape, dtype=drawn.type, endpoint=True)).astype(dtype)

    return draw


def _limits(dtype: np.dtype[Any]) -> tuple[int, int]:
    return (0, 1) if dtype.kind == "b" else (ml_dtypes.iinfo(dtype).min, ml_dtypes.iinfo(dtype).max)


def _whole(bound: float, bounds: Bounds, dtype: np.dtype[Any], where: str) -> int:
    if bound != int(bound):
        raise ConfigError(
            f"{where}: {_text(bounds)}: the input is {dtype.name}, whose bounds are whole numbers, like [0, 1000]"
        )
    return int(bound)


def _floats(dtype: np.dtype[Any], bounds: Bounds, where: str) -> Draw:
    low, high = _inner(dtype, bounds, where)

    def draw(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
        share = generator.random(shape)
        # The difference of the bounds can be more than a float64 holds.
        values = np.asarray((1 - share) * float(low) + share * float(high)).astype(dtype)
        # A narrow type may round a value that is inside to one that is not.
        return np.asarray(np.where(values < low, low, np.where(values > high, high, values))).astype(dtype)

    return draw


def _complex(dtype: np.dtype[Any], bounds: Bounds, where: str) -> Draw:
    part = _floats(np.dtype(f"f{dtype.itemsize // 2}"), bounds, where)

    def draw(generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return np.asarray(part(generator, shape) + 1j * part(generator, shape)).astype(dtype)

    return draw


def _inner(dtype: np.dtype[Any], bounds: Bounds, where: str) -> tuple[Any, Any]:
    """Return the smallest and the largest number of a type that lie inside the bounds."""
    largest = float(ml_dtypes.finfo(dtype).max)
    for bound in bounds:
        if abs(bound) > largest:
            raise ConfigError(
                f"{where}: {_text(bounds)}: the input is {dtype.name}, which holds numbers up to {number(largest)}"
            )
    low, high = (np.asarray(bound).astype(dtype)[()] for bound in bounds)
    if float(low) < bounds[0]:
        low = np.nextafter(low, dtype.type(largest))
    if float(high) > bounds[1]:
        high = np.nextafter(high, dtype.type(-largest))
    if not float(low) <= float(high):
        raise ConfigError(
            f"{where}: {_text(bounds)}: the input is {dtype.name}, which has no number between these; the nearest are "
            f"[{float(high)!r}, {float(low)!r}]"
        )
    return low, high


def _text(bounds: Bounds) -> str:
    return f"[{bounds[0]}, {bounds[1]}]"
