from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from pytest_navigator.profiling import machine
from pytest_navigator.profiling.machine import Contention, gpu_clock, peak, reset_peak

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MIB = 2**20


def burn(seconds: float) -> None:
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


@pytest.fixture
def strangers() -> Iterator[None]:
    """A busy process for each processor; the shell that started them ended, so they are nobody's children here."""
    command = f"'{sys.executable}' -c 'while True: pass' >/dev/null & echo $!;" * len(os.sched_getaffinity(0))
    started = subprocess.run(["sh", "-c", command], stdout=subprocess.PIPE, text=True, check=True)
    yield
    for pid in started.stdout.split():
        os.kill(int(pid), signal.SIGKILL)


@pytest.fixture(autouse=True)
def first(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was measured before."""
    monkeypatch.setattr(Contention, "before", None)


def test_a_sample_that_is_too_short_tells_nothing() -> None:
    assert Contention().share() is None


def test_a_short_measurement_counts_the_one_just_before_it_along() -> None:
    assert Contention().share() is None
    time.sleep(0.1)

    assert Contention().share() is not None


def test_what_was_long_before_a_short_measurement_tells_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    Contention().share()
    time.sleep(0.1)
    monkeypatch.setattr(machine, "OLDEST_SAMPLE", 0.05)

    assert Contention().share() is None


def test_what_the_process_does_that_this_one_belongs_to_is_no_contention(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_run", [0])
    machine.belongs_to(os.getppid())
    begin, before = machine._sample(), psutil.Process(os.getppid()).cpu_times()

    burn(0.2)

    end = machine._sample()
    assert begin is not None
    assert end is not None
    assert end.own - begin.own >= 0.15
    assert end.own >= before.user


@pytest.mark.usefixtures("strangers")
def test_others_who_keep_the_processors_busy_are_seen() -> None:
    contention = Contention()
    time.sleep(0.3)
    share = contention.share()

    assert share is not None
    assert share > 0.5


def test_ones_own_work_and_that_of_children_is_no_contention() -> None:
    begin = machine._sample()
    subprocess.run([sys.executable, "-c", "import time\nwhile time.process_time() < 0.2: pass"], check=True)
    burn(0.2)
    end = machine._sample()

    assert begin is not None
    assert end is not None
    assert end.own - begin.own >= 0.35


def test_a_quota_of_the_container_counts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    (tmp_path / "cpu.max").write_text("50000 100000\n")
    (tmp_path / "cpu.stat").write_text("usage_usec 1000000\nuser_usec 0\n")
    contention = Contention()
    time.sleep(0.1)
    (tmp_path / "cpu.stat").write_text("usage_usec 9000000\nuser_usec 0\n")

    assert contention.share() == 1.0


def test_a_container_without_a_quota_is_measured_by_its_processors(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    (tmp_path / "cpu.max").write_text("max 100000\n")
    contention = Contention()
    time.sleep(0.1)

    assert contention.share() is not None


def test_the_peak_is_that_since_the_reset() -> None:
    reset_peak()
    before = peak()
    if before is None:
        pytest.skip("this kernel does not reset the high-water mark")
    block = bytearray(64 * MIB)
    high = peak()
    del block
    reset_peak()
    after = peak()

    assert high is not None
    assert after is not None
    assert high - before > 60
    assert high - after > 60


def test_a_kernel_that_cannot_reset_the_peak_measures_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "_CLEAR_REFS", tmp_path / "clear_refs")
    reset_peak()

    assert peak() is None


def test_the_clock_of_a_gpu_is_a_frequency_or_unknown() -> None:
    clock = gpu_clock()

    assert clock is None or clock > 0
