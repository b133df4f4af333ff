"""Where Triton's parts are, which these tests need and the project does not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HERE = "NAV_TRITON_PYTHON"
"""Names the interpreter of the environment with Triton's server and client."""


@pytest.fixture(scope="session")
def triton_python() -> Path:
    """The interpreter beside which Triton's server, its client and PyTriton are installed."""
    python = Path(os.environ.get(HERE) or ROOT / ".venv-triton" / "bin" / "python")
    if not python.exists():
        pytest.skip(f"Triton is not installed here: bash tests/deploy/triton_environment.sh, or ${HERE}")
    return python
