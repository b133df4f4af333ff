"""`NavConfig(optimization_profile=...)`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from blackbox import calls, status

from pytest_navigator.configuration.profile_config import OptimizationProfile
from pytest_navigator.errors import ConfigError
from pytest_navigator.package.container.reader import open_package

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackbox import Fake, Nav

CONFIGURED = """
from pytest_navigator.configuration.config import NavConfig
from pytest_navigator.configuration.profile_config import OptimizationProfile

nav_config = NavConfig(optimization_profile=OptimizationProfile(window_size=5, min_trials=3, max_trials=3))
"""


def test_its_windows_are_measured_and_stand_in_the_package(
    linear: pytest.Pytester, nav: Callable[..., pytest.RunResult]
) -> None:
    conftest = linear.path / "conftest.py"
    conftest.write_text(conftest.read_text() + CONFIGURED)
    nav("--nav-package=out.nav", "--nav-batch-sizes=3", formats="torch", profile=True).assert_outcomes(passed=3)
    with open_package(linear.path / "out.nav") as package:
        recorded = package.status["config"]["optimization_profile"]
        (runner,) = package.status["models_status"]["torch"]["runners_status"].values()
    assert (recorded["window_size"], recorded["batch_sizes"]) == (5, [3])
    assert runner["result"]["Performance"]["profiling_results"][0]["request_count"] == 15


TIMED = """

def bind(self, feed):
    (x,) = feed.values()
    note(f"{self.name}:{x.shape[0]}:{x.max():g}")
    return lambda: time.sleep(0.001)

FakeCPU.bind = DenseCPU.bind = bind
"""
"""Note what is timed, by its batch size and its values; an inference takes a millisecond at least."""

PROFILE = "OptimizationProfile(window_size=5, max_trials=3, batch_sizes=[1, 4], dataloader={})"
IMPORTS = "from pytest_navigator import OptimizationProfile, ProfilerConfig, MeasurementMode\n"


@pytest.fixture
def profiled(dense: Fake, nav: Nav) -> Callable[..., pytest.RunResult]:
    """Run a suite under a configuration of the profiler; `calls` tells what was timed."""

    def run(profile: str, *arguments: str, code: str = TIMED) -> pytest.RunResult:
        project = dense(optimization_profile=profile)
        conftest, module = project.path / "conftest.py", project.path / "fake_format.py"
        conftest.write_text(IMPORTS + conftest.read_text())
        module.write_text(module.read_text() + code)
        return nav("--nav-package=out.nav", "-v", *arguments, formats="", profile=True)

    return run


@pytest.mark.parametrize(
    "loader",
    ["[np.full((2, 5), 7, 'float32'), 'never read']", "lambda: (np.full((2, 5), 7, 'float32') for _ in range(3))"],
    ids=["list", "function"],
)
def test_its_own_loader_is_what_is_timed(
    pytester: pytest.Pytester, profiled: Callable[..., pytest.RunResult], loader: str
) -> None:
    profiled(PROFILE.format(loader)).assert_outcomes(passed=8)
    timed = {call for call in calls(pytester) if ":" in call}
    assert timed == {f"{runner}:{batch}:7" for runner in ("DenseCPU", "FakeCPU") for batch in (1, 4)}
    with open_package(pytester.path / "out.nav") as package:
        assert "model_input/profiling_batch.npz" in package.files()
        package.verify()


def test_without_a_loader_of_its_own_the_users_largest_batch_is_timed(
    pytester: pytest.Pytester, profiled: Callable[..., pytest.RunResult]
) -> None:
    profiled(PROFILE.format(None)).assert_outcomes(passed=8)
    timed = {call for call in calls(pytester) if ":" in call}
    assert len(timed) == 4
    assert not any(call.endswith(":7") for call in timed)


@pytest.mark.parametrize(
    ("loader", "problem"),
    [
        ("[]", "the loader is empty: it has to give at least one sample"),
        ("[np.zeros((2, 5))]", "sample 0: *float64*"),
        ("[(np.zeros((2, 5), 'float32'), 1)]", "sample 0: *"),
        (
            "[np.zeros((2, 6), 'float32')]",
            "sample 0: input x has 6 on axis 1, where every sample of nav_dataloader has 5*",
        ),
        ("lambda: 1 / 0", "the loader raised when it was called: ZeroDivisionError*"),
    ],
    ids=["empty", "dtype", "structure", "size", "raises"],
)
def test_a_loader_that_gives_other_samples_fails_the_source(
    profiled: Callable[..., pytest.RunResult], monkeypatch: pytest.MonkeyPatch, loader: str, problem: str
) -> None:
    monkeypatch.setenv("COLUMNS", "500")
    result = profiled(PROFILE.format(loader), "-k", "source")
    result.assert_outcomes(failed=1, deselected=7)
    result.stdout.fnmatch_lines([f"FAILED *test_source - OptimizationProfile.dataloader: {problem}"])


def test_a_loader_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"OptimizationProfile\.dataloader is 3: it must be a list of samples"):
        OptimizationProfile(dataloader=3)


def test_time_windows_of_a_profiler_config_are_measured_and_told(
    pytester: pytest.Pytester, profiled: Callable[..., pytest.RunResult]
) -> None:
    """At a millisecond an inference at least, 20 ms hold 20 of them at most; a window of a number has 50."""
    profile = "ProfilerConfig(measurement_mode=MeasurementMode.TIME_WINDOWS, measurement_interval=20, max_trials=3)"
    profiled(profile, "-k", "not batchmax").assert_outcomes(passed=6, deselected=2)
    package = status(pytester.path / "out.partial.nav")
    assert package["config"]["optimization_profile"]["window_size"] is None
    for step in ("profile.dense.DenseCPU.batch1", "profile.fake.FakeCPU.batch1"):
        result = package["pytest_navigator"]["steps"][step]["data"]["result"]
        assert result["windows"] == 3
        assert 3 * 5 <= result["request_count"] <= 3 * 20


@pytest.mark.skipif(sys.platform != "linux", reason="no other kernel tells the high-water mark")
def test_the_peak_memory_of_each_runner_is_recorded(
    pytester: pytest.Pytester, profiled: Callable[..., pytest.RunResult]
) -> None:
    """In MiB: an interpreter with numpy takes more than 10, an array of 200 MiB that is there for a moment 200 more."""
    profiled(PROFILE.format(None), "-k", "not batch4")
    small = {step: peak_of(pytester, step) for step in PROFILES}
    assert min(small.values()) > 10
    profiled(
        PROFILE.format(None), "-k", "not batch4", code=TIMED.replace("time.sleep(0.001)", "np.ones(25 * 2**20).sum()")
    )
    assert all(peak_of(pytester, step) > 150 + small[step] for step in PROFILES)


PROFILES = ("profile.dense.DenseCPU.batch1", "profile.fake.FakeCPU.batch1")


def peak_of(pytester: pytest.Pytester, step: str) -> float:
    steps = status(pytester.path / "out.partial.nav")["pytest_navigator"]["steps"]
    found: float = steps[step]["data"]["result"]["peak_memory"]
    return found
