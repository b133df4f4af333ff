"""Values that an artifact computes from the source's own: the verdict on them, and what it leaves to look at."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_navigator.comparison.correctness import Comparison
from pytest_navigator.comparison.divergence import EXPORT, Segment, first_divergence, no_divergence
from pytest_navigator.comparison.local_errors import described, local_error, magnitude, unit_of
from pytest_navigator.formats.diagnosis import save_evidence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np

    from pytest_navigator.comparison.divergence import Divergence
    from pytest_navigator.comparison.stretches import Operation
    from pytest_navigator.formats.diagnosis import Question

SCRIPT = '''"""Compute again what differs first: {place}.

Run it in the folder that has {artifact}.
"""

import numpy as np
{imports}
ARTIFACT, FOLDER = {artifact!r}, {folder!r}
x = [{array} for array in np.load(f"{{FOLDER}}/inputs.npz").values()]
{again}
right = np.load(f"{{FOLDER}}/expected.npz")["value"]
shape = getattr(outputs, "shape", None)
print("shapes:", type(outputs).__name__ if shape is None else list(shape), "right is", list(right.shape))
if shape == right.shape:
    found = np.asarray(outputs, complex if right.dtype.kind == "c" else float)
    off = abs(found - right)
    at = tuple(map(int, np.unravel_index(off.argmax(), off.shape)))
    print(f"largest difference: {{off.max():.3g}} at {{list(at)}}: {{found[at]}}, right is {{right[at]}}")
'''


BETTER = 3  # Times that the error must be smaller where an optimizer is to blame


@dataclass(frozen=True)
class Library:
    """How a library's arrays become numpy's, and how scripts import it and make its arrays of numpy's."""

    to_numpy: Callable[[Any], np.ndarray]
    imports: str
    array: str


@dataclass
class Local:
    """One value, with arrays of the library that computes it.

    Attributes:
        inputs: what it is computed from, by name. expected, actual: what is right and what came out.
        again: lines of Python that compute `outputs` from `x`, the list of its inputs; none: no script can.
    """

    segment: Segment
    inputs: Mapping[str, Any]
    expected: Any
    actual: Any
    again: tuple[str, ...] = ()


def local(
    library: Library,
    expected: Any,
    actual: Any,
    inputs: Mapping[str, Any],
    again: Sequence[str] = (),
    **known: str,
) -> Local:
    """Return a value with its error.

    Args:
        known: the fields of `Segment` that are text.
    """
    right, found = library.to_numpy(expected), library.to_numpy(actual)
    segment = Segment(
        error=local_error(found, right),
        magnitude=magnitude(right),
        inputs=tuple(described(library.to_numpy(array)) for array in inputs.values()),
        output=described(found) if found.dtype == right.dtype else f"{described(found)}, not {right.dtype}",
        precision=unit_of(right),
        stretch=(),
        **known,
    )
    return Local(segment, inputs, expected, actual, tuple(again))


def at_the_end_of(stretch: tuple[Operation, ...], found: Local) -> Local:
    """Return a value with the operations that compute it, as in `Segment`."""
    return replace(found, segment=replace(found.segment, stretch=stretch))


def right(question: Question, outputs: Mapping[str, np.ndarray]) -> bool:
    """Whether outputs of the sample that failed are within their tolerances."""
    comparison = Comparison(question.rules)
    comparison.add(question.case.sample, question.case.kind, question.expected(), outputs)
    return not any(report.problem for report in comparison.reports())


def clearly_right(question: Question, outputs: Mapping[str, np.ndarray], wrong: Mapping[str, np.ndarray]) -> bool:
    """Whether outputs are right where the others are not: what is near its limit would be so by accident."""
    expected = question.expected()

    def error(found: Mapping[str, np.ndarray]) -> float:
        return max((local_error(found[name], expected[name]) for name in question.outputs if name in found), default=0)

    return BETTER * error(outputs) < error(wrong) and right(question, outputs)


def judged(
    question: Question,
    library: Library,
    found: Sequence[Local],
    method: str,
    skipped: Mapping[str, str],
    *,
    verdict: str = EXPORT,
    reason: str = "",
    artifact: str = "",
) -> Divergence:
    """Return the first value that is wrong, with what goes into it and comes out in files.

    Args:
        found: in order. The source's own kernels compute most of both sides: what is right is so to the last bit.
        skipped: why modules could not be compared, by path.
        verdict, reason: what it means where one is wrong.
        artifact: what scripts load, below the suite's folder; "": that of the variant.
    """
    segments = [each.segment for each in found]
    first = first_divergence(segments, verdict, method, exact=True)
    if first is None:
        nothing = no_divergence(segments, method)
        return replace(nothing, reason="; ".join(filter(None, [nothing.reason, _left_out(skipped)])))
    place = next(each for each in found if each.segment.value == first.value)
    inside = {path: why for path, why in skipped.items() if path.startswith(f"{first.module}." if first.module else "")}
    told = "; ".join(filter(None, [reason, _left_out(inside)]))
    evidence, script = _evidence(question, library, place, artifact) if place.again else ("", "")
    return replace(first, reason=told, evidence=evidence, script=script)


def _left_out(skipped: Mapping[str, str]) -> str:
    """Return how many modules were not compared, and why the first one was not; "" for none."""
    if not skipped:
        return ""
    (path, why), more = next(iter(skipped.items())), len(skipped) - 1
    return f"not compared: {path or 'the model itself'} ({why}){f' and {more} more' if more else ''}"


def _evidence(question: Question, library: Library, place: Local, artifact: str) -> tuple[str, str]:
    variant = question.variant
    script = SCRIPT.format(
        place=place.segment.place,
        imports=library.imports,
        array=library.array,
        artifact=artifact or f"{variant.key}/{variant.file}",
        folder=question.evidence.relative_to(question.root).as_posix(),
        again="\n".join(place.again),
    )
    inputs = {name: library.to_numpy(array) for name, array in place.inputs.items()}
    right, found = library.to_numpy(place.expected), library.to_numpy(place.actual)
    return save_evidence(question, inputs, {"value": right}, {"value": found}, script)
