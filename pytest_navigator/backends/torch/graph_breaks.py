"""Where `torch.compile` goes back to Python, by the lines of the user's code."""

from __future__ import annotations

import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_navigator.core.execution import MOST, GraphBreak, GraphBreaks
from pytest_navigator.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

LIBRARIES = tuple(sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib"))


def breaks_so_far() -> int:
    """Return how often anything of this process was cut while it was compiled."""
    from torch._dynamo.utils import counters

    return sum(counters["graph_break"].values())


def breaks_of(compiling: Callable[[], object]) -> GraphBreaks:
    """Return the graph breaks that a first call of something compiled runs into, each place once."""
    from torch._dynamo import utils

    before = len(utils.graph_break_reasons)
    compiling()
    found = list(dict.fromkeys(_breaks(utils.graph_break_reasons[before:])))
    return GraphBreaks(len(found), tuple(found[:MOST]))


def _breaks(reasons: Sequence[Any]) -> Iterable[GraphBreak]:
    # The last part of a function ends with a return, which is no break.
    return (GraphBreak(_place(r.user_stack), one_line(r.reason.partition("\n")[0])) for r in reasons if r.graph_break)


def _place(stack: Sequence[Any]) -> str:
    """Return the innermost line of the user's own code; the innermost of all in a model that is a library's."""
    own = [frame for frame in stack if not frame.filename.startswith(LIBRARIES)]
    frame = (own or stack)[-1]
    path = Path(frame.filename)
    return f"{path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path.name}:{frame.lineno}"
