"""The ways to one artifact: where an exporter or converter declines a model, the next one is tried."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from pytest_navigator.errors import StepFailed, Unavailable
from pytest_navigator.text import bounded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_navigator.core.variants import Variant

T = TypeVar("T")

LONGEST = 240  # Characters of the reason why a way did not make an artifact that another one made


class Way(NamedTuple):
    """One of the exporters or converters that make the same artifact.

    Attributes:
        engine: its name, which is recorded.
        asked_by: what a user writes for it and no other; "" where that is not possible.
        not_after: a pattern in what another way has raised after which this one is left out, as its artifact would be
            wrong; unless: why.
    """

    engine: str
    asked_by: str = ""
    not_after: str = ""
    unless: str = ""


class Ways(NamedTuple):
    """The ways to one artifact.

    Attributes:
        tried: one after the other, until one makes an artifact that loads.
        others: what there is beside those that somebody has chosen.
    """

    tried: tuple[Way, ...] = (Way(""),)
    others: tuple[Way, ...] = ()


class Made(NamedTuple, Generic[T]):
    """What the way that made the artifact gave, and why those before it did not."""

    value: T
    engine: str
    declined: dict[str, str]

    @property
    def note(self) -> str:
        """What there is to know of a second choice; "" of a first one."""
        reasons = "; ".join(f"{engine} did not: {bounded(text, LONGEST)}" for engine, text in self.declined.items())
        return f"made by {self.engine}; {reasons}" if reasons else ""


def first_that_makes(ways: Ways, attempt: Callable[[Way], T]) -> Made[T]:
    """Try one way after the other; a crash, a hang and a lack of memory are no reason to try the next.

    Raises:
        StepFailed: none makes the artifact, or one ended in such a way.
        Unavailable: what the first way needs is not here, and no other one makes it.
    """
    errors: dict[str, StepFailed | Unavailable] = {}
    for way in ways.tried:
        if _unfit(way, errors):
            errors[way.engine] = StepFailed(way.unless)
            continue
        try:
            return Made(attempt(way), way.engine, {engine: _message(error) for engine, error in errors.items()})
        except (StepFailed, Unavailable) as error:
            if not declines(error):
                raise _after(error, errors) from error
            errors[way.engine] = error
    raise _none(ways, errors) from next(iter(errors.values()))


def chosen(variant: Variant, way: Way) -> Variant:
    """Return a variant as one way makes it."""
    return replace(variant, parameters={**variant.parameters, "engine": way.engine}) if way.engine else variant


def declines(error: StepFailed | Unavailable) -> bool:
    """Whether there is no artifact without that this machine did not bear it; a defect of ours is one of one way."""

    from pytest_navigator.isolation.breakdowns import DEFECT, broke_down

    if isinstance(error, Unavailable) or error.kind == DEFECT:
        return True
    return not broke_down(error.kind, error.message, error.detail)


def _unfit(way: Way, errors: dict[str, StepFailed | Unavailable]) -> bool:
    said = (f"{error.message}\n{error.detail}" for error in errors.values() if isinstance(error, StepFailed))
    return bool(way.not_after) and any(re.search(way.not_after, text) for text in said)


def _message(error: StepFailed | Unavailable) -> str:
    return error.message if isinstance(error, StepFailed) else str(error)


def _after(error: StepFailed | Unavailable, before: dict[str, StepFailed | Unavailable]) -> Exception:
    """Return the error of a way that others have been tried before."""
    if not before or not isinstance(error, StepFailed):
        return error
    reasons = "; ".join(f"{engine} did not make it: {bounded(_message(e), LONGEST)}" for engine, e in before.items())
    return StepFailed(f"{error.message}; before that, {reasons}", error.detail, error.kind, error.data)


def _none(ways: Ways, errors: dict[str, StepFailed | Unavailable]) -> Exception:
    """Return the first way's error, with what the others said and what there is beside them."""

    from pytest_navigator.core.facts import MakingFacts, as_data
    from pytest_navigator.isolation.breakdowns import DEFECT

    failed = {engine: error for engine, error in errors.items() if isinstance(error, StepFailed)}
    if not failed:
        return next(iter(errors.values()))
    first, *rest = failed.items()
    message = "; ".join([first[1].message, *_also(first[1].message, rest), *_offered(ways.others)])
    detail = "\n".join(f"{engine}:\n{error.detail}" if rest else error.detail for engine, error in failed.items())
    declined = {engine: _message(error) for engine, error in errors.items()} if len(errors) > 1 else None
    kind = DEFECT if any(error.kind == DEFECT for error in failed.values()) else first[1].kind
    return StepFailed(message, detail, kind, {**first[1].data, **as_data(MakingFacts(declined=declined))})


def _also(first: str, rest: Sequence[tuple[str, StepFailed]]) -> list[str]:
    return [
        f"{engine} says the same" if error.message == first else f"by {engine}: {bounded(error.message, LONGEST)}"
        for engine, error in rest
    ]


def _offered(others: Sequence[Way]) -> list[str]:
    texts = [way.asked_by for way in others if way.asked_by]
    return [f"not tried, since another one is configured: {' and '.join(texts)}"] if texts else []
