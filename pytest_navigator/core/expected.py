"""What `nav_expected.toml` says of one model, and what a run does with it, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field

FILE = "nav_expected.toml"

PASS = "pass"
FAIL_EXPORT, FAIL_CONVERT, FAIL_CORRECTNESS, FAIL_SPEED = (
    "fail-export",
    "fail-convert",
    "fail-correctness",
    "fail-speed",
)
CRASH, TIMEOUT, SKIP = "crash", "timeout", "skip"

# How a cell can end, or the format that it is of.
WORDS = (PASS, FAIL_EXPORT, FAIL_CONVERT, FAIL_CORRECTNESS, FAIL_SPEED, CRASH, TIMEOUT, SKIP)


@dataclass(frozen=True)
class ExpectedLine:
    """What is expected of one cell, or of a format whose making is expected to fail.

    Attributes:
        outcomes: the words of `WORDS` that are as expected; several, where it differs from run to run.
        atol: output -> largest absolute difference.
        reason: why it is not expected to pass; "" where it is.
        section: the requirement of the section that it stands in ("cuda"); "" for the table of all machines.
    """

    outcomes: tuple[str, ...]
    atol: dict[str, float] = field(default_factory=dict)
    reason: str = ""
    section: str = ""

    @property
    def passes(self) -> bool:
        """Whether it may pass."""
        return PASS in self.outcomes

    @property
    def text(self) -> str:
        """The outcomes for people."""
        return " or ".join(self.outcomes)


@dataclass(frozen=True)
class Expected:
    """What the file says of one model, as it holds on this machine.

    Attributes:
        file: its path from the project's root, with "/".
        lines: by the name of the cell ("onnx-cpu") or of the format ("onnx").
        absent: names of lines without a cell in this run -> why it leaves them out.
        vanished: names of lines of which no run has a cell any more -> why.
        elsewhere: requirements that this machine does not meet -> how many lines are not judged for that.
    """

    file: str
    lines: dict[str, ExpectedLine] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    vanished: dict[str, str] = field(default_factory=dict)
    elsewhere: dict[str, int] = field(default_factory=dict)


# What a run may do with the file: nothing; judge by it; write what has become better too; add what is new too.
OFF, CHECK, TIGHTEN, UPDATE = "off", "check", "tighten", "update"


NO_CI = ("", "0", "false")  # Values of the variable CI that say that this is none


def usual_mode(ci: str) -> str:
    """Return what is done with a file where nobody says it: in CI (the value of the variable) nothing is written."""
    return TIGHTEN if ci.lower() in NO_CI else CHECK


@dataclass(frozen=True)
class ExpectedOption:
    """What `--nav-expected` asks for.

    Attributes:
        mode: `OFF`, `CHECK`, `TIGHTEN` or `UPDATE`.
        loosen: names of the cells and formats of which something worse is accepted.
        reason: that is written for them.
    """

    mode: str = TIGHTEN
    loosen: tuple[str, ...] = ()
    reason: str = ""
