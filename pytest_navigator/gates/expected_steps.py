"""One step's outcome against the line that it is judged by: what its own test says (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.core.expected import CHECK, UPDATE
from pytest_navigator.core.steps import Status
from pytest_navigator.gates.expected_outcomes import STAGES, word_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pytest_navigator.core.expected import Expected, ExpectedLine, ExpectedOption
    from pytest_navigator.core.records import Outcome


def own_line(expected: Expected, names: Iterable[str]) -> ExpectedLine | None:
    """Return the line of a cell; of a format, its own or else that of one of its cells.

    Args:
        names: of the cell; or of the format, with its cells behind it.
    """
    return next((expected.lines[name] for name in names if name in expected.lines), None)


def agreed(found: Outcome, expected: Expected, names: tuple[str, ...], option: ExpectedOption) -> str:
    """Return why the failure of a step is no failure of the run; "" where it is one."""
    if found.step not in STAGES:  # a regression is judged by the baseline alone
        return ""
    line = own_line(expected, names)
    if line is not None and word_of(found) in line.outcomes:
        return f"{line.reason} ({expected.file}: {line.text})"
    if option.mode == UPDATE and (line is None or {*names}.intersection(option.loosen)):
        return f"{option.reason or found.message} (to be written to {expected.file})"
    return ""


def unexpected(found: Outcome, expected: Expected, names: tuple[str, ...], option: ExpectedOption) -> str:
    """Return why a step that did not fail is a failure all the same; "" where it is none.

    A pass that nobody expects, in CI; a format that every exporter declines, which is to pass.
    """
    line = own_line(expected, names)
    if line is None:
        return ""
    if found.status is Status.XFAILED:
        return f"{found.message} ({expected.file} expects {line.text})"
    # Of a crash it is not known in which step it was.
    if found.passed and option.mode == CHECK and line.outcomes == (STAGES.get(found.step),) and not found.batch:
        return f"passed, where {expected.file} expects {line.text} ({line.reason}): run --nav-expected=update"
    return ""
