"""Where Triton's parts are, which these tests need and the project does not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.deploy.served_project import MODULES, RUN
from tests.once import once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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
def parsed(triton_python: Path) -> Iterator[Callable[[str], dict[str, Any]]]:
    """What Triton reads in the content of a `config.pbtxt`: the fields that are not at their defaults."""
    command = [triton_python, Path(__file__).with_name("triton_text.py")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdin
        assert reader.stdout

        def parse(content: str) -> dict[str, Any]:
            print(json.dumps(content), file=reader.stdin, flush=True)
            found: dict[str, Any] = json.loads(reader.stdout.readline())
            assert "error" not in found, f"{found}\n{content}"
            return found

        yield parse
        reader.stdin.close()


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
