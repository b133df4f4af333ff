"""The verdict on local errors, and what it leaves to look at."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_navigator.backends.torch.arrays import to_numpy
from pytest_navigator.comparison.divergence import EXPORT, first_divergence, no_divergence
from pytest_navigator.formats.diagnosis import save_evidence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_navigator.backends.torch.diagnosis.errors import Local
    from pytest_navigator.comparison.divergence import Divergence
    from pytest_navigator.formats.diagnosis import Question

SCRIPT = '''"""Compute again what differs first: {place}."""

import numpy as np
import torch

ARTIFACT, FOLDER = {artifact!r}, {folder!r}
x = [torch.from_numpy(array) for array in np.load(f"{{FOLDER}}/inputs.npz").values()]
{again}
print("the artifact:", outputs)
print("the model:", np.load(f"{{FOLDER}}/expected.npz")["value"])
'''


def judged(question: Question, found: Sequence[Local], skipped: Mapping[str, str], method: str) -> Divergence:
    """Return the first value that is wrong, with what goes into it and comes out in files.

    Args:
        found: in order. The source's own kernels compute both sides: what is right is so to the last bit.
        skipped: why modules could not be compared, by path.
    """
    segments = [each.segment for each in found]
    first = first_divergence(segments, EXPORT, method, exact=True)
    if first is None:
        nothing = no_divergence(segments, method)
        return replace(nothing, reason="; ".join(filter(None, [nothing.reason, _left_out(skipped)])))
    place = next(each for each in found if each.segment.value == first.value)
    evidence, script = _evidence(question, place)
    inside = {path: why for path, why in skipped.items() if path.startswith(f"{first.module}." if first.module else "")}
    return replace(first, reason=_left_out(inside), evidence=evidence, script=script)


def _left_out(skipped: Mapping[str, str]) -> str:
    """Return how many modules were not compared, and why the first one was not; "" for none."""
    if not skipped:
        return ""
    (path, why), more = next(iter(skipped.items())), len(skipped) - 1
    return f"not compared: {path or 'the model itself'} ({why}){f' and {more} more' if more else ''}"


def _evidence(question: Question, place: Local) -> tuple[str, str]:
    variant = question.variant
    script = SCRIPT.format(
        place=place.segment.place,
        artifact=f"{variant.key}/{variant.file}",
        folder=question.evidence.relative_to(question.root).as_posix(),
        again="\n".join(place.again),
    )
    inputs = {name: to_numpy(tensor) for name, tensor in place.inputs.items()}
    return save_evidence(
        question, inputs, {"value": to_numpy(place.expected)}, {"value": to_numpy(place.actual)}, script
    )
