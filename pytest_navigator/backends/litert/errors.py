"""What LiteRT's converters say of operators that LiteRT has not."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_navigator.errors import NavigatorError, StepFailed
from pytest_navigator.formats.stack_lines import line_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# litert-torch's, with the call; TensorFlow's, with a list of operators and their types.
LOWERING = re.compile(r"Lowering not found: (\S+)")
FLEX = re.compile(r"(?:Flex|TF Select|Custom) ops: ([^\n]+)")


@contextmanager
def converting(place: Callable[[str], str]) -> Iterator[None]:
    """Name the operators that LiteRT has not, where a converter says so.

    Args:
        place: returns the path of the module that a line ("model.py:3") belongs to, or "".

    Raises:
        StepFailed: there are such.
    """
    try:
        yield
    except NavigatorError:
        raise
    except Exception as error:
        if text := unsupported(str(error), place):
            raise StepFailed(text, kind=type(error).__name__) from error
        raise


def unsupported(text: str, place: Callable[[str], str]) -> str:
    """Return which operators LiteRT has not, "" if that is not what an error says."""
    if found := LOWERING.search(text):
        return f"litert-torch has no operator of LiteRT for {found[1]}{_where(text, place)}"
    if found := FLEX.search(text):
        names = [name.strip() for name in found[1].split(",")]
        return (
            f"LiteRT has no operator for {', '.join(names)}: only TensorFlow's own (Flex) would run it, which is not "
            "in LiteRT's runtime"
        )
    return ""


def _where(text: str, place: Callable[[str], str]) -> str:
    line = line_of(text)
    if not line:
        return ""
    path, code = place(line), re.findall(r'File "[^"]+", line \d+, in \w+\n\s*([^\n]+)', text)
    return f" (in {path or 'the model itself'}, at {line}{f': {code[-1].strip()}' if code else ''})"
