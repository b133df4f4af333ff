"""Worker i has device i mod n, and what the user has chosen stays."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from pytest_navigator.devices import assignment
from pytest_navigator.devices.assignment import assign, held, own_gpu, release, visible
from pytest_navigator.devices.records import Devices, Gpu
from pytest_navigator.devices.shared import sharing

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TWO = Devices((Gpu("first", 1, "8.0"), Gpu("second", 1, "9.0")), "570.1", "12.8")
NAMES = (assignment.VISIBLE, assignment.OWN, assignment.BEFORE, assignment.WORKER)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """Two GPUs, and the folder that the processes of a run share."""
    for name in NAMES:  # setenv first, so that what a test sets is undone
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setattr(assignment, "devices", lambda: TWO)
    with sharing(tmp_path):
        yield tmp_path


@pytest.mark.parametrize(
    ("own", "before", "expected"),
    [(0, None, "0"), (1, None, "1"), (1, "2,5", "5"), (0, "GPU-8932f937, GPU-1b", "GPU-8932f937"), (1, "3, 7", "7")],
)
def test_one_device_of_those_that_the_user_left_is_visible(own: int, before: str | None, expected: str) -> None:
    assert visible(own, before) == expected


@pytest.mark.parametrize(("worker", "expected"), [("gw0", "first"), ("gw1", "second"), ("gw2", "first")])
def test_worker_i_has_device_i_mod_n(run: Path, monkeypatch: pytest.MonkeyPatch, worker: str, expected: str) -> None:
    monkeypatch.setenv(assignment.WORKER, worker)

    assign()

    gpu = own_gpu()
    assert gpu is not None
    assert gpu.name == expected
    assert os.environ[assignment.VISIBLE] == str(TWO.gpus.index(gpu))


@pytest.mark.parametrize("worker", ["", "master"])
def test_a_process_that_is_no_worker_keeps_all_devices(run: Path, monkeypatch: pytest.MonkeyPatch, worker: str) -> None:
    monkeypatch.setenv(assignment.WORKER, worker)

    assign()

    assert assignment.VISIBLE not in os.environ
    assert own_gpu() == TWO.gpus[0]


@pytest.mark.parametrize("before", [None, "4,6"])
def test_a_configuration_that_chooses_a_device_gets_all_of_them_back(
    run: Path, monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    monkeypatch.setenv(assignment.WORKER, "gw1")
    if before:
        monkeypatch.setenv(assignment.VISIBLE, before)
    assign()

    release([{"device": None}, {"device": "cuda"}, {}])
    assert os.environ[assignment.VISIBLE] == ("6" if before else "1")

    release([{"device": "cuda:1"}])
    assert os.environ.get(assignment.VISIBLE) == before
    assert own_gpu() == TWO.gpus[0]


@pytest.mark.parametrize(("first", "second", "waits"), [("0", "0", True), ("0", "1", False), ("0", None, True)])
def test_one_step_at_a_time_runs_on_a_device(
    run: Path, monkeypatch: pytest.MonkeyPatch, first: str, second: str | None, waits: bool
) -> None:
    entered = threading.Event()

    def step() -> None:
        with held():
            entered.set()

    monkeypatch.setenv(assignment.OWN, first)
    with held():
        monkeypatch.delenv(assignment.OWN)
        if second is not None:
            monkeypatch.setenv(assignment.OWN, second)
        other = threading.Thread(target=step)
        other.start()
        assert entered.wait(0.3 if waits else 10) is not waits
    other.join(10)
    assert entered.is_set()
