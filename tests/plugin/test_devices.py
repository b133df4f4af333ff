"""GPUs of a run: who is asked, what is shown, who uses which; a driver of our own stands for NVIDIA's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import status, words

from tests.fake_driver import Driver, needs_gcc, times_asked

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from blackbox import Fake, Nav

    Use = Callable[..., Path]

pytestmark = needs_gcc

TWO = (("NVIDIA H200", "9.0"), ("NVIDIA A100", "8.0"))

SEEN = """
with open(Path(__file__).with_name("seen.txt"), "a") as file:
    file.write(f"{os.environ.get('PYTEST_XDIST_WORKER')} {os.environ.get('CUDA_VISIBLE_DEVICES')} {os.getpid()}\\n")
"""
"""Behind the module of the fake format, which the workers and their children import."""

BOUND = """
from pytest_navigator.devices.built_with import Library

Fake.bound = True
Fake.built_by = lambda self, parameters: Library("FakeRT", Path(__file__).with_name("version.txt").read_text())
"""


@pytest.fixture
def use(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Use:
    """Return a function that makes a driver the one of this machine, and returns its folder."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def build(*gpus: tuple[str, str]) -> Path:
        folder = Driver(gpus).build(pytester.path / f"driver{len(gpus)}{gpus[0][1] if gpus else ''}")
        monkeypatch.setenv("LD_LIBRARY_PATH", str(folder))
        return folder

    return build


@pytest.fixture
def bound(dense: Fake) -> pytest.Pytester:
    """A project whose fake format is bound to where it was built."""
    pytester = dense()
    module = pytester.path / "fake_format.py"
    module.write_text(module.read_text() + BOUND)
    (pytester.path / "version.txt").write_text("10.12.0")
    return pytester


def device_lines(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if line.startswith("navigator: device")]


def test_the_header_names_the_gpus_and_the_driver_is_asked_once(dense: Fake, nav: Nav, use: Use) -> None:
    dense()
    folder = use(*TWO)

    result = nav("--nav-package=out.nav", formats="", subprocess=True)

    (line,) = device_lines(result)
    assert "NVIDIA H200 (sm_90, 143771 MiB), NVIDIA A100 (sm_80, 143771 MiB), driver 570.1, CUDA 12.8" in line
    assert times_asked(folder) == 1
    assert status(folder.parent / "out.nav")["environment"]["gpu"]["name"] == "NVIDIA H200"


@pytest.mark.parametrize("arguments", [["--collect-only", "--nav"], []])
def test_a_run_that_checks_nothing_does_not_ask_the_driver(
    dense: Fake, pytester: pytest.Pytester, use: Use, arguments: list[str]
) -> None:
    dense()
    folder = use(*TWO)

    result = pytester.runpytest_subprocess(*arguments)

    assert device_lines(result) == []
    assert times_asked(folder) == 0


def test_without_a_gpu_only_who_asks_for_tensorrt_hears_of_it(dense: Fake, nav: Nav, use: Use) -> None:
    dense()
    use()

    assert device_lines(nav(formats="fake", subprocess=True)) == []
    (line,) = device_lines(nav("--nav-require=trt-fp16", formats="fake", subprocess=True))
    assert line.startswith("navigator: device: no CUDA device")


@pytest.mark.slow
@pytest.mark.parametrize("visible", [None, "1,0"])
def test_each_worker_and_its_child_have_their_own_gpu(
    dense: Fake, nav: Nav, use: Use, monkeypatch: pytest.MonkeyPatch, visible: str | None
) -> None:
    pytester = dense(profile_seconds="0.05")
    module = pytester.path / "fake_format.py"
    module.write_text(module.read_text() + SEEN)
    folder = use(*TWO)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)

    result = nav("-n2", formats="", subprocess=True)

    assert result.ret == 0
    seen = [line.split() for line in (pytester.path / "seen.txt").read_text().splitlines()]
    devices = {"gw0": "0", "gw1": "1"} if visible is None else {"gw0": "1", "gw1": "0"}
    found = {(worker, device) for worker, device, _ in seen if worker != "None"}
    assert found == set(devices.items())
    assert {device for worker, device, _ in seen if worker == "None"} == {str(visible)}  # the controller's
    assert len({process for worker, _, process in seen if worker != "None"}) > len(devices)
    assert times_asked(folder) == 1


def test_an_artifact_of_this_machine_names_it(bound: pytest.Pytester, nav: Nav, use: Use) -> None:
    use(*TWO)

    assert (
        words(nav("-v", "--nav-package=out.nav", formats="", subprocess=True))["test_correctness[fake-cpu]"] == "PASSED"
    )

    made = status(bound.path / "out.nav")["pytest_navigator"]["steps"]["export.fake"]["data"]["built_with"]
    assert made == {
        "gpu": "NVIDIA H200",
        "compute_capability": "9.0",
        "driver": "570.1",
        "cuda": "12.8",
        "library": {"name": "FakeRT", "version": "10.12.0", "parts": 2, "later": False},
        "capabilities": ["9.0"],
        "processor": None,
        "on_gpu": True,
    }


ELSEWHERE = {
    "another GPU": ([TWO[1]], "10.12.1", "NVIDIA A100 (sm_80), FakeRT 10.12"),
    "another version": ([TWO[0]], "10.13.0", "NVIDIA H200 (sm_90), FakeRT 10.13"),
    "no GPU": ([], "10.12.0", "no CUDA device"),
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_elsewhere_it_is_skipped_with_what_it_was_built_with(
    bound: pytest.Pytester, nav: Nav, use: Use, name: str
) -> None:
    gpus, version, found = ELSEWHERE[name]
    use(TWO[0])
    nav("--nav-package=out.nav", formats="", subprocess=True)
    use(*gpus)
    (bound.path / "version.txt").write_text(version)

    result = nav("-v", "-rs", "--nav-model=out.nav", formats="", subprocess=True)

    assert words(result)["test_correctness[fake-cpu]"] == "SKIPPED"
    text = f"built with NVIDIA H200 (sm_90), FakeRT 10.12; found {found}"
    assert any(line.startswith("SKIPPED") and line.endswith(text) for line in result.outlines)


def test_where_it_fits_a_package_is_checked_again(bound: pytest.Pytester, nav: Nav, use: Use) -> None:
    use(TWO[0])
    nav("--nav-package=out.nav", formats="", subprocess=True)

    result = nav("-v", "--nav-model=out.nav", formats="", subprocess=True)

    assert words(result)["test_correctness[fake-cpu]"] == "PASSED"


def test_a_resumed_run_on_another_gpu_builds_it_again(bound: pytest.Pytester, nav: Nav, use: Use) -> None:
    use(TWO[0])
    nav(formats="", subprocess=True)
    use(TWO[1])

    nav("--nav-resume", "--nav-package=out.nav", formats="", subprocess=True)

    made = status(bound.path / "out.nav")["pytest_navigator"]["steps"]["export.fake"]["data"]["built_with"]
    assert made["gpu"] == "NVIDIA A100"
