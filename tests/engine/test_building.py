"""What seeds a model while it is built: in a process of its own, where nothing has imported numpy yet."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

DRAWN = """
import sys
from pathlib import Path
from pytest_navigator.backends.builtin import known
from pytest_navigator.configuration.run_options import RunOptions
from pytest_navigator.engine.host import Host
from pytest_navigator.engine.workspace import Workspace

folder = Path(sys.argv[1])
host = Host(RunOptions(None, folder), known(), Workspace(folder), folder, folder)
assert "numpy" not in sys.modules
with host.building([sys.argv[2]]):
    import numpy
    print(numpy.random.rand())
"""


@pytest.mark.real_processes
@pytest.mark.parametrize("framework", ["python", "onnx"])
def test_what_a_function_of_arrays_draws_from_numpy_is_seeded_though_nobody_has_imported_it(
    tmp_path: Path, framework: str
) -> None:
    command = [sys.executable, "-c", DRAWN, str(tmp_path), framework]
    drawn = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(2)]

    assert drawn[0] == drawn[1] != ""
