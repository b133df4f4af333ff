"""An outcome with texts of others in it -> the outcome as it is recorded."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_navigator.text import LINE, RECORD, bounded, writable

if TYPE_CHECKING:
    from pytest_navigator.core.plain import JSON
    from pytest_navigator.core.records import Outcome


def received(outcome: Outcome) -> Outcome:
    """Return an outcome whose texts can be written anywhere and are not too long for what repeats them.

    The reason of a failure is in each skip that follows from it, in the summary, in junit's XML and in the package: a
    text of 50 MB would be GBs there.
    """
    return replace(
        outcome,
        message=writable(bounded(outcome.message, LINE)),
        detail=writable(bounded(outcome.detail, RECORD)),
        requirement=writable(bounded(outcome.requirement, LINE)),
        error=writable(bounded(outcome.error, LINE)),
        data={name: _bounded(value) for name, value in outcome.data.items()},
    )


def _bounded(value: JSON) -> JSON:
    # Names stay what they are, for others are compared with them.
    if isinstance(value, str):
        return bounded(value, RECORD)
    if isinstance(value, dict):
        return {key: _bounded(item) for key, item in value.items()}
    return [_bounded(item) for item in value] if isinstance(value, list | tuple) else value
