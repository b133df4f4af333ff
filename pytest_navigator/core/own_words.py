"""The words by which a package is read: nobody's secret, whatever variable has one for its value (pure)."""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass

from pytest_navigator.core import enums, records, steps

ENUMERATIONS = (
    steps.Status,
    enums.Format,
    enums.TensorRTPrecision,
    enums.TensorRTPrecisionMode,
    enums.RuntimeProvider,
)
FOLDERS = ("model_input", "model_output", "navigator_workspace", "pytest_navigator", "navigator", "status", "config")
DTYPE = re.compile(r"b?float\d+\w*|u?int\d+|complex\d+|bool|bytes")

WORDS = frozenset(
    (
        *steps.KINDS,
        *FOLDERS,
        *(member.value.lower() for each in ENUMERATIONS for member in each),
        *(field.name for each in vars(records).values() if is_dataclass(each) for field in fields(each)),
    )
)


def is_own(word: str) -> bool:
    """Whether this is a step, a status, a format, a type, a key or a folder of every package."""
    return word.lower() in WORDS or DTYPE.fullmatch(word.lower()) is not None
