"""Whether class ids differ only where the scores that they were chosen by are as good as equal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_navigator.comparison import measures

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from pytest_navigator.comparison.tolerances import Rule

    Array = NDArray[Any]


def tied(ids: Array, other: Array, outputs: Mapping[str, Array], rules: Mapping[str, Rule]) -> bool:
    """Whether every id that differs stands for a score that is as near to the source's choice as rounding explains.

    Only the model's own scores prove it: another output whose argmax the ids are, or that `topk` or `sort` gave beside
    them. What was computed has no ties, nor have ids whose scores the model does not return.

    Args:
        ids, other: the source's and the format's, of one shape.
        outputs: everything that the source returned; rules: of those.
    """
    if ids.dtype.kind not in "iu" or not ids.ndim or other.dtype.kind not in "iu" or ids.shape != other.shape:
        return False
    scores = [(array, rules[name].explained) for name, array in outputs.items() if name in rules]
    return any(_explain(ids, other, np.asarray(array), near) for array, near in scores if near)


def _explain(ids: Array, other: Array, scores: Array, near: float) -> bool:
    if measures.is_exact(scores.dtype) or measures.is_text(scores.dtype) or scores.dtype.kind == "c":
        return False
    wide = scores.astype(np.float64)
    pairs = [*_of_argmax(ids, other, wide), *_of_order(ids, other, wide)]
    scale = measures.scale([measures.magnitudes(scores)], float(np.abs(wide).max(initial=0.0)))
    return any(bool(np.all(np.abs(a - b) <= near * (np.abs(a) + scale))) for a, b in pairs)


def _of_argmax(ids: Array, other: Array, scores: Array) -> Iterable[tuple[Array, Array]]:
    """Yield the scores of the source's choices and of the format's, for each axis that the ids are the argmax along."""
    for axis in range(scores.ndim):
        if scores.shape[:axis] + scores.shape[axis + 1 :] != ids.shape or not scores.size:
            continue
        inside = other.min() >= 0 and other.max() < scores.shape[axis]
        if inside and np.array_equal(scores.argmax(axis), ids):
            chosen, taken = (np.expand_dims(each.astype(np.intp), axis) for each in (ids, other))
            yield np.take_along_axis(scores, chosen, axis), np.take_along_axis(scores, taken, axis)


def _of_order(ids: Array, other: Array, scores: Array) -> Iterable[tuple[Array, Array]]:
    """Yield the scores in their order, and those of the format's ids, for ids that are sorted by scores beside them."""
    if scores.shape != ids.shape or not scores.size:
        return
    steps = np.diff(scores)
    same = np.array_equal(np.sort(ids), np.sort(other))
    if same and ids.shape[-1] > 1 and ((steps <= 0).all() or (steps >= 0).all()):
        right, found = (np.take_along_axis(scores, np.argsort(each), -1) for each in (ids, other))
        yield right, found
