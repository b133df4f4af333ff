"""Operations of which one is to blame, where no more is known than what goes into the first and out of the last."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

MOST_TOLD = 6  # Lines of code that are told each; of more, the first and the last
MOST_KEPT = 32  # Operations that are recorded, half of them from each end


@dataclass(frozen=True)
class Operation:
    """One operation of an artifact.

    Attributes:
        operator: "gelu".
        location: the user's line ("model.py:14"), "" where it is not known.
    """

    operator: str
    location: str = ""


def stretch_of(operations: Iterable[tuple[Operation, bool]]) -> tuple[Operation, ...]:
    """Return the operations that are worth telling, in their order; none if it is one alone.

    Args:
        operations: each with whether it is trivial (it makes a constant, or takes one of several results): such ones
            are left out where another one is of the same line. Equal ones in a row are one.
    """
    found = list(operations)
    lines = {each.location for each, trivial in found if not trivial} | {""}
    own = tuple(each for each, _ in groupby(e for e, trivial in found if not (trivial and e.location in lines)))
    return own if len(own) > 1 else ()


def kept(stretch: Sequence[Operation]) -> tuple[Operation, ...]:
    """Return what is recorded of a stretch: of a long one, both ends."""
    half = MOST_KEPT // 2
    return tuple(stretch) if len(stretch) <= MOST_KEPT else (*stretch[:half], *stretch[-half:])


def told(stretch: Sequence[Operation], count: int) -> str:
    """Return a stretch as people read it: "mul model.py:15, abs :17, div :18", "30 operators, mul model.py:15 to ...".

    Args:
        count: how many operations it had before `kept`.
    """
    lines = [
        (place, "+".join(each.operator for each in own))
        for place, own in groupby(stretch, key=lambda each: each.location)
    ]
    if len(lines) <= MOST_TOLD and count == len(stretch):
        return ", ".join(_named(lines))
    first, last = _named([(each.location, each.operator) for each in (stretch[0], stretch[-1])])
    return f"{count} operators, {first} to {last}"


def _named(lines: Sequence[tuple[str, str]]) -> list[str]:
    """Return operators with their lines; a file is named where it is another one than before."""
    found, before = [], ""
    for location, operators in lines:
        file, _, line = location.rpartition(":")
        found.append(f"{operators} {f':{line}' if file == before else location}".strip() if location else operators)
        before = file or before
    return found
