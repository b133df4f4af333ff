"""pytest-benchmark shows, stores and compares the very figures of status.yaml."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from blackbox import calls, status, words

if TYPE_CHECKING:
    from blackbox import Fake, Nav

PROFILES = {f"test_profile[{cell}-{batch}]" for cell in ("dense-cpu", "fake-cpu") for batch in ("batch1", "batchmax")}


@pytest.fixture
def project(dense: Fake) -> pytest.Pytester:
    pytester = dense(profile_seconds="0.05")
    pytester.makepyfile(test_mine="def test_mine(): pass\n\ndef test_timed(benchmark): benchmark(int)\n")
    return pytester


def run(nav: Nav, *arguments: str) -> pytest.RunResult:
    own = () if "no:benchmark" in arguments else ("--benchmark-max-time=0.02",)  # of the user's own: 1 s
    return nav("-v", *own, "--nav-package=out.nav", *arguments, formats="", profile=True)


def figures(pytester: pytest.Pytester) -> dict[tuple[str, int], dict[str, Any]]:
    """Return the profiling results of the package, by runner and batch size."""
    models = status(pytester.path / "out.nav")["pytest_navigator"]["models_status"].values()
    runners = [(name, r) for model in models for name, r in model["runners_status"].items()]
    return {(n, f["batch_size"]): f for n, r in runners for f in r["result"]["Performance"]["profiling_results"]}


def test_the_json_has_the_figures_of_the_package(project: pytest.Pytester, nav: Nav) -> None:
    run(nav, "--benchmark-json=figures.json", "conftest.py")
    found = json.loads((project.path / "figures.json").read_text())["benchmarks"]
    own = figures(project)
    assert len(found) == len(own) == 4
    for benchmark in found:
        info, stats = benchmark["extra_info"], benchmark["stats"]
        runner = {"dense": "DenseCPU", "fake": "FakeCPU"}[info["format"]]
        figure = own[runner, info["batch_size"]]
        assert info["runtime"] == "cpu"
        assert info["throughput"] == figure["throughput"]
        assert stats["rounds"] == figure["request_count"]
        assert stats["median"] * 1000 == pytest.approx(figure["p50_latency"], rel=1e-9)
        assert stats["mean"] * 1000 == pytest.approx(figure["avg_latency"], rel=1e-9)


def rows(result: pytest.RunResult) -> set[str]:
    """Return the names in the first column of pytest-benchmark's tables."""
    return {line.split()[0] for line in result.outlines if line.startswith("test_") and "." in line.split()[1]}


@pytest.mark.parametrize("option", ["--benchmark-columns=min,median", "--benchmark-autosave", "--benchmark-only"])
def test_its_table_lists_the_profiles_for_who_asks_for_it(project: pytest.Pytester, nav: Nav, option: str) -> None:
    result = run(nav, option)
    assert rows(result) == PROFILES | {"test_timed"}
    result.stdout.fnmatch_lines(["=* navigator =*", "package: out.nav", "*benchmark *: 4 tests*"])


def test_by_default_it_lists_the_users_own_tests_below_our_summary(project: pytest.Pytester, nav: Nav) -> None:
    result = run(nav)
    assert rows(result) == {"test_timed"}
    result.stdout.fnmatch_lines(["=* navigator =*", "package: out.nav", "*benchmark: 1 tests*"])


def test_by_default_there_is_no_table_for_our_profiles_alone(project: pytest.Pytester, nav: Nav) -> None:
    result = run(nav, "-W", "error", "conftest.py")
    assert result.ret == 0
    assert "benchmark" not in result.stdout.str().partition("navigator ===")[2]


def test_benchmark_only_runs_the_profiles_and_what_they_need(project: pytest.Pytester, nav: Nav) -> None:
    found = words(run(nav, "--benchmark-only"))
    assert {name for name, word in found.items() if word == "PASSED"} == PROFILES | {"test_timed"}
    assert {word for name, word in found.items() if name not in PROFILES | {"test_timed"}} == {"SKIPPED"}
    assert calls(project).count("export") == 1


def test_benchmark_skip_skips_the_profiles(project: pytest.Pytester, nav: Nav) -> None:
    found = words(run(nav, "--benchmark-skip"))
    assert {name for name, word in found.items() if word == "SKIPPED"} == PROFILES | {"test_timed"}
    assert calls(project).count("bind") == 0


def test_benchmark_disable_leaves_the_package_its_figures(project: pytest.Pytester, nav: Nav) -> None:
    found = words(run(nav, "--benchmark-disable"))
    assert set(found.values()) == {"PASSED"}
    assert [figure["p50_latency"] > 0 for figure in figures(project).values()] == [True] * 4


def test_a_slower_model_fails_the_comparison(project: pytest.Pytester, nav: Nav) -> None:
    arguments = ("conftest.py", "-k", "profile and fake and batch1")
    assert run(nav, "--benchmark-save=before", *arguments).ret == 0
    path = project.path / "fake_format.py"
    quick = "    def infer_quietly(self, feed):\n"
    path.write_text(path.read_text().replace(quick, quick + "        time.sleep(0.005)\n"))
    compare = ("--benchmark-compare", "--benchmark-compare-fail=median:200%")
    result = run(nav, *compare, *arguments)
    assert result.ret != 0
    assert "Performance has regressed" in result.stdout.str() + result.stderr.str()


def test_a_failed_profile_is_one_failure_even_where_warnings_are_errors(dense: Fake, nav: Nav) -> None:
    dense("mode='raise', where='bind'", profile_seconds="0.05", batch_sizes="[1]")
    result = nav("-v", "-Werror", formats="", profile=True)
    found = words(result)
    assert {name for name, word in found.items() if word != "PASSED"} == {"test_profile[fake-cpu-batch1]"}
    assert result.parseoutcomes().get("errors", 0) == 0


def test_a_benchmark_of_the_users_own_needs_the_plugin(project: pytest.Pytester, nav: Nav) -> None:
    result = run(nav, "-p", "no:benchmark", "-rE")
    assert set(PROFILES) <= {name for name, word in words(result).items() if word == "PASSED"}
    result.stdout.fnmatch_lines(["*the fixture 'benchmark' comes with pytest-benchmark*"])


def test_a_benchmark_of_the_users_own_runs_where_plugins_are_named_one_by_one(
    project: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    named = [argument for plugin in ("pytest_benchmark", "pytest_navigator") for argument in ("-p", f"{plugin}.plugin")]
    result = project.runpytest_subprocess(*named, "--nav", "--nav-no-profile", "--nav-formats=dense", "-v")
    result.stdout.fnmatch_lines("test_mine.py::test_timed PASSED*")
    assert result.ret == 0
