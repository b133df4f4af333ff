"""Whether who tried has broken down (a crash, a hang, a lack of memory), or has only said no (pure)."""

from __future__ import annotations

import re

# Kinds of failures that end a process, or would have.
ENDS = re.compile(r"timeout|crash|disconnected|exit -?\d+|signal \d+|SIG[A-Z0-9+-]+|SystemExit|KeyboardInterrupt")

DEFECT = "defect of pytest_navigator"  # Kind of the failure of an export or a conversion by an error that is ours

# Types of errors by which libraries say that memory is lacking.
LACKING = re.compile(r"_?(Array)?(MemoryError|OutOfMemoryError|ResourceExhaustedError)")

# One of them in a traceback, as the cause of another error or as what ended it.
RAISED = re.compile(rf"^([\w.]+\.)?{LACKING.pattern}(:|$)", re.MULTILINE)

# What errors of any type say when memory, disk or files are lacking.
EXHAUSTED = re.compile(
    r"out of memory|(can't|cannot|failed to|could not) allocate|bad_alloc|RESOURCE_EXHAUSTED|MemoryError"
    r"|\[Errno (12|24|27|28|122)\]|No space left on device|Too many open files",
    re.IGNORECASE,
)


def broke_down(kind: str, message: str, detail: str = "") -> bool:
    """Whether a failure tells of the machine or of a defect, rather than of what the model needs and a format lacks.

    Args:
        kind: type of the error, or what ended the process; see `StepFailed`.
        detail: the traceback, or the end of the log.
    """
    if kind == DEFECT:
        return True
    return bool(ENDS.fullmatch(kind) or LACKING.fullmatch(kind) or EXHAUSTED.search(message) or RAISED.search(detail))
