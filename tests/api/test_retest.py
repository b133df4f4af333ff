"""The checks of a package, run again from Python."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

import pytest_navigator as nav
from pytest_navigator.errors import ConfigError, PackageError

if TYPE_CHECKING:
    from pathlib import Path

FORMATS = ["torch", "torchscript-script", "torchscript-trace", "onnx"]
QUICK = nav.ProfilerConfig(batch_sizes=(2,), measurement_request_count=5, max_trials=3)


def test_a_package_is_profiled_again_as_it_is_asked_for(
    pair: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with nav.load(pair, target_device="cpu") as package:
        package.set_verified("onnx", "cpu")
        nav.profile(package_descriptor=package, profiler_config=QUICK)
        assert package.path == pair
        assert package.get_best().batch_size == 2
        assert set(package.get_formats_performance()) == {"torchscript-script", "torchscript-trace", "onnx"}
        assert package.is_verified("onnx", "cpu")
        package.save(tmp_path / "out.nav")
    assert "pair.nav::nav_model::test_profile[onnx-cpu-batch2] PASSED" in capsys.readouterr().out
    with nav.load(tmp_path / "out.nav") as saved, saved.get_runner("onnx") as runner:
        assert saved.get_best().batch_size == 2
        assert runner.is_active


def test_the_checks_alone_are_run_again_when_a_package_is_loaded_whatever_its_name(
    pair: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = shutil.copy(pair, tmp_path / "a[1]::b.nav")
    with nav.load(named, retest_conversions=True, run_profiling=False) as package:
        assert package.get_status("onnx", runtime="cpu")
        assert package.get_formats_status() == dict.fromkeys(FORMATS, True)  # and no engines, which nobody asked for
        assert package.get_formats_performance() == {}
    assert "test_correctness[onnx-cpu] PASSED" in capsys.readouterr().out


def test_a_package_without_samples_cannot_be_checked_again_and_that_is_said_once(
    pair: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with nav.load(pair) as package:
        package.save(tmp_path / "small.nav", save_data=False)
    with pytest.raises(PackageError, match=r"small\.nav has no .*: the samples were left out"):
        nav.load(tmp_path / "small.nav", retest_conversions=True)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("wrong", [{"batch_sizes": [1]}, 5, nav.ProfilerConfig], ids=["dict", "number", "class"])
def test_what_is_no_configuration_of_the_profiler_is_told_before_anything_runs(
    pair: Path, capfd: pytest.CaptureFixture[str], wrong: Any
) -> None:
    problem = r"^profiler_config=.*: OptimizationProfile\(\.\.\.\) or ProfilerConfig\(\.\.\.\) is needed$"
    with nav.load(pair) as package:
        with pytest.raises(ConfigError, match=problem):
            nav.profile(package, wrong)
        with pytest.raises(ConfigError, match=problem):
            package.retest(profile=False, profiler_config=wrong)
    with pytest.raises(ConfigError, match=problem):
        nav.load(pair, profiler_config=wrong)
    assert capfd.readouterr() == ("", "")


def test_a_package_is_also_called_package_descriptor_and_what_is_none_is_told(pair: Path, tmp_path: Path) -> None:
    with nav.load(pair) as package:
        nav.save(package_descriptor=package, path=tmp_path / "again.nav")
        with pytest.raises(ConfigError, match=r"nav\.package\.profile has the other keywords"):
            nav.profile(package_descriptor=package, window_size=3)
    with pytest.raises(ConfigError, match=r"nav\.save\(None, None\): a package and the path"):
        nav.save()
    assert (tmp_path / "again.nav").is_file()
