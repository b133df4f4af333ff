"""What tells models, arrays, texts and artifacts apart: SHA-256 of each."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    import numpy as np

    from pytest_navigator.core.plain import JSON


def fingerprint(digests: Mapping[str, str], changing: Collection[str]) -> str:
    """Return one digest of the parameters but for those that change when the model is called; "" if none is left."""
    lasting = sorted((name, digest) for name, digest in digests.items() if name not in changing)
    return hashlib.sha256(repr(lasting).encode()).hexdigest() if lasting else ""


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Return the names of what appeared, went or changed between two times that the digests were taken."""
    return sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))


def digest_of_arrays(arrays: dict[str, np.ndarray]) -> str:
    """Return the SHA-256 over names, types, shapes and bytes."""
    total = hashlib.sha256()
    for name, array in arrays.items():
        total.update(f"{name}\0{array.dtype}\0{array.shape}\0".encode(errors="surrogatepass"))
        total.update(array.tobytes())
    return total.hexdigest()


def text_digest(text: str) -> str:
    """Return the SHA-256 of a text, also of the name of a file that is not UTF-8."""
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def plain_digest(content: JSON) -> str:
    """Return the SHA-256 of plain data, the same in whatever order its keys are and after it was read from a file."""
    return hashlib.sha256(json.dumps(_with_text_keys(content), sort_keys=True).encode()).hexdigest()


def _with_text_keys(value: JSON) -> JSON:
    # As JSON writes them: {2: a, 10: b} has another order when it was read, {1: a, "x": b} has none.
    if isinstance(value, dict):
        return {k if isinstance(k, str) else json.dumps(k): _with_text_keys(item) for k, item in value.items()}
    return [_with_text_keys(item) for item in value] if isinstance(value, list | tuple) else value


def files_of(path: Path) -> list[Path]:
    """Return the files of an artifact: a folder's, or the file and those that the weights of an ONNX file are in."""
    from pytest_navigator.core.external_data import external_data  # a run that only collects reads no file

    if path.is_dir():
        return sorted(inner for inner in path.rglob("*") if inner.is_file())
    weights = path.with_name(f"{path.name}.data")
    parts = external_data(path) if path.suffix == ".onnx" else []
    if weights.is_file() and weights not in parts:  # no ONNX file says so, but it is never another model's
        parts.insert(0, weights)
    return [path, *parts]


def size_of(path: Path) -> int:
    """Return the bytes of all files of an artifact."""
    return sum(each.stat().st_size for each in files_of(path))


def digest_of(path: Path) -> str:
    """Return the SHA-256 of an artifact; of one that has several files, of their names and contents."""
    files = files_of(path)
    if files == [path]:
        return _sha256(path)
    root = path if path.is_dir() else path.parent
    text = "".join(f"{inner.relative_to(root).as_posix()}\0{_sha256(inner)}\n" for inner in files)
    return text_digest(text)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
