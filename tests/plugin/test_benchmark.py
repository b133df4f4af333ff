from __future__ import annotations

import json
import statistics
from typing import TYPE_CHECKING, Any

import pytest

from pytest_navigator.profiling.measuring import summary

if TYPE_CHECKING:
    from pathlib import Path

# What pytest-benchmark before 5.3 does itself: it leaves its JSON file open, and warns whenever xdist disables it.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:Benchmarks are automatically disabled"),
]

LATENCIES = [1_250_000, 1_750_000, 9_000_001, 1_333_333, 77]
RESULT = summary([LATENCIES], 4, stability="unstable", contention=0.25)
CONFTEST = """
import pytest
from pytest_navigator.plugin.benchmark import NullBenchmark, prepare

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    if "replays" in item.name:
        prepare(item)

def pytest_configure(config):
    if not config.pluginmanager.hasplugin("benchmark"):
        config.pluginmanager.register(NullBenchmark())
"""
TEST = f"""
import pytest
from pytest_navigator.plugin.benchmark import measured, replay_item
from pytest_navigator.profiling.measuring import summary
from pytest_navigator.core.records import Outcome, Status

RESULT = summary([{LATENCIES}], 4, stability="unstable", contention=0.25)
OUTCOME = Outcome("profile", Status.PASSED, key="onnx")

def test_replays(request, benchmark):
    with measured(benchmark):
        replay_item(request.node, benchmark, RESULT, OUTCOME, group="linear", runtime="cpu")
"""
FAILING = """
import pytest
from pytest_navigator.plugin.benchmark import measured

def test_replays(benchmark):
    with measured(benchmark):
        pytest.fail("the runner crashed", pytrace=False)
"""


@pytest.fixture
def replays(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(TEST)
    return pytester


def run(pytester: pytest.Pytester, *args: str) -> pytest.RunResult:
    return pytester.runpytest("-p", "no:cacheprovider", "-W", "error:Benchmark fixture was not used", *args)


def saved(path: Path) -> dict[str, Any]:
    (benchmark,) = json.loads(path.read_text(encoding="utf-8"))["benchmarks"]
    assert isinstance(benchmark, dict)
    return benchmark


def assert_same_figures(stats: dict[str, Any]) -> None:
    seconds = [latency / 1000 for latency in RESULT.latencies]
    assert stats["data"] == seconds
    assert (stats["rounds"], stats["iterations"]) == (len(seconds), 1)
    assert (stats["min"], stats["max"]) == (min(seconds), max(seconds))
    assert stats["median"] * 1000 == pytest.approx(RESULT.p50_latency, rel=1e-12)
    assert stats["mean"] * 1000 == pytest.approx(RESULT.avg_latency, rel=1e-12)
    assert stats["stddev"] == pytest.approx(statistics.stdev(seconds), rel=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--benchmark-warmup=on", "--benchmark-warmup-iterations=7"),
        ("--benchmark-disable-gc", "--benchmark-calibration-precision=1000"),
        ("--benchmark-min-rounds=50", "--benchmark-min-time=1", "--benchmark-max-time=9"),
        ("--benchmark-cprofile=cumtime",),
        ("--benchmark-timer=time.process_time",),
        ("--benchmark-only",),
        ("--benchmark-group-by=param,name",),
    ],
    ids=" ".join,
)
def test_the_figures_are_the_measured_ones_under_every_option(
    replays: pytest.Pytester, options: tuple[str, ...]
) -> None:
    result = run(replays, "--benchmark-json=out.json", *options)

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["test_replays*"])
    assert_same_figures(saved(replays.path / "out.json")["stats"])


def test_the_json_tells_what_was_measured(replays: pytest.Pytester) -> None:
    run(replays, "--benchmark-json=out.json")

    benchmark = saved(replays.path / "out.json")
    assert benchmark["group"] == "linear"
    assert benchmark["extra_info"] == {
        "format": "onnx",
        "runtime": "cpu",
        "batch_size": 4,
        "throughput": RESULT.throughput,
        "stability": "unstable",
        "contention": 0.25,
    }
    assert "0x" not in str(benchmark["options"])


def test_a_users_own_mark_does_not_replace_the_clock(replays: pytest.Pytester) -> None:
    replays.makepyfile(TEST + "\npytestmark = pytest.mark.benchmark(group='mine', min_rounds=99)\n")

    run(replays, "--benchmark-json=out.json").assert_outcomes(passed=1)

    assert_same_figures(saved(replays.path / "out.json")["stats"])


def test_a_slower_result_fails_the_comparison(replays: pytest.Pytester) -> None:
    run(replays, "--benchmark-save=before").assert_outcomes(passed=1)
    same = run(replays, "--benchmark-compare", "--benchmark-compare-fail=mean:5%")
    replays.makepyfile(TEST.replace("9000001", "99000001"))
    slower = run(replays, "--benchmark-compare", "--benchmark-compare-fail=mean:5%")

    assert same.ret == pytest.ExitCode.OK
    assert slower.ret != pytest.ExitCode.OK
    slower.stderr.fnmatch_lines(["*Performance has regressed*"])


@pytest.mark.parametrize("options", [("--benchmark-disable",), ("-n1",)], ids=" ".join)
def test_a_disabled_benchmark_passes_without_figures(replays: pytest.Pytester, options: tuple[str, ...]) -> None:
    result = replays.runpytest("-p", "no:cacheprovider", *options)

    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*linear*")


def test_a_skipped_benchmark_is_a_skip(replays: pytest.Pytester) -> None:
    run(replays, "--benchmark-skip").assert_outcomes(skipped=1)


def test_without_pytest_benchmark_the_item_passes_all_the_same(replays: pytest.Pytester) -> None:
    run(replays, "-p", "no:benchmark", "--strict-markers").assert_outcomes(passed=1)


def test_without_pytest_benchmark_other_tests_learn_what_they_lack(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile("def test_other(benchmark): benchmark(len, [])")

    result = run(pytester, "-p", "no:benchmark")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*the fixture 'benchmark' comes with pytest-benchmark*"])


def test_a_failure_before_the_replay_is_one_failure_without_a_figure(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(FAILING)

    result = run(pytester, "--benchmark-sort=mean")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["the runner crashed", "*1 failed in *"])
    result.stdout.no_fnmatch_line("*benchmark: 1 tests*")


def test_a_skip_before_the_replay_is_a_skip(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(FAILING.replace("pytest.fail(", "pytest.skip(").replace(", pytrace=False", ""))

    run(pytester, "--benchmark-sort=mean").assert_outcomes(skipped=1)


@pytest.mark.parametrize("place", ["arguments", "environment", "ini file"])
@pytest.mark.parametrize(("option", "seen"), [("sort=mean", True), ("columns=min", True), ("min-rounds=9", False)])
def test_its_table_is_for_who_asks_for_a_view_of_it(
    replays: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, place: str, option: str, seen: bool
) -> None:
    word = f"--benchmark-{option}"
    if place == "environment":
        monkeypatch.setenv("PYTEST_ADDOPTS", word)
    elif place == "ini file":
        replays.makeini(f"[pytest]\naddopts = {word}")

    result = run(replays, *[word] * (place == "arguments"))

    result.assert_outcomes(passed=1)
    assert any("benchmark 'linear': 1 tests" in line for line in result.outlines) == seen


def test_preparing_an_item_again_keeps_its_clock(replays: pytest.Pytester) -> None:
    replays.makepyfile(
        TEST + "\nfrom pytest_navigator.plugin.benchmark import prepare\n"
        "@pytest.fixture(autouse=True)\ndef again(request, benchmark):\n    prepare(request.node)\n"
    )

    run(replays, "--benchmark-json=out.json").assert_outcomes(passed=1)

    assert_same_figures(saved(replays.path / "out.json")["stats"])
