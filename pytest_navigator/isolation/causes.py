"""What an error comes from: its innermost cause, and what is not registered where it is needed (pure)."""

from __future__ import annotations

import re

from pytest_navigator.text import LINE, RECORD, bounded, text_of

CAUSE = re.compile(r"\w*(Error|Exception): \S")  # How a line starts that ends a traceback

# How its errors start: a code, and the type that the exception has, too.
ONNX_RUNTIME = re.compile(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ")

# What Keras makes of the errors in a layer: the cause stands in the middle, in bold.
KERAS = re.compile(r"Exception encountered when calling ([\w.]+\(\))\.\s+\x1b\[1m(.+?)\x1b\[0m", re.DOTALL)

# How TensorFlow starts the error of a graph, whose cause is behind the places of its nodes.
GRAPH = "Graph execution error:"

PLACES = ("Detected at node", "<stack traces", "File ", "Stack trace for op", GRAPH)

# What frameworks say of an operator or a class that nobody has registered in this process -> what it is.
UNREGISTERED = (
    (r"failed to resolve torch\.ops\.(\w+)\.(\w+)", "the operator '{0}::{1}'"),
    (r"Unknown builtin op: ([\w:]+)", "the operator '{0}'"),
    (r"(?:operator|op) '?(\w+::\w+)'? does not exist", "the operator '{0}'"),
    (r"__torch__\.torch\.classes\.(\w+\.\w+)", "the class '{0}' of torch.classes"),
    (r"Tried to instantiate class '([\w.]+)', but it does not exist", "the class '{0}' of torch.classes"),
    (r"Deserializing (?:<class ')?([\w.]+)(?:'>)? in pytree is not registered", "the class '{0}'"),
    (r"Op type not registered '([^']+)'", "the operator '{0}'"),
    (r"Could not locate (class|function|object) '([^']+)'", "the {0} '{1}'"),
    (r"Unknown (layer|object|loss|metric|initializer|activation function): '?([\w>:.]+)", "the {0} '{1}'"),
)

NOT_REGISTERED = "is not registered in the process that runs the model"


def error_line(error: BaseException) -> str:
    """Return the type of an error and what it says, in one line, with its innermost cause if that says more."""
    chain = list(_chain(error))
    if missing := next(filter(None, (_unregistered(_said(each)) for each in reversed(chain))), ""):
        return f"{missing} {NOT_REGISTERED}"
    text, cause = _line(error), _line(chain[-1])
    known = not chain[1:] or _first(_said(chain[-1])) in _said(error) or cause == text
    return bounded((text if known else f"{text} (caused by {cause})") + _hint(chain[-1]), LINE)


def _hint(cause: BaseException) -> str:
    # Python, and what others wrote in it, takes files for ASCII in the C locale of a container.
    ascii_only = isinstance(cause, UnicodeError) and getattr(cause, "encoding", "") == "ascii"
    return "; files are ASCII in this locale (LC_ALL, LANG): set PYTHONUTF8=1" if ascii_only else ""


def innermost(error: BaseException) -> BaseException:
    """Return what an error was raised from in the first place; itself, if from nothing."""
    return _chain(error)[-1]


def unwrapped(text: str) -> str:
    """Return an error of Keras as its cause, with the layer; one of ONNX Runtime without its code."""
    found = KERAS.search(text)
    return f"{' '.join(found[2].split())} (in {found[1]})" if found else ONNX_RUNTIME.sub("", text)


def _chain(error: BaseException) -> list[BaseException]:
    """Return an error and what it was raised from, the innermost one last."""
    found = [error]
    while (inner := found[-1].__cause__) is not None and inner not in found:
        found.append(inner)
    return found


def _said(error: BaseException) -> str:
    return bounded(text_of(error), RECORD)


def _unregistered(text: str) -> str:
    for pattern, what in UNREGISTERED:
        if found := re.search(pattern, text):
            return what.format(*found.groups())
    return ""


def _line(error: BaseException) -> str:
    """Return the type of an error and the first line of what it says, or the one where the cause is.

    TorchScript's interpreter, for one, starts with a traceback of its own and ends with "RuntimeError: the cause".
    """
    text = unwrapped(_said(error)).strip()
    lines = text.splitlines()
    if len(lines) > 1 and CAUSE.match(lines[-1].strip()):
        return lines[-1].strip()
    first = _first(text)
    return f"{type(error).__name__}: {first}" if first else type(error).__name__


def _first(text: str) -> str:
    """Return the first line that says what is wrong, with what ONNX Runtime and TensorFlow say below it."""
    lines = text.strip().splitlines()
    if text.strip().startswith(GRAPH):
        lines = [line for line in lines if line[:1].strip() and not line.startswith(PLACES)] or lines
    if lines and lines[0].rstrip().endswith("for the following indices"):
        shown = (" ".join(line.split()) for line in lines if line.lstrip().startswith("index:"))
        return f"{lines[0].strip()}: {'; '.join(shown)}"
    return lines[0].strip() if lines else ""
