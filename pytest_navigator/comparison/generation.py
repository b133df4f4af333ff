"""A generation: what one step hands to the next, and whether a runner chooses the source's tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pytest_navigator.comparison.ties import tied
from pytest_navigator.errors import StepFailed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pytest_navigator.comparison.tolerances import Rule
    from pytest_navigator.core.records import Signature


class Generation(NamedTuple):
    """How the steps of a generation hang together.

    Attributes:
        carried: input -> the output of the step before that it is.
        scores: the output whose last position the next token is chosen by.
    """

    carried: dict[str, str]
    scores: str


def generation_of(signature: Signature) -> Generation:
    """Return what the names say: an output that is called as an input is that input of the next step.

    Raises:
        StepFailed: no output is called as an input, or no other one holds scores of tokens.
    """
    outputs = {spec.name: spec for spec in signature.outputs}
    carried = {
        spec.name: name for spec in signature.inputs for name in (spec.name, f"output__{spec.name}") if name in outputs
    }
    if not carried:
        names = ", ".join(spec.name for spec in signature.inputs)
        raise StepFailed(f"decoding: no output is called as an input ({names}): a step hands nothing to the next one")
    rest = [spec for spec in signature.outputs if spec.name not in carried.values()]
    scores = [spec.name for spec in rest if len(spec.shape) == 3 and "float" in spec.dtype]
    if not scores:
        raise StepFailed("decoding: no output holds the scores of tokens: floats of (batch, position, token)")
    return Generation(carried, "logits" if "logits" in scores else scores[0])


class Choice(NamedTuple):
    """The tokens that were chosen in one step, of every row.

    Attributes:
        number: of rows; tied: of those where another token was chosen whose score is as good as equal.
        problem: why they are not the source's; "": they are.
    """

    number: int
    tied: int
    problem: str


def chosen(expected: NDArray[np.generic], actual: NDArray[np.generic], rule: Rule) -> Choice:
    """Compare the likeliest tokens by two arrays of scores, (batch, position, token): those after the last position."""
    scores, found = np.asarray(expected)[:, -1], np.asarray(actual)[:, -1]
    own, other = scores.argmax(-1), found.argmax(-1)
    rows = np.flatnonzero(own != other)
    if not rows.size:
        return Choice(len(own), 0, "")
    if tied(own, other, {"scores": scores}, {"scores": rule}):
        return Choice(len(own), int(rows.size), "")
    row = int(rows[0])
    return Choice(len(own), 0, f"row {row} goes on with token {other[row]}, the source with {own[row]}")
