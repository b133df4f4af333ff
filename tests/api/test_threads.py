"""Calls from anywhere: several threads at once, a running event loop; nothing of the caller's process is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.api.scripts import output

if TYPE_CHECKING:
    from pathlib import Path

BEGIN = """
import asyncio
import os
import sys
import threading
from pathlib import Path
import numpy as np
import pytest_navigator as nav

batches = [np.ones((2, 3), np.float32)]
profile = nav.OptimizationProfile(batch_sizes=[2], window_size=5)

def double(x):
    return x * 2
"""

THREADS = """
packages = {}
together = threading.Barrier(3)

def run(name):
    together.wait()
    packages[name] = nav.python.optimize(
        double, batches, model_name=name, workspace=f"of_{name}", optimization_profile=profile
    )

threads = [threading.Thread(target=run, args=(name,)) for name in ("first", "second", "third")]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("still the caller's terminal")
print({name: packages[name].get_formats_status() for name in sorted(packages)})
print(sorted(str(path.parent.relative_to(Path.cwd())).partition("-")[0] for path in Path.cwd().glob("*/*/python")))
"""

MEETING = """
import time

class Slow:
    def __init__(self, name):
        self.name = name

    def __call__(self, x):
        print(self.name, "was called")
        time.sleep(0.05)
        return x * 2

def run(name):
    nav.python.optimize(Slow(name), batches, workspace=f"of_{name}", optimization_profile=profile)

threads = [threading.Thread(target=run, args=(name,)) for name in ("first", "second")]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
for name in ("first", "second"):
    logs = "".join(path.read_text() for path in Path.cwd().glob(f"of_{name}/*/**/format.log"))
    print(sorted({line for line in logs.splitlines() if line.endswith("was called")}))
"""

LOOP = """
async def optimized():
    return nav.python.optimize(double, batches, optimization_profile=profile).get_formats_status()

print(asyncio.run(optimized()))
"""

UNCHANGED = """
def process():
    return Path.cwd(), dict(os.environ), sys.stdout, sys.stderr, list(sys.path), set(threading.enumerate())

before, seen = process(), []

def model(x):
    seen.append((Path.cwd() == before[0], dict(os.environ) == before[1]))
    return x * 2

nav.python.optimize(model, batches, optimization_profile=profile)
print(set(seen), process() == before, "pytest" in sys.modules)
"""


def test_calls_of_several_threads_run_beside_each_other_and_each_finds_its_own_files(tmp_path: Path) -> None:
    lines = output(BEGIN + THREADS, tmp_path)

    assert lines[-3:] == [
        "still the caller's terminal",
        "{'first': {'python': True}, 'second': {'python': True}, 'third': {'python': True}}",
        "['of_first/first', 'of_second/second', 'of_third/third']",
    ]
    for name in ("first", "second", "third"):
        assert sum(line.startswith(f"{name}::nav_model::test_") and " PASSED " in line for line in lines) == 3


def test_what_the_models_of_two_threads_print_is_each_in_its_own_log(tmp_path: Path) -> None:
    assert output(BEGIN + MEETING, tmp_path)[-2:] == ["['first was called']", "['second was called']"]


def test_a_running_event_loop_may_call_it(tmp_path: Path) -> None:
    assert output(BEGIN + LOOP, tmp_path)[-1] == "{'python': True}"


@pytest.mark.real_processes
def test_working_directory_environment_and_streams_stay_the_callers_and_pytest_is_not_imported(tmp_path: Path) -> None:
    assert output(BEGIN + UNCHANGED, tmp_path)[-1] == "{(True, True)} True False"
