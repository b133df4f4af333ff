"""Runs the text of a script as a user does: a fresh interpreter, in a folder, without a `__main__` guard."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def run(text: str, folder: Path, *, by_input: bool = False, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a script of a file, or as an interpreter reads it from its input (as a notebook's and a REPL's code is)."""
    script = folder / "script.py"
    script.write_text(text)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "NAV_", "COV_"))}
    return subprocess.run(
        [sys.executable, "-" if by_input else str(script)],
        input=text if by_input else None,
        cwd=folder,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def output(text: str, folder: Path, *, by_input: bool = False, **environment: str) -> list[str]:
    """Return the lines that a script prints; it must end well."""
    result = run(text, folder, by_input=by_input, **environment)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout.splitlines()
