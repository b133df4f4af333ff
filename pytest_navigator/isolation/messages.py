"""What goes between a process and its child: plain data and arrays. Nothing is pickled."""

from __future__ import annotations

import json
import traceback
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from pytest_navigator.errors import ConfigError, SourceError, StepFailed, Unavailable
from pytest_navigator.isolation.causes import error_line
from pytest_navigator.text import LOG, bounded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np


Message: TypeAlias = dict[str, Any]
"""What this process and its child tell each other: the same code is at both ends."""

# numpy's kinds of types whose bytes are the whole value (not objects, structures or numpy's StringDType).
PLAIN_KINDS = "biufcSUmM"

ERRORS: dict[str, Callable[[Message], Exception]] = {
    "StepFailed": lambda fields: StepFailed(**fields),
    "Unavailable": lambda fields: Unavailable(**fields),
    "ConfigError": lambda fields: ConfigError(fields["message"]),
    "SourceError": lambda fields: SourceError(fields["message"]),
}


def encode(content: Mapping[str, Any], arrays: Mapping[str, np.ndarray] | None = None) -> Iterator[bytes]:
    """Return an iterator over the parts of a message: a header, then the bytes of every array.

    Args:
        content: plain data; an "arrays" in it is ours.
        arrays: None is not the same as no arrays, and arrives as None.

    Raises:
        TypeError: something is not plain data, or an array's elements are objects or structures.
    """
    table = None
    if arrays is not None:
        table = [
            {"name": name, "dtype": _dtype_name(name, array.dtype), "shape": array.shape}
            for name, array in arrays.items()
        ]
    header = json.dumps({**content, "arrays": table}).encode()
    return _parts(header, list((arrays or {}).values()))


def decode(receive: Callable[[], bytes]) -> tuple[Message, dict[str, np.ndarray] | None]:
    """Return content and arrays of a message; `receive` returns one part after the other."""
    content = json.loads(receive())
    table = content.pop("arrays")
    if table is None:
        return content, None
    return content, {entry["name"]: _array(entry["dtype"], entry["shape"], receive()) for entry in table}


def error_fields(error: BaseException, frames_of: str = "") -> Message:
    """Return an error as plain data, the traceback without the first frames as long as they are in file `frames_of`."""
    if isinstance(error, StepFailed):
        parts = {"message": error.message, "detail": error.detail, "kind": error.kind, "data": error.data}
        return {"type": "StepFailed", **parts}
    if isinstance(error, Unavailable):
        return {"type": "Unavailable", "requirement": error.requirement}
    for kind in (ConfigError, SourceError):
        if isinstance(error, kind):
            return {"type": kind.__name__, "message": str(error)}
    name, detail = type(error).__name__, bounded(_traceback(error, frames_of), LOG)
    return {"type": "StepFailed", "message": error_line(error), "detail": detail, "kind": name}


def error_from(fields: Mapping[str, Any]) -> Exception:
    """Return the exception that `error_fields` turned into plain data."""
    rest = dict(fields)
    return ERRORS[rest.pop("type")](rest)


def _parts(header: bytes, arrays: Sequence[np.ndarray]) -> Iterator[bytes]:
    yield header
    for array in arrays:
        yield array.tobytes()


def _dtype_name(name: str, dtype: np.dtype[Any]) -> str:
    if dtype.kind in PLAIN_KINDS:
        return dtype.str
    if dtype.type.__module__ == "ml_dtypes":
        return dtype.name
    raise TypeError(
        f"array {name!r} has the type {dtype}, whose elements cannot go to another process as bytes; "
        "convert it to a number, bool or fixed-length string type (array.astype(str))"
    )


def _array(dtype: str, shape: Sequence[int], content: bytes) -> np.ndarray:
    import ml_dtypes
    import numpy as np

    kind = np.dtype(getattr(ml_dtypes, dtype, dtype))
    # A bytearray, so that the array can be written to: torch warns of one that cannot.
    return cast("np.ndarray", np.ndarray(tuple(shape), kind, buffer=bytearray(content)))


def _traceback(error: BaseException, frames_of: str) -> str:
    frame = error.__traceback__
    while frame is not None and frame.tb_frame.f_code.co_filename == frames_of:
        frame = frame.tb_next
    return "".join(traceback.format_exception(type(error), error, frame))
