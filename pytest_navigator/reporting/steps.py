"""What is said of each step as it is done, where no test of pytest's reports it (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.core.steps import Status, item_name
from pytest_navigator.text import one_line, printable

if TYPE_CHECKING:
    from pytest_navigator.core.steps import Step
    from pytest_navigator.planning.matrix import Matrix

# As pytest writes them.
WORDS = {Status.PASSED: "PASSED", Status.FAILED: "FAILED", Status.SKIPPED: "SKIPPED", Status.XFAILED: "XFAIL"}

WIDTH = 80


def test_name(step: Step, matrix: Matrix) -> str:
    """Return what the test of a step is called: `test_profile[onnx-cpu-batch1]`."""
    runtime = matrix.runners[step.runner].runtime if step.runner else ""
    return item_name(step.step, "-".join(filter(None, (step.key, runtime))), step.batch)


def step_line(nodeid: str, status: Status, message: str, done: int, total: int) -> str:
    """Return the line of a step that is over, with how much of all of them is done."""
    why = f" ({one_line(message)})" if status in (Status.SKIPPED, Status.XFAILED) else ""
    return printable(f"{nodeid} {WORDS[status]}{why} [{100 * done // total:3}%]")


def failures(texts: dict[str, str]) -> list[str]:
    """Return the texts of what failed, each below the name of its test."""
    if not texts:
        return []
    own = [line for name, text in texts.items() for line in (rule(name, "_"), *printable(text).splitlines())]
    return [rule("FAILURES", "="), *own]


def rule(title: str, sign: str) -> str:
    """Return a line across the terminal with a title in it."""
    return f" {title} ".center(WIDTH, sign)
