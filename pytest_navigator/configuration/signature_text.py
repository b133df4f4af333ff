"""Inputs and outputs as people write them: `name:shape:dtype`, a mapping, or a file beside the model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_navigator.configuration.yaml_file import read_mapping
from pytest_navigator.core.records import TensorSpec
from pytest_navigator.errors import ConfigError, unknown
from pytest_navigator.samples.npz import dtype_name, dtype_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path

    Specs = tuple[TensorSpec, ...]

FORM = "write name:shape:dtype, like input__0:-1,3,224,224:float32, with -1 for an axis of any size"
MAPPING_FORM = "write {shape: [-1, 3, 224, 224], dtype: float32}, with -1 for an axis of any size"
FIELDS = ("name", "shape", "dtype")
INDEXED = re.compile(r".*__(\d+)")
COMMON_DTYPES = ("float32", "float16", "bfloat16", "float64", "int64", "int32", "int8", "uint8", "bool", "str")


def specs(value: Any, where: str) -> Specs:
    """Return the tensors that `inputs` or `outputs` means.

    Names that end with `__0`, `__1`, ... say their order; others are in the order in which they are written. Each
    dynamic axis has a symbol of its own, since the text does not say which sizes are equal.

    Args:
        value: `name:shape:dtype` or `name=shape:dtype`, several separated by spaces; a list of these; or a mapping
            `{name: {shape: [...], dtype: ...}}` (a `name` inside is what Model Navigator writes; the key counts).
        where: what to name in an error: a flag, or a file and a key.

    Raises:
        ConfigError: with the part that is wrong and what to write.
    """
    if isinstance(value, Mapping):
        found = [_from_mapping(name, content, f"{where}: {name}") for name, content in value.items()]
    else:
        found = [_from_text(part, where) for part in _parts(value, where)]
    if not found:
        raise ConfigError(f"{where}: nothing is named; {FORM}")
    names = [spec.name for spec in found]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ConfigError(f"{where}: {twice[0]!r} comes twice")
    return _ordered(found)


def as_text(tensors: Iterable[TensorSpec]) -> str:
    """Return the tensors in the form of the command line."""
    return " ".join(f"{spec.name}:{','.join(map(str, spec.shape))}:{spec.dtype}" for spec in tensors)


def annotation_path(model: Path) -> Path:
    """Return where the annotation of a model file is: `model.pt.yaml` beside `model.pt`."""
    return model.with_name(f"{model.name}.yaml")


def read_annotation(model: Path) -> tuple[Specs | None, Specs | None]:
    """Return the inputs and outputs that the model's annotation file says; None for what it does not, or without one.

    Raises:
        ConfigError: the file cannot be read, or holds something else.
    """
    path = annotation_path(model)
    if not path.exists():
        return None, None
    content = read_mapping(path)
    for key in content:
        if key not in ("inputs", "outputs"):
            raise ConfigError(f"{path}: {unknown('key', key, ('inputs', 'outputs'))}; others belong into --nav-config")
    inputs, outputs = (
        specs(content[key], f"{path}: {key}") if content.get(key) else None for key in ("inputs", "outputs")
    )
    return inputs, outputs


def missing(model: Path, inputs: Sequence[str] = ()) -> str:
    """Return what to say of a model file that has no signature: what to write, and where.

    Args:
        inputs: the names that the file has for its inputs, if it has any.
    """
    names = inputs or ("input__0",)
    lines = [f"  {name}: {{shape: [-1, 3, 224, 224], dtype: float32}}" for name in names]
    flag = " ".join(f"{name}:-1,3,224,224:float32" for name in names)
    return "\n".join(
        [
            f"{model.name} does not say what its inputs are. Write {annotation_path(model)} (with the shapes and types "
            "of this model; -1 is an axis of any size, the first one the batch):",
            "inputs:",
            *lines,
            "outputs:",
            "  output__0: {shape: [-1, 1000], dtype: float32}",
            f'or say it to this run: --nav-inputs="{flag}" --nav-outputs="output__0:-1,1000:float32"',
        ]
    )


def _parts(value: Any, where: str) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, Sequence) or not all(isinstance(text, str) for text in texts):
        raise ConfigError(f"{where}: {value!r} is neither text, a list of texts nor a mapping; {FORM}")
    return [part for text in texts for part in text.split()]


def _from_text(part: str, where: str) -> TensorSpec:
    head, _, dtype = part.rpartition(":")
    # The last separator: names may hold colons, as TensorFlow's "x:0" does.
    match = re.fullmatch(r"(.+)[=:]([^=:]*)", head)
    if not match or not dtype:
        raise ConfigError(f"{where}: {part!r} is no name with a shape and a type; {FORM}")
    sizes = [size for size in match[2].split(",") if match[2]]
    if not all(re.fullmatch(r"-?\d+", size) for size in sizes):
        raise ConfigError(f"{where}: {part!r}: {match[2]!r} is no shape; {FORM}")
    return _spec(match[1], [int(size) for size in sizes], dtype, f"{where}: {part!r}", FORM)


def _from_mapping(name: Any, content: Any, where: str) -> TensorSpec:
    if not isinstance(content, Mapping) or "shape" not in content or "dtype" not in content:
        raise ConfigError(f"{where}: {content!r} has no shape and dtype; {MAPPING_FORM}")
    for key in content:
        if key not in FIELDS:
            raise ConfigError(f"{where}: {unknown('key', str(key), FIELDS)}")
    shape = content["shape"]
    if not isinstance(shape, list) or not all(type(size) is int for size in shape):
        raise ConfigError(f"{where}: shape: {shape!r} is no list of whole numbers; {MAPPING_FORM}")
    return _spec(str(name), shape, content["dtype"], where, MAPPING_FORM)


def _spec(name: str, shape: Sequence[int], dtype: Any, where: str, form: str) -> TensorSpec:
    for axis, size in enumerate(shape):
        if size < -1:
            raise ConfigError(f"{where}: axis {axis} has the size {size}; {form}")
    axes = {axis: _own_symbol(name, axis) for axis, size in enumerate(shape) if size == -1}
    return TensorSpec(name, tuple(shape), known_dtype(dtype, where), axes)


def _own_symbol(name: str, axis: int) -> str:
    return re.sub(r"\W", "_", f"{name}_{axis}")


def known_dtype(text: Any, where: str) -> str:
    """Return the name of a type as `TensorSpec` has it: "f4" and "float" are float32 and float64, as numpy says.

    Raises:
        ConfigError: there is no such type, or none that a tensor can have.
    """
    try:
        dtype = dtype_of(str(text).removeprefix("torch.").removeprefix("numpy.").removeprefix("np."))
    except TypeError:
        valid = ", ".join(COMMON_DTYPES)
        if _of_numpy(str(text)):
            raise ConfigError(f"{where}: no tensor has the type {text!r} (for example: {valid})") from None
        near = get_close_matches(str(text), COMMON_DTYPES, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ConfigError(f"{where}: {text!r} is no type of numpy{hint} (for example: {valid})") from None
    return dtype_name(dtype)


def _of_numpy(text: str) -> bool:
    # Objects, dates, structures: numpy has them, and no tensor does.
    try:
        return np.dtype(text) is not None
    except TypeError:
        return False


def _ordered(found: list[TensorSpec]) -> Specs:
    indices = [int(match[1]) for spec in found if (match := INDEXED.fullmatch(spec.name))]
    if sorted(indices) == list(range(len(found))):
        return tuple(spec for _, spec in sorted(zip(indices, found, strict=True), key=lambda pair: pair[0]))
    return tuple(found)


def with_batch(inputs: Sequence[TensorSpec], batch_dim: int | None = 0, unbatched: Collection[str] = ()) -> Specs:
    """Return the inputs with the batch marked: its axis wherever it is dynamic, with one symbol for all.

    Exporters often call it otherwise in each input. But a symbol that another axis has too is that axis's size.

    Args:
        batch_dim: the batch axis; None: there is none.
        unbatched: names of inputs without it.
    """
    if batch_dim is None:
        return tuple(inputs)
    inner = {symbol for spec in inputs for axis, symbol in spec.axes.items() if axis != batch_dim}
    dynamic = [spec for spec in inputs if spec.shape[batch_dim : batch_dim + 1] == (-1,)]
    batched = [spec for spec in dynamic if spec.name not in unbatched and spec.axes.get(batch_dim) not in inner]
    symbols = [spec.axes.get(batch_dim) for spec in batched]
    named = (s for spec, s in zip(batched, symbols, strict=True) if s not in (None, _own_symbol(spec.name, batch_dim)))
    symbol = next(named, "batch")
    return tuple(
        replace(spec, axes={**spec.axes, batch_dim: symbol}, batched=True) if spec in batched else spec
        for spec in inputs
    )
