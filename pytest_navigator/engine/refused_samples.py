"""What to say where a model does not take the samples that were drawn for it."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pytest_navigator.backends.files.source import FileSource
from pytest_navigator.configuration.signature_text import as_text
from pytest_navigator.core.records import TEXT_TYPES
from pytest_navigator.engine.said_signature import who_says
from pytest_navigator.errors import InferenceError, SourceError
from pytest_navigator.isolation.causes import NOT_REGISTERED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_navigator.core.records import Description
    from pytest_navigator.engine.context import Context
    from pytest_navigator.frameworks.base import Source

# What errors say that no other sizes or values of the samples mend.
NOT_OF_VALUES = re.compile(f"type|not implemented|NOT_IMPLEMENTED|{re.escape(NOT_REGISTERED)}")
# What they say of sizes, other than of a number that is the place of something.
SIZES = re.compile(r"(?i)^(?!.*out of (bounds|range)).*\b(shapes?|sizes?|dim(ension)?s?|channels)\b", re.DOTALL)


@contextmanager
def explained(context: Context, source: Source, own: Description | None, *, drawn: bool) -> Iterator[None]:
    """Say what the samples are that a model does not take, if they are not the user's."""
    try:
        yield
    except InferenceError as error:
        if not drawn or own is None:
            raise
        if hint := _hint(str(error), context, source, own):
            raise SourceError(f"{error}; {hint}") from error.__cause__
        raise


def _hint(error: str, context: Context, source: Source, own: Description) -> str:
    of_types = NOT_OF_VALUES.search(error)
    said = _of_signature(context, source, own) if of_types or SIZES.search(error) else ""
    return said or ("" if of_types else _of_random_samples(context, own))


def _of_signature(context: Context, source: Source, own: Description) -> str:
    """Return what the user says that the model takes, if it is no more than that; "" if the file says it."""
    model = source.model if isinstance(source, FileSource) else None
    who = who_says("inputs", own.inputs, context.host.file_config, model)
    return f"{who} says {as_text(own.inputs)}: does the model take that?" if who else ""


def _of_random_samples(context: Context, own: Description) -> str:
    """Return what can be said of random samples: ranges of numbers, and sizes that the file leaves open."""
    numbers = any(spec.dtype not in TEXT_TYPES.values() for spec in own.inputs)
    inner = any(axis for spec in own.inputs for axis in spec.axes)
    keys = " and ".join([*["value_ranges"] * numbers, *["max_shapes"] * inner])
    say = f"say what the model takes in {keys} of --nav-config" if keys else ""
    loader = "" if context.host.file_config.flags is not None else "give the run a nav_dataloader"  # convert has none
    return f"the samples are random: {', or '.join(filter(None, (say, loader)))}".removesuffix(": ")
