from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from pair_project import PROJECT
from recorded import workspace

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["workspace"]

RUN = "-q -p no:cacheprovider --nav-package=pair.nav --nav-runtimes=cpu --nav-profile-seconds=0.05"


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package of a run of the real thing: torch, TorchScript in both kinds, ONNX."""
    folder = tmp_path_factory.mktemp("pair")
    (folder / "conftest.py").write_text(PROJECT)
    command = [sys.executable, "-m", "pytest", *RUN.split(), "--nav-formats=torchscript,onnx"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
    return folder / "pair.nav"
