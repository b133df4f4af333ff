"""What LiteRT's converters say of operators that LiteRT has not."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_navigator.errors import NavigatorError, StepFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

# litert-torch's, with the call; TensorFlow's, with a list of operators and their types.
LOWERING = re.compile(r"Lowering not found: (\S+)")
FLEX = re.compile(r"(?:Flex|TF Select|Custom) ops: ([^\n]+)")


@contextmanager
def converting() -> Iterator[None]:
    """Name the operators that LiteRT has not, where a converter says so.

    Raises:
        StepFailed: there are such.
    """
    try:
        yield
    except NavigatorError:
        raise
    except Exception as error:
        if text := unsupported(str(error)):
            raise StepFailed(text, kind=type(error).__name__) from error
        raise


def unsupported(text: str) -> str:
    """Return which operators LiteRT has not, "" if that is not what an error says."""
    if found := LOWERING.search(text):
        where = re.findall(r'File "([^"]+)", line (\d+), in \w+\n\s*([^\n]+)', text)
        place = f" (at {where[-1][0].rpartition('/')[2]}:{where[-1][1]}: {where[-1][2].strip()})" if where else ""
        return f"litert-torch has no operator of LiteRT for {found[1]}{place}"
    if found := FLEX.search(text):
        names = [name.strip() for name in found[1].split(",")]
        return (
            f"LiteRT has no operator for {', '.join(names)}: only TensorFlow's own (Flex) would run it, which is not "
            "in LiteRT's runtime"
        )
    return ""
