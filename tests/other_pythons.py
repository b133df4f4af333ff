"""Another Python for the tests: of this version with chosen packages, or of another version where one is at hand."""

from __future__ import annotations

import os
import sysconfig
import venv
from importlib.metadata import distribution
from pathlib import Path

import pytest

NEEDED = ("numpy", "ml_dtypes", "cattrs", "attrs", "typing_extensions", "filelock", "packaging", "psutil", "PyYAML")
"""What a child needs, with what that needs."""

OTHER = Path(__file__).parents[1] / ".venv-other-python"
"""What `tests/isolation/other_python_environment.sh` makes."""

LITERT = Path(__file__).parents[1] / ".venv-litert"
"""What `tests/backends/litert_environment.sh` brings: packages alone."""


def environment(folder: Path, *, without: str = "", more: tuple[str, ...] = ()) -> Path:
    """Make an environment of this very Python; its packages are links to those that are installed here.

    Args:
        without: name of a distribution that is left out.
        more: distributions beside those that every child needs.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    for name in (*NEEDED, *more):
        if name != without:
            _link(name, packages)
    return folder / "bin" / "python"


def _link(name: str, packages: Path) -> None:
    found = distribution(name)
    for top in {file.parts[0] for file in found.files or () if file.parts[0] not in ("..", "__pycache__")}:
        if not (packages / top).exists():
            (packages / top).symlink_to(Path(str(found.locate_file(top))))


def of_another_version() -> Path:
    """Return a Python of another version that has ONNX Runtime and OpenVINO; skip the test where there is none."""
    python = Path(os.environ.get("NAV_OTHER_PYTHON") or OTHER / "bin" / "python")
    if not python.exists():
        pytest.skip("no Python of another version: bash tests/isolation/other_python_environment.sh")
    return python


def of_litert(folder: Path) -> Path:
    """Return a Python that has litert-torch; skip the test where there is none.

    Args:
        folder: where it is made: with the packages that are installed here, and those of litert-torch alone.
    """
    if other := os.environ.get("NAV_LITERT_PYTHON"):
        return Path(other)
    if not LITERT.exists():
        pytest.skip("no litert-torch: bash tests/backends/litert_environment.sh")
    venv.create(folder, with_pip=False, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    packages.joinpath("litert.pth").write_text(f"{LITERT}\n{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    return folder / "bin" / "python"
