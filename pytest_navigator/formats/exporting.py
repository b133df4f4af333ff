"""Calling exporters and converters: their errors in one line, their warnings in the log."""

from __future__ import annotations

import os
import re
import sys
import traceback
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.errors import NavigatorError, StepFailed
from pytest_navigator.formats.traces import public_name
from pytest_navigator.isolation.breakdowns import DEFECT
from pytest_navigator.isolation.causes import unwrapped
from pytest_navigator.text import bounded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pytest_navigator.core.records import Signature

# Whose lines in a traceback are not the user's.
LIBRARIES = (
    "torch",
    "tensorflow",
    "keras",
    "tf2onnx",
    "jax",
    "jaxlib",
    "flax",
    "equinox",
    "jax2onnx",
    "onnx",
    "onnxruntime",
)

OWN_FOLDER = f"{Path(__file__).parents[1]}{os.sep}"

# Types, exactly, of what a line of ours raises where it is wrong about what a library gives.
MISTAKES = (AssertionError, AttributeError, IndexError, KeyError, NameError, UnboundLocalError)

# Characters of what an exporter says; of more the beginning and the end are told, where the sizes often are.
LONGEST = 400

TRACER = ": TracerWarning: "  # What torch says of what its tracer cannot see

# How a cause ends that has its place: TorchScript's compiler knows the line of the expression.
PLACED = re.compile(r" \(at \S+:\d+\)$")

TOLD = re.compile(r'File "([^"\n]+)", line (\d+)(?:, in [^\n]*)?\n\s+([^\n]+)')  # A frame in the text of an error
OTHERS = r"site-packages|pytest_navigator/|^flat\.py$"  # In the names of files that are not the user's

# What exporters say of failures that users meet often, and what it means for their model.
CAUSES = (
    (
        r"You marked (\w+) as dynamic but your code specialized it to be a constant \((\d+)\)",
        "the model fixes {0} to {1} (by int(x.shape[i]), or by a branch or a loop on the size)",
    ),
    (r"satisfy the generated guard (.+?)\.?$", "the model does not take every size: it needs {0}"),
    (
        r"[Uu]sing a symbolic `tf.Tensor` as a Python `bool`",
        "the model branches on the values of a tensor (use tf.cond, or put the branch into a tf.function)",
    ),
    (r"Could not guard on data-dependent expression (.+?) \(", "the model branches on the values of a tensor ({0})"),
    (r"Attempted boolean conversion of traced array", "the model branches on the values of an array"),
    (
        r"Symbolic dimension '(.+?)' used in a context that requires a constant",
        "the model takes {0}, which is dynamic, for a constant (by int(x.shape[i]))",
    ),
    (r"Symbolic dimension comparison '(.+?)' (\S+) '(.+?)' is inconclusive", "the model branches on {0} {1} {2}"),
    (r"patched_(\w+)\(\) takes \d+ positional", "jax2onnx needs the arguments of {0} after the first one by name"),
)


@contextmanager
def exporter(what: str) -> Iterator[list[str]]:
    """Run an exporter: its errors become StepFailed, its warnings lines of the list and of stderr, never errors."""
    lines: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield lines
        except NavigatorError:
            raise
        except Exception as error:
            raise failure(what, error) from error
        finally:
            lines += _useful(caught)
            print(*lines, sep="\n", end="\n" if lines else "", file=sys.stderr)


def frozen(lines: Sequence[str]) -> str:
    """Return what to know of a trace that took Python values for constants in the model's own code; "" if it did not.

    The framework's own layers do that too, where they only check their arguments.
    """
    found = [line for line in lines if TRACER in line and not line.startswith(tuple(f"{name}/" for name in LIBRARIES))]
    if not found:
        return ""
    more = f" ({len(found) - 1} more in format.log)" if len(found) > 1 else ""
    return found[0].partition(". ")[0] + more


def _useful(caught: list[warnings.WarningMessage]) -> list[str]:
    """Deprecations speak to the exporter's callers, which is us; what concerns the model stays."""
    kept = [w for w in caught if not issubclass(w.category, DeprecationWarning | FutureWarning)]
    return list(dict.fromkeys(_line(w) for w in kept))


def _line(warning: warnings.WarningMessage) -> str:
    place = f"{public_name(warning.filename)}:{warning.lineno}"
    return f"{place}: {warning.category.__name__}: {' '.join(str(warning.message).split())}"


def failure(what: str, error: BaseException) -> StepFailed:
    """Return an exporter's error as one line with its root cause and the place in the model, the rest as detail."""
    root = error
    # Only the ONNX exporter's own errors say no more than "step 2/3"; elsewhere the outer one knows more.
    while root.__cause__ is not None and type(root).__module__.startswith("torch.onnx"):
        root = root.__cause__
    detail = "".join(traceback.format_exception(error))
    if mistake := _ours(root):
        told = f"while it used {what}, which tells nothing of the model: {mistake}; please report it, with format.log"
        return StepFailed(f"pytest_navigator itself failed {told}", detail, DEFECT)
    cause = _cause(str(root) or repr(root))
    place = "" if PLACED.search(cause) else _place(error) or _told(str(root))
    return StepFailed(f"{what}: {cause}{place}", detail, type(root).__name__)


def _cause(text: str) -> str:
    text = unwrapped(text)
    for pattern, meaning in CAUSES:
        if found := re.search(pattern, text, re.MULTILINE):
            return meaning.format(*found.groups())
    if text.startswith("in user code:"):  # TensorFlow's AutoGraph, which has a traceback of its own
        return text.strip().splitlines()[-1].strip()
    if found := re.match(r"\s*(.+?)[.:]*\n\s*File \"([^\"]+)\", line (\d+)", text):  # TorchScript's compiler
        return f"{found[1]} (at {Path(found[2]).name}:{found[3]})"
    lines = [line.strip() for line in re.sub(r" at 0x[0-9a-f]+", "", text).splitlines() if line.strip()]
    end = 2 if lines[0].endswith(":") else 1
    line = " ".join(lines[:end])
    return bounded(line, LONGEST)


def _ours(error: BaseException) -> str:
    """Return what our own code raised by mistake, and where; "" for what others raise, or we on purpose."""
    frames = traceback.extract_tb(error.__traceback__)
    mistaken = type(error) in MISTAKES or str(error).startswith("zip() argument")
    # JAX takes its own frames out of a traceback, and says so: the last one is not where the error comes from.
    whole = not any("internal frames" in note for note in getattr(error, "__notes__", ()))
    if not mistaken or not whole or not frames or not frames[-1].filename.startswith(OWN_FOLDER):
        return ""
    # Below our own folder: several rooms have a names.py.
    name, number, line = frames[-1].filename.removeprefix(OWN_FOLDER), frames[-1].lineno, frames[-1].line or ""
    return "" if line.startswith("raise ") else f"{type(error).__name__}: {error} (at {name}:{number}: {line})"


def _place(error: BaseException | None) -> str:
    """Return the innermost line of the traceback that is the user's, neither a framework's nor ours."""
    packages = [sys.modules[name].__file__ for name in LIBRARIES if name in sys.modules]
    files = [file for file in (*packages, os.__file__) if file]
    others = (OWN_FOLDER, *(f"{Path(file).parent}{os.sep}" for file in files))
    while error is not None:
        for frame in reversed(traceback.extract_tb(error.__traceback__)):
            if Path(frame.filename).is_file() and not _in(frame.filename, others):
                return f" (at {Path(frame.filename).name}:{frame.lineno}: {frame.line})"
        error = error.__cause__
    return ""


def _told(text: str) -> str:
    """Return the innermost line of the user's that an error tells of: what fails in a graph has no frame any more."""
    for file, number, line in reversed(TOLD.findall(text)):
        if not file.startswith(tuple(f"{name}/" for name in LIBRARIES)) and not re.search(OTHERS, file):
            return f" (at {Path(file).name}:{number}: {line.strip()})"
    return ""


def _in(file: str, folders: tuple[str, ...]) -> bool:
    """Whether a file is in one of the folders; other packages that are installed below the last one are not."""
    *packages, standard = folders
    return file.startswith(tuple(packages)) or (file.startswith(standard) and "site-packages" not in file)


def fixed_axis(what: str, kind: str, name: str, size: int) -> str:
    """Say that an exporter made a dynamic axis a constant one."""
    return f"{what} of {kind} {name!r} was fixed to {size} by the exporter: the model takes no other size"


def axis_name(axis: int, signature: Signature) -> str:
    """Return what an axis is called."""
    return "the batch axis" if axis == signature.batch_dim else f"axis {axis}"
