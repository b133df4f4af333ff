"""Where Triton's parts are, which these tests need and the project does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.served_project import MODULES, RUN
from tests.once import once

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


@pytest.fixture(scope="session")
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the packages of the served project: states.nav, points.nav, names.nav."""

    def make(folder: Path) -> None:
        for name, text in MODULES.items():
            (folder / name).write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "pytest", *RUN.split()]
        ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stdout

    return once(request.config, tmp_path_factory, "served", make)
