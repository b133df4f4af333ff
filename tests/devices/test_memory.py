"""Device memory is that of the process where the driver tells, else the growth of all, else not measured."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_navigator.profiling import memory
from pytest_navigator.profiling.memory import PeakMemory
from tests.fake_driver import Driver, needs_gcc

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real_processes

LOOK = """
from pytest_navigator.profiling.memory import PeakMemory
memory = PeakMemory()
for _ in range(3):
    memory.sample()
print(memory.peak)
"""


@needs_gcc
@pytest.mark.parametrize(("known", "expected"), [(True, 512.0), (False, 300.0)])
def test_it_is_that_of_this_process_or_else_what_all_use_more(tmp_path: Path, known: bool, expected: float) -> None:
    folder = Driver(known=known).build(tmp_path / "driver")
    environment = {**os.environ, "LD_LIBRARY_PATH": str(folder)}

    done = subprocess.run([sys.executable, "-c", LOOK], env=environment, capture_output=True, text=True, check=True)

    assert float(done.stdout) == expected


def test_without_a_driver_it_is_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "nvml", lambda: (None, ctypes.c_void_p()))
    watched = PeakMemory()
    watched.sample()

    assert watched.peak is None
