"""What the tests of `nav_expected.toml` share: a file beside a model of a third party, and what a run says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import TypeAlias

    import pytest
    from blackbox import Nav

    Expecting: TypeAlias = Callable[..., Path]

FILE = "nav_expected.toml"
ALL = {"-n2": ["-n", "2", "-p", "no:benchmark"], "one process": []}
MISMATCH = "scale=2.0"
NO_EXPORT = "mode='raise', where='export'"
CRASH = "mode='segfault', where='infer'"


def line(cell: str) -> str:
    if cell.startswith("{"):
        return cell
    return f'{{outcome = "{cell}"{"" if cell == "pass" else ", reason = " + repr("known")}}}'


def run(nav: Nav, *arguments: str) -> pytest.RunResult:
    return nav("-v", "-rx", *arguments, formats="")


def failing(config: str) -> str:
    """A configuration of the format that fails, beside one that is right."""
    return f"{config}), Other.config("


def failures(result: pytest.RunResult) -> list[str]:
    return [line.removeprefix("FAILED: ") for line in result.outlines if line.startswith("FAILED: ")]
