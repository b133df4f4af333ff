"""Which format a model file is: by its content, then by its suffix; no framework is asked."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

from pytest_navigator.backends.files.protobuf import Truncated, fields
from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PACKAGE = "nav"
"""Stands for a package among the names of formats."""

TORCH = ("torchscript", "torch-exportedprogram")

PLANS = ("trt", "trt-rtx")

SUFFIXES: dict[str, tuple[str, ...]] = {
    ".onnx": ("onnx",),
    ".savedmodel": ("tf-savedmodel",),
    ".pt": TORCH,
    ".pth": TORCH,
    ".jit": ("torchscript",),
    ".ts": ("torchscript",),
    ".torchscript": ("torchscript",),
    ".pt2": ("torch-exportedprogram",),
    ".plan": PLANS,
    ".trt": PLANS,
    ".engine": PLANS,
    ".nav": (PACKAGE,),
}
"""Suffix -> the formats that files with it have."""

TITLES = {
    "onnx": "an ONNX file",
    "tf-savedmodel": "a SavedModel",
    "torchscript": "a TorchScript file",
    "torch-exportedprogram": "an ExportedProgram",
    "trt": "a TensorRT plan",
    "trt-rtx": "a TensorRT-RTX plan",
    PACKAGE: "a package",
}
"""Format -> what people call a file of it."""

CUT_OFF = "is a ZIP archive that was cut off (TorchScript, an ExportedProgram or a package): copy it again"
LOAD_IT = "write a function that loads the model and give --nav-model=module:function"

FOREIGN: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs", "is a Git LFS pointer, not the model itself: run git lfs pull"),
    (b"\x89HDF\r\n", f"is an HDF5 file (Keras weights or an old Keras model): {LOAD_IT}"),
    (b"PK\x03\x04", CUT_OFF),
    (b"\x80", f"is a pickle (an old torch.save): {LOAD_IT}, or save it with torch.jit.save or torch.export.save"),
)
"""How files start that look like models and are none -> what to do with them."""

PLAN_MAGIC = {b"ptrt": "trt", b"ftrt": "trt", b"vtrt": "trt-rtx"}
"""How the engines of both flavours start."""
SAVED_MODEL = ("saved_model.pb", "saved_model.pbtxt")

# Fields of ONNX's ModelProto and how each is encoded (0: a number, 2: anything with a length).
ONNX_FIELDS = {1: 0, 2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2, 14: 2, 20: 2, 25: 2, 26: 2}
ONNX_GRAPH = 7


def format_of(path: Path, named: str | None = None) -> str:
    """Return the name of a file's or folder's format.

    Args:
        named: what the user says that it is; it decides only where the content does not.

    Raises:
        ConfigError: it is missing, empty, incomplete, no model, or another format than its name or the user says.
    """
    _check_there(path)
    found = _by_content(path)
    if found and named and found != named:
        raise ConfigError(f"{path} is {title(found)} by its content, not {title(named)}: --nav-model-format={found}")
    by_suffix = SUFFIXES.get(path.suffix.lower(), ())
    if found and by_suffix and found not in by_suffix and not named:
        raise ConfigError(
            f"{path} is called like {title(by_suffix[0])}, but its content is {title(found)}: rename it, or say "
            f"--nav-model-format={found}"
        )
    if found:
        return found
    return _without_content(path, named, by_suffix)


def title(name: str) -> str:
    """Return what people call a file of a format."""
    return TITLES.get(name, f"a file of the format {name!r}")


def _check_there(path: Path) -> None:
    if not path.exists():
        raise ConfigError(f"there is no file {path}")
    if path.is_file() and not path.stat().st_size:
        raise ConfigError(f"{path} is empty")


def _by_content(path: Path) -> str:
    """Return the format that the content tells, "" if it tells none.

    Raises:
        ConfigError: it tells something that is no model.
    """
    if path.is_dir():
        return "tf-savedmodel" if any((path / name).is_file() for name in SAVED_MODEL) else ""
    if zipfile.is_zipfile(path):
        return _of_zip(path)
    with path.open("rb") as file:
        head = file.read(32)
    if head[:4] in PLAN_MAGIC:
        return PLAN_MAGIC[head[:4]]
    for start, what in FOREIGN:
        if head.startswith(start):
            raise ConfigError(f"{path} {what}")
    return "onnx" if _is_onnx(path) else ""


def _of_zip(path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        # A package ends with a sample, a ZIP as well: cut off, that one is found, and it does not begin at 0.
        if min((info.header_offset for info in archive.infolist()), default=0):
            raise ConfigError(f"{path} {CUT_OFF}")
    inner = {name.partition("/")[2] for name in names}
    for test, found in ZIPS:
        if test(set(names), inner):
            return found
    if "data.pkl" in inner:
        raise ConfigError(
            f"{path} was written by torch.save: it holds weights or a pickled module, not a program. {LOAD_IT}, or "
            "save it with torch.jit.save or torch.export.save"
        )
    if "metadata.json" in names and "config.json" in names:
        raise ConfigError(f"{path} is a Keras archive: {LOAD_IT}, or write a SavedModel with model.export(folder)")
    return ""


ZIPS: tuple[tuple[Callable[[set[str], set[str]], bool], str], ...] = (
    (lambda names, _: "status.yaml" in names, PACKAGE),
    (lambda names, inner: "serialized_exported_program.json" in names | inner, "torch-exportedprogram"),
    (lambda _, inner: "archive_format" in inner and "models/model.json" in inner, "torch-exportedprogram"),
    (lambda _, inner: "constants.pkl" in inner and any(name.startswith("code/") for name in inner), "torchscript"),
)
"""What the names in a ZIP (whole, and below its top folder) show -> the format."""


def _is_onnx(path: Path) -> bool:
    """Walk over the outermost fields: weights are skipped, so that size does not matter."""
    seen = set()
    try:
        for field in fields(path):
            if ONNX_FIELDS.get(field.number) != field.kind:
                return False
            seen.add(field.number)
    except Truncated:
        if seen or path.suffix.lower() == ".onnx":
            raise ConfigError(f"{path} is not a complete ONNX file: it was cut off, or is something else") from None
        return False
    return ONNX_GRAPH in seen


def _without_content(path: Path, named: str | None, by_suffix: tuple[str, ...]) -> str:
    if named and named not in TITLES:
        return named
    said = named or (by_suffix[0] if by_suffix else "")
    if path.is_dir():
        raise ConfigError(f"{path} is a folder without {SAVED_MODEL[0]}: of the folders only SavedModels are models")
    if said:
        raise ConfigError(f"{path} is not {title(said)}: its content is something else, it starts with {_start(path)}")
    raise ConfigError(
        f"{path} is no model that is known here: it starts with {_start(path)}. Known are {', '.join(TITLES.values())}"
    )


def _start(path: Path) -> str:
    with path.open("rb") as file:
        return repr(file.read(12))[1:]
