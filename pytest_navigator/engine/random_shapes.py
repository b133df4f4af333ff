"""Which sizes the axes of random data have: what the configuration says of each, and what follows from it (pure)."""

from __future__ import annotations

import math
import re
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_navigator.configuration.signature_text import with_batch
from pytest_navigator.core.records import TEXT_TYPES
from pytest_navigator.errors import ConfigError, unknown
from pytest_navigator.samples.npz import dtype_of
from pytest_navigator.samples.signatures import optimal_batch_size

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_navigator.configuration.nav_config_file import FileConfig
    from pytest_navigator.core.records import TensorSpec

Shapes = dict[str, tuple[int, ...]]
Axis = tuple[str, int]
Range = tuple[int, int, int]

KINDS = ("min", "opt", "max")

GUESS = 16  # Stands for a size that the user has to say

YAML_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}

SOME_ROWS = 4  # The largest batch in what is proposed to be written
TEXT_BYTES = 32  # Size of one element of random text: up to 8 characters of 4 bytes

# What the inputs of the largest batch take, at most, where nobody has set `max_batch_size`.
#
# Measured with ResNet-50 in PyTorch on two busy cores: a batch of 27 images (15 MiB) takes 6 s and 0.4 GiB, one of 128
# takes 40 s and 1.4 GiB; and a run infers on it dozens of times.
LARGEST_BATCH_BYTES = 16 * 2**20


@dataclass(frozen=True)
class Plan:
    """The shapes of every input, with what a user should know of them.

    Attributes:
        min, opt, max: by input, in the order of the inputs.
        notes: one line each.
    """

    min: Shapes
    opt: Shapes
    max: Shapes
    notes: tuple[str, ...] = ()


def plan(inputs: Sequence[TensorSpec], config: FileConfig) -> Plan:
    """Return the smallest, the optimal and the largest shape of every input.

    `batch_dim` is the batch where it is dynamic, see `with_batch`. It goes from 1 to `max_batch_size`; where nobody has
    set that, as far as `LARGEST_BATCH_BYTES` allows. Any other dynamic axis needs a size in `max_shapes`; without
    others, that is the only size that is tried. Axes with one symbol, and the batch, have one size in all inputs: said
    once, it is said for all of them.

    Raises:
        ConfigError: with the input, the axis and what to write.
    """
    _check_batch(inputs, config)
    axes = _Axes(with_batch(inputs, config.batch_dim, config.unbatched), config)
    if text := axes.unsaid():
        raise ConfigError(text)
    ranges = {symbol: axes.range(symbol) for symbol in axes.first if symbol != axes.batch}
    notes = [axes.untried(symbol) for symbol in ranges if axes.is_tried_once(symbol)]
    if axes.batch:
        ranges[axes.batch] = axes.batch_range(axes.largest_batch(ranges))
        notes += axes.capped(ranges[axes.batch])
    for symbol, found in ranges.items():
        axes.check_order(symbol, found)
    low, usual, high = (axes.shapes(ranges, index) for index in range(len(KINDS)))
    return Plan(low, usual, high, tuple(notes))


def bytes_of(shapes: Shapes, inputs: Sequence[TensorSpec]) -> int:
    """Return the size of one sample in bytes."""
    return sum(_itemsize(spec.dtype) * math.prod(shapes[spec.name]) for spec in inputs)


class _Axes:
    """The dynamic axes of all inputs, and what `min_shapes`, `opt_shapes` and `max_shapes` say of them.

    Attributes:
        symbols: of every dynamic axis; equal symbols have equal sizes.
        first: of every symbol, the axis that an error names.
        batch: the symbol of the batch; "" without one.
        said: setting -> symbol -> size.
    """

    def __init__(self, specs: Sequence[TensorSpec], config: FileConfig) -> None:
        self.specs = specs
        self.config = config
        self.symbols = {
            (spec.name, axis): spec.axes.get(axis, f"{spec.name}_{axis}")
            for spec in specs
            for axis, size in enumerate(spec.shape)
            if size == -1
        }
        self.first: dict[str, Axis] = {}
        for place, symbol in self.symbols.items():
            self.first.setdefault(symbol, place)
        dim = config.batch_dim
        self.batch = next((spec.axes[dim] for spec in specs if spec.batched and dim is not None), "")
        self.said = {kind: self._said(kind) for kind in KINDS}

    def _said(self, kind: str) -> dict[str, int]:
        """Return the sizes by symbol, checked against the signature."""
        by_name = {spec.name: spec for spec in self.specs}
        found: dict[str, tuple[int, Axis]] = {}
        for name, shape in self.config.shapes(kind).items():
            where = self.config.named(f"{kind}_shapes")
            if name not in by_name:
                raise ConfigError(f"{where}: {unknown('input', name, by_name)}")
            _check_shape(f"{where}: {name}: {list(shape)}", shape, by_name[name])
            for axis, size in enumerate(shape):
                symbol = self.symbols.get((name, axis))
                if symbol is not None:
                    other, place = found.setdefault(symbol, (size, (name, axis)))
                    _check_equal(where, symbol, (place, other), ((name, axis), size))
        return {symbol: size for symbol, (size, _) in found.items()}

    def of(self, symbol: str) -> dict[str, int]:
        """Return what is said of one symbol, by the kind of size."""
        return {kind: sizes[symbol] for kind, sizes in self.said.items() if symbol in sizes}

    def range(self, symbol: str) -> Range:
        """Return smallest, optimal and largest size of what is not the batch."""
        said = self.of(symbol)
        usual = said.get("opt", said["max"])
        return said.get("min", usual), usual, said["max"]

    def batch_range(self, largest: int) -> Range:
        """Return smallest, optimal and largest batch size; what is said goes before `largest`."""
        said = self.of(self.batch)
        high = said.get("max", max(largest, said.get("opt", 1), said.get("min", 1)))
        low = said.get("min", min(1, high))
        return low, said.get("opt", max(low, min(high, optimal_batch_size(high)))), high

    def largest_batch(self, ranges: Mapping[str, Range]) -> int:
        """Return `max_batch_size`; where nobody has set it, less if the inputs would be large."""
        if "max_batch_size" in self.config.given:
            return self.config.max_batch_size
        one = bytes_of(self.shapes({**ranges, self.batch: (1, 1, 1)}, KINDS.index("max")), self.specs)
        return max(1, min(self.config.max_batch_size, LARGEST_BATCH_BYTES // max(one, 1)))

    def capped(self, found: Range) -> list[str]:
        """Return a note if the batch ends before the default `max_batch_size`."""
        if "max_batch_size" in self.config.given or "max" in self.of(self.batch):
            return []
        if found[2] >= self.config.max_batch_size:
            return []
        return [
            f"the largest batch is {found[2]} instead of {self.config.max_batch_size}: a larger one of these inputs is "
            f"more than {LARGEST_BATCH_BYTES // 2**20} MiB; max_batch_size in --nav-config says another"
        ]

    def is_tried_once(self, symbol: str) -> bool:
        """Whether only `max_shapes` says something of an axis."""
        return set(self.of(symbol)) == {"max"}

    def untried(self, symbol: str) -> str:
        """Return the note of an axis of which one size is tried only."""
        size = self.said["max"][symbol]
        return f"{_axis(self.first[symbol])} is tried with the size {size} only: write a smaller one into min_shapes"

    def check_order(self, symbol: str, found: Range) -> None:
        """Raise ConfigError unless smallest, optimal and largest size are in order."""
        low, usual, high = found
        if not low <= usual <= high:
            text = ", ".join(f"{kind} {size}" for kind, size in zip(KINDS, found, strict=True))
            raise ConfigError(
                f"{self.config.where}{_axis(self.first[symbol])} has the sizes {text}: they must not decrease from "
                "min_shapes over opt_shapes to max_shapes"
            )

    def shapes(self, ranges: Mapping[str, Range], index: int) -> Shapes:
        """Return the shapes with the sizes at `index` of the ranges."""
        return {
            spec.name: tuple(
                ranges[self.symbols[spec.name, axis]][index] if size == -1 else size
                for axis, size in enumerate(spec.shape)
            )
            for spec in self.specs
        }

    def unsaid(self) -> str:
        """Return which sizes nobody has said, and what to write, as YAML; "" if all are said."""
        open_ = [symbol for symbol in self.first if symbol != self.batch and "max" not in self.of(symbol)]
        if not open_:
            return ""
        axes = ", ".join(_axis(place) for place, symbol in self.symbols.items() if symbol in open_)
        names = dict.fromkeys(name for (name, _), symbol in self.symbols.items() if symbol in open_)
        kept = {name: list(shape) for name, shape in self.config.max_shapes.items() if name not in names}
        shapes = {**kept, **{name: self._proposed(name) for name in names}}
        where, form = self._as_file(shapes) if self.config.flags is None else self._as_flags(shapes)
        said = f"{self.config.named('max_shapes')} does not say which one to try"
        return "\n".join([f"{axes} can have any size, and {said}: {where}", *form])

    def _as_file(self, shapes: Mapping[str, list[int]]) -> tuple[str, list[str]]:
        where = (
            f"write it into --nav-config, with sizes that the model takes in place of {GUESS} (smaller ones into "
            "min_shapes), or give the run a nav_dataloader"
        )
        return where, ["max_shapes:", *(f"  {_key(name)}: {shape}" for name, shape in shapes.items())]

    def _as_flags(self, shapes: Mapping[str, list[int]]) -> tuple[str, list[str]]:
        where = f"say it, with sizes that the model takes in place of {GUESS} (smaller ones with --min-shapes)"
        words = (f"{name}={','.join(map(str, shape))}" for name, shape in shapes.items())
        return where, [f"--max-shapes {shlex.join(words)}"]

    def _proposed(self, name: str) -> list[int]:
        """Return a shape to write for an input: what is known, else a guess."""
        shape = next(spec.shape for spec in self.specs if spec.name == name)
        return [size if size != -1 else self._size(self.symbols[name, axis]) for axis, size in enumerate(shape)]

    def _size(self, symbol: str) -> int:
        if symbol in self.said["max"]:
            return self.said["max"][symbol]
        if symbol != self.batch:
            return GUESS
        # A default that is written is no longer made smaller for large inputs.
        return self.config.max_batch_size if "max_batch_size" in self.config.given else SOME_ROWS


def _key(name: str) -> str:
    """Return a key of YAML, in quotes where it would be something else than a text."""
    plain = re.fullmatch(r"[A-Za-z_][\w.]*", name) and name.lower() not in YAML_WORDS
    return name if plain else repr(name)


def _check_batch(inputs: Sequence[TensorSpec], config: FileConfig) -> None:
    names = [spec.name for spec in inputs]
    for name in config.unbatched:
        if name not in names:
            raise ConfigError(f"{config.named('unbatched')}: {unknown('input', name, names)}")
    dim = config.batch_dim or 0
    if dim and all(len(spec.shape) <= dim for spec in inputs):
        shapes = ", ".join(f"{spec.name} {list(spec.shape)}" for spec in inputs)
        raise ConfigError(f"{config.named('batch_dim')}: {dim}: no input has that axis ({shapes})")


def _check_shape(where: str, shape: Sequence[int], spec: TensorSpec) -> None:
    if len(shape) != len(spec.shape):
        raise ConfigError(
            f"{where} has {_count(shape)}, but the input has {_count(spec.shape)}: {list(spec.shape)}, with the batch"
        )
    for axis, (size, own) in enumerate(zip(shape, spec.shape, strict=True)):
        if own not in (-1, size):
            raise ConfigError(f"{where}: axis {axis} of this input is always {own}, not {size}")


def _check_equal(where: str, symbol: str, first: tuple[Axis, int], second: tuple[Axis, int]) -> None:
    if first[1] != second[1]:
        raise ConfigError(
            f"{where}: {_axis(first[0])} has the size {first[1]}, {_axis(second[0])} has {second[1]}, but both are the "
            f"same size {symbol!r}"
        )


def _itemsize(dtype: str) -> int:
    return TEXT_BYTES if dtype in TEXT_TYPES.values() else dtype_of(dtype).itemsize


def _count(shape: Sequence[int]) -> str:
    return f"{len(shape)} ax{'i' if len(shape) == 1 else 'e'}s"


def _axis(place: Axis) -> str:
    return f"axis {place[1]} of input {place[0]!r}"
