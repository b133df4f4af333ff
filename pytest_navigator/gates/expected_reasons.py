"""Why a cell does not pass, as it stands in `nav_expected.toml`: what is the same in the next run, elsewhere (pure)."""

from __future__ import annotations

import re
import textwrap
from typing import TYPE_CHECKING

from pytest_navigator.comparison.facts import CorrectnessFacts
from pytest_navigator.core.facts import facts_of
from pytest_navigator.text import one_line

if TYPE_CHECKING:
    from pytest_navigator.core.records import Outcome

ROOM = 160  # Characters

# What differs from run to run, from machine to machine and with each edit -> what stands there instead.
UNSTEADY = (
    (re.compile(r"(?<=['\"])/[^'\"\n]*/(?=\w)"), ""),  # folders of a quoted path, which may have spaces
    (re.compile(r"(?<![\w:/.])/(?:[^\s'\"`,;:()/]+/)*(?=\w)"), ""),  # folders of a path
    (re.compile(r"\btmp[a-z0-9_]{6,}"), "tmp"),
    (re.compile(r"(?<=\.\w\w):\d+(?::\d+)?"), ""),  # a line of a file: "model.py:8"
    (re.compile(r",? (?:at )?line \d+"), ""),
    (re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)*(?:e[-+]?\d+)?\w*", re.IGNORECASE), "N"),  # not in "layers.2", "float32"
)


def reason_of(ended: Outcome) -> str:
    """Return what a failed step comes down to; "" where it says nothing.

    Of a comparison, the outputs that differ, and where that begins if it is known; of anything else, the first sentence
    of what it says, without figures and folders.
    """
    facts = facts_of(ended, CorrectnessFacts)
    failed = [report.name for report in facts.outputs if report.problem]
    if not failed:
        return _shortened(steady(ended.message))
    found = facts.divergence
    where = f", first in {found.module} {found.operator}".rstrip() if found and found.module else ""
    return _shortened(f"{', '.join(failed)} {'differ' if failed[1:] else 'differs'}{where}")


def steady(message: str) -> str:
    """Return the first sentence of a message, with "N" for each figure and without folders and lines of files."""
    lines = message.replace("\\n", "\n").strip().splitlines()  # messages of one line have their ends as escapes
    text = re.split(r"(?<=\w)[.!] (?=[A-Z])", lines[0])[0] if lines else ""
    for pattern, instead in UNSTEADY:
        text = pattern.sub(instead, text)
    return text


def _shortened(text: str) -> str:
    return textwrap.shorten(one_line(text), ROOM, placeholder=" …")
