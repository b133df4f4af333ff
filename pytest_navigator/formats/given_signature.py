"""A file that says nothing of itself: the user does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.configuration.signature_text import missing, read_annotation
from pytest_navigator.core.records import Description
from pytest_navigator.errors import ConfigError, SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_navigator.core.records import TensorSpec


def described(path: Path, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> Description:
    """Return what the options say, else what the annotation file says.

    Raises:
        SourceError: neither says what the inputs are; with the exact text of what to write.
    """
    return Description(*signature_of(path, inputs, outputs))


def signature_of(
    path: Path, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec], names: Sequence[str] = ()
) -> tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]:
    """Return the inputs and outputs that the options, else the annotation file beside the model, say.

    Args:
        names: what the file itself calls its inputs, for the text of what to write.

    Raises:
        SourceError: neither says what the inputs are; with the exact text of what to write.
    """
    try:
        noted = read_annotation(path)
    except ConfigError as error:
        raise SourceError(str(error)) from None
    found = tuple(inputs) or noted[0] or ()
    if not found:
        raise SourceError(missing(path, names))
    return found, tuple(outputs) or noted[1] or ()
