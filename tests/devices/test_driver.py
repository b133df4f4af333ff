"""What the driver says, whatever it does: a shared library of our own stands for it, found as the real one is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_navigator.core.plain import load, save
from pytest_navigator.devices import driver_library, present, shared
from pytest_navigator.devices.environment import environment
from pytest_navigator.devices.present import devices, has_driver
from pytest_navigator.devices.records import Devices, Gpu, devices_line
from pytest_navigator.devices.requirements import _check, missing
from tests.fake_driver import Driver, needs_gcc, times_asked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Use = Callable[[Driver], Path]

H200 = Gpu("NVIDIA H200", 143771, "9.0", 700.0)
A100 = Gpu("NVIDIA A100", 143771, "8.0", 700.0)
TWO = (("NVIDIA H200", "9.0"), ("NVIDIA A100", "8.0"))


@pytest.fixture
def use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Use]:
    """Return a function that makes a driver the one of this machine."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    _check.cache_clear()

    def build(driver: Driver) -> Path:
        folder = driver.build(tmp_path / "driver")
        monkeypatch.setenv("LD_LIBRARY_PATH", str(folder))
        return folder

    yield build
    _check.cache_clear()  # what the driver of a test has answered


def test_without_a_driver_no_process_is_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", str(tmp_path))
    monkeypatch.setattr(driver_library, "FOLDERS", ())
    monkeypatch.setattr(driver_library, "CACHE", tmp_path / "none")
    monkeypatch.setattr("pytest_navigator.devices.disposable.ask", lambda *_: pytest.fail("a process was started"))

    assert not has_driver()
    assert devices() == Devices()
    assert devices().missing == "no CUDA device"


@needs_gcc
def test_two_gpus_are_described_with_driver_and_cuda(use: Use) -> None:
    use(Driver(TWO))

    assert devices() == Devices((H200, A100), driver="570.1", cuda="12.8")
    assert devices().missing is None
    assert missing(["cuda"]) is None
    text = "NVIDIA H200 (sm_90, 143771 MiB), NVIDIA A100 (sm_80, 143771 MiB), driver 570.1, CUDA 12.8"
    assert devices_line(devices()) == text


def test_equal_gpus_are_counted() -> None:
    assert devices_line(Devices((H200, H200), "", "13.0")) == "2 x NVIDIA H200 (sm_90, 143771 MiB), CUDA 13.0"


@needs_gcc
@pytest.mark.parametrize(("visible", "expected"), [("1", (A100,)), ("1,0", (A100, H200)), ("0,7", (H200,)), ("", ())])
def test_what_the_user_hides_is_not_there(
    use: Use, monkeypatch: pytest.MonkeyPatch, visible: str, expected: tuple[Gpu, ...]
) -> None:
    use(Driver(TWO))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    assert devices().gpus == expected
    assert missing(["cuda"]) == (None if expected else "no CUDA device")


TROUBLE = {
    "an error": (Driver(error=803), "driver error 803"),
    "an abort": (Driver(on_init="abort()"), "the driver ended the process that asked it: SIGABRT"),
    "a crash": (Driver(on_init="*(volatile int *)0 = 0"), "the driver ended the process that asked it: SIGSEGV"),
    "an exit": (Driver(on_init="_exit(3)"), "the driver ended the process that asked it: exit 3"),
    "a hang": (Driver(on_init="sleep(600)"), "the driver gave no answer within 2 s"),
}


@needs_gcc
@pytest.mark.parametrize("name", TROUBLE)
def test_a_driver_in_trouble_is_a_reason_and_nothing_more(use: Use, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    driver, why = TROUBLE[name]
    monkeypatch.setattr(present, "LIMIT", 2.0 if name == "a hang" else present.LIMIT)
    use(driver)

    assert missing(["cuda"]) == f"CUDA is visible but unusable ({why})"
    assert devices_line(devices()) == missing(["cuda"])
    assert devices().gpus == ()
    assert environment()["gpu"] is None


@needs_gcc
def test_a_library_that_is_no_driver_is_none(use: Use) -> None:
    folder = use(Driver())
    (folder / "libcuda.so.1").write_text("not a library")

    assert missing(["cuda"]) == "no CUDA device"


@pytest.mark.parametrize(
    ("driver", "library", "old"),
    [
        ("12.4", "13", True),
        ("12.4", "13.0", True),
        ("12.4", "12.9", False),
        ("13.0", "12", False),
        ("", "13", False),
        ("12.4", "", False),
    ],
)
def test_a_driver_runs_its_own_major_version_of_cuda_and_older_ones(driver: str, library: str, old: bool) -> None:
    text = f"the driver (CUDA {driver}) is older than TensorRT's CUDA {library}"

    assert Devices((H200,), cuda=driver).too_old("TensorRT", library) == (text if old else None)


@needs_gcc
def test_a_run_asks_once_and_its_processes_share_the_answer(
    use: Use, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = use(Driver(TWO))
    (tmp_path / "answers").mkdir()

    with shared.sharing(tmp_path / "answers"):
        first = devices()
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")  # as that of a worker
        assert devices() == first
    assert times_asked(folder) == 1
    assert devices().gpus == (A100,)


def test_a_record_survives_json(tmp_path: Path) -> None:
    record = Devices((H200, A100), "570.1", "12.8", "trouble")
    save(tmp_path / "devices.json", record)

    assert load(tmp_path / "devices.json", Devices) == record


@needs_gcc
def test_the_environment_describes_the_gpu_in_model_navigators_words(use: Use) -> None:
    use(Driver())

    assert environment()["gpu"] == {
        "name": "NVIDIA H200",
        "driver_version": "570.1",
        "memory": "143771 MiB",
        "tdp": "700.00 W",
        "cuda_version": "12.8",
        "compute_capability": "9.0",
    }
