"""Named arrays in files, in Model Navigator's layout: one npz a sample, rows without their batch axis."""

from __future__ import annotations

import io
import math
import re
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, BinaryIO

import ml_dtypes
import numpy as np

from pytest_navigator.core.plain import write_atomically
from pytest_navigator.core.records import TEXT_TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_navigator.core.records import TensorSpec


# The types that numpy has from ml_dtypes, by name.
MORE_TYPES: dict[str, np.dtype[Any]] = {
    name: np.dtype(kind)
    for name, kind in vars(ml_dtypes).items()
    if isinstance(kind, type) and issubclass(kind, np.generic)
}

KINDS = "biufcmM"  # Of numpy's own types: those of numbers, and of times

# A file of arrays may unpack to so many times its size, and always to the second, in B. Ours are not compressed.
MOST_RATIO = 20
SMALL = 64 * 2**10

# What reading a damaged file of arrays raises.
UNREADABLE = (
    ValueError,
    OSError,
    EOFError,
    KeyError,
    RuntimeError,
    NotImplementedError,
    zipfile.BadZipFile,
    zlib.error,
)

# How a type is called; numpy takes more, which describes records of several.
TYPE_NAME = re.compile(r"[<>=|]?[A-Za-z]\w{0,20}(\[\w{1,5}\])?")


def save_npz(
    path: Path, arrays: Mapping[str, np.ndarray], specs: Sequence[TensorSpec] = (), batch_dim: int | None = None
) -> None:
    """Write arrays atomically; the same arrays give the same bytes.

    Types that only ml_dtypes has are stored in float32 (integers in int8), so that numpy alone can read the file.

    Args:
        path: of the file.
        arrays: by name; any name is possible.
        specs: which of them are batched, where `batch_dim` is given.
        batch_dim: given for rows: the axis, of size 1, that batched arrays are stored without.

    Raises:
        ValueError: a batched array is not a row, or an array holds Python objects.
    """
    batched = {spec.name for spec in specs if spec.batched}
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, array in arrays.items():
            stored = storable(array)
            if batch_dim is not None and name in batched:
                stored = np.squeeze(stored, batch_dim)
            # Not np.savez: it writes the time of the day, and takes no array that is called `file`.
            with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w", force_zip64=True) as file:
                np.lib.format.write_array(file, stored, allow_pickle=False)
    write_atomically(path, buffer.getvalue())


def load_npz(path: Path, specs: Sequence[TensorSpec], batch_dim: int | None = None) -> dict[str, np.ndarray]:
    """Read the arrays of `specs`, in their order and with their types.

    Args:
        path: of a file that `save_npz` or Model Navigator wrote.
        specs: what to read.
        batch_dim: given for rows: the axis that batched arrays are stored without.

    Raises:
        KeyError: an array is not in the file.
        zipfile.BadZipFile: the file is damaged.
        ValueError: an array holds Python objects; they are never unpickled.
    """
    with zipfile.ZipFile(path) as archive:
        check_size(archive, path.stat().st_size)
        return {spec.name: _loaded(archive, spec, batch_dim) for spec in specs}


def read_npz(file: BinaryIO, size: int) -> dict[str, np.ndarray]:
    """Read every array of a file of somebody else's, by name.

    Args:
        size: of the file in B, as it is stored: it may unpack to some times that.

    Raises:
        zipfile.BadZipFile, ValueError, OSError, EOFError: it is damaged, or no file of arrays, or unpacks to too much.
    """
    with zipfile.ZipFile(file) as archive:
        check_size(archive, size)
        return {name.removesuffix(".npy"): _array(archive, name) for name in archive.namelist()}


def check_size(archive: zipfile.ZipFile, size: int) -> None:
    """Raise ValueError if a file of arrays unpacks to more than its size lets expect; nothing is unpacked for that."""
    for info in archive.infolist():
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{info.filename} is compressed by method {info.compress_type}, which numpy does not use")
    unpacked = sum(info.file_size for info in archive.infolist())
    if unpacked > max(SMALL, MOST_RATIO * size):
        raise ValueError(f"it unpacks to {unpacked} B, more than {MOST_RATIO} times its {size} B")


def npz_name(index: int, count: int) -> str:
    """Return the name of the file of sample `index` of `count`: equally long names, so that they sort."""
    return f"{index:0{len(str(count))}d}.npz"


def dtype_name(dtype: np.dtype) -> str:
    """Return the name of a type as `TensorSpec` has it; text has no length."""
    return TEXT_TYPES.get(dtype.kind, dtype.name)


def dtype_of(name: str) -> np.dtype:
    """Return the type that `dtype_name` gave the name of.

    Raises:
        TypeError: there is no such type, or it is not one of numbers or text.
    """
    if name in MORE_TYPES:
        return MORE_TYPES[name]
    found: np.dtype[Any] | None = np.dtype(name) if TYPE_NAME.fullmatch(name) else None
    if found is None or (found.kind not in KINDS and name not in TEXT_TYPES.values()):
        raise TypeError(f"{name[:40]!r} is no type of numbers or text")
    return found


def _loaded(archive: zipfile.ZipFile, spec: TensorSpec, batch_dim: int | None) -> np.ndarray:
    array = _array(archive, f"{spec.name}.npy")
    if spec.dtype not in TEXT_TYPES.values():
        array = _cast(array, dtype_of(spec.dtype))
    return np.expand_dims(array, batch_dim) if batch_dim is not None and spec.batched else array


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    # numpy makes room for whatever a header says: it is held against what the file has.
    held = archive.getinfo(name).file_size
    with archive.open(name) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        try:
            shape, _, dtype = read(file)
        except MemoryError:  # Python's own, of an expression in too many brackets or signs
            raise ValueError(f"the header of {name} is nested too deep") from None
        said = math.prod(shape) * max(dtype.itemsize, 1)
        if any(size < 0 for size in (*shape, dtype.itemsize)) or said > held:  # before numpy 2, a size may overflow
            raise ValueError(f"{name} says that it has {shape} of {dtype}, which are not in its {held} B")
    with archive.open(name) as file:
        array: np.ndarray = np.lib.format.read_array(file, allow_pickle=False)
    return array


def storable(array: np.ndarray) -> np.ndarray:
    """Return an array that numpy alone can read: types that only ml_dtypes has in float32, its integers in int8."""
    if array.dtype.name not in MORE_TYPES:
        return array
    return _cast(array, np.dtype(np.int8 if "int" in array.dtype.name else np.float32))


def _cast(array: np.ndarray, dtype: np.dtype) -> np.ndarray:
    with np.errstate(invalid="ignore"):  # ml_dtypes warns of a signalling NaN
        return array.astype(dtype, copy=False)
