"""Calls of several threads: one run at a time, and each finds its own files."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.api.turns import elsewhere
from pytest_navigator.api.turns import here
from tests.api.scripts import output

if TYPE_CHECKING:
    import pytest

THREADS = """
import threading
from pathlib import Path
import numpy as np
import pytest_navigator as nav

profile = nav.OptimizationProfile(batch_sizes=[2], window_size=5)
ran, packages, threads = [], {}, []

def start(name):
    threads.append(threading.Thread(target=run, args=(name,)))
    threads[-1].start()

def run(name):
    def model(x):
        if not ran:
            start("second")
            start("third")
            threads[1].join(0.5)  # as long as it takes to come in between
        ran.append(name)
        return x * 2

    packages[name] = nav.python.optimize(
        model, [np.ones((2, 3), np.float32)], model_name=name, workspace=f"of_{name}", optimization_profile=profile
    )

start("first")
for thread in threads:
    thread.join()
print([name for name, before in zip(ran, ["", *ran]) if name != before][0])
print(sum(name != before for name, before in zip(ran, ["", *ran])))
print({name: packages[name].get_formats_status() for name in sorted(packages)})
print(sorted(str(path.parent.relative_to(Path.cwd())).partition("-")[0] for path in Path.cwd().glob("*/*/python")))
"""


def test_calls_of_several_threads_run_one_after_the_other(tmp_path: Path) -> None:
    lines = output(THREADS, tmp_path)

    assert lines[-4:] == [
        "first",
        "3",
        "{'first': {'python': True}, 'second': {'python': True}, 'third': {'python': True}}",
        "['of_first/first', 'of_second/second', 'of_third/third']",
    ]


def test_a_relative_path_starts_from_the_caller_while_another_run_is_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, others = tmp_path / "own", tmp_path / "others"
    own.mkdir()
    others.mkdir()
    monkeypatch.chdir(own)

    with elsewhere(others) as caller, ThreadPoolExecutor(1) as thread:
        assert Path.cwd() == others
        assert thread.submit(here).result() == caller == own
        with elsewhere(tmp_path) as outer:
            assert outer == own
    assert Path.cwd() == here() == own
