"""`--nav-batch-sizes=auto`: the sizes are searched, checked, and the best of them measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from blackbox import status, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackbox import Fake, Nav

SLOW = """

def infer_quietly(self, feed):
    (x,) = feed.values()
    time.sleep(0.004 + max(0, len(x) - 8) * 0.001)
    ENDING
    return x @ self.weight.T + self.bias

FakeCPU.infer_quietly = infer_quietly
MORE
"""
"""A runner that takes as long for 8 rows as for one, and longer for more; what it does at some size is put in."""

ITEMS = ("source", "export[fake]", "correctness[fake-cpu]", "throughput[fake-cpu]", "profile[fake-cpu-batch1]")


@pytest.fixture
def auto(dense: Fake, nav: Nav) -> Callable[..., pytest.RunResult]:
    """Search the sizes of the fake format alone; `ending` is what its timed inference does, beside taking time."""

    def run(*flags: str, ending: str = "pass", more: str = "", model: str = "", **config: str) -> pytest.RunResult:
        project = dense(**config)
        module, conftest = project.path / "fake_format.py", project.path / "conftest.py"
        module.write_text(module.read_text() + SLOW.replace("ENDING", ending).replace("MORE", more))
        conftest.write_text(conftest.read_text() + model)
        usual = ("--nav-batch-sizes=auto", "--nav-profile-seconds=5", "--nav-runtimes=FakeCPU", "--nav-package=out.nav")
        return nav("-v", *usual, *flags, formats="fake", profile=True)

    return run


def facts(pytester: pytest.Pytester, step: str = "throughput.fake.FakeCPU", package: str = "out.nav") -> dict[str, Any]:
    """Return what a step found out."""
    found: dict[str, Any] = status(pytester.path / package)["pytest_navigator"]["steps"][step]["data"]
    return found


def test_the_best_size_is_found_checked_and_measured(pytester: pytest.Pytester, auto: Callable[..., Any]) -> None:
    result = auto()
    assert words(result) == {
        **{f"test_{item}": "PASSED" for item in ITEMS},
        "test_profile[fake-cpu-batchknee]": "SKIPPED",
        "test_profile[fake-cpu-batchbest]": "PASSED",
    }
    found = facts(pytester)
    assert [each["batch_size"] for each in found["sizes"]] == [1, 2, 4, 8, 16, 32]
    assert (found["knee"], found["best"], found["ended"]) == (8, 8, "saturated")
    assert found["compared"] == [8]
    assert [(report["total"], report["problem"]) for report in found["outputs"]] == [(8 * 7, "")]
    assert facts(pytester, "profile.fake.FakeCPU.batchbest")["result"]["batch_size"] == 8
    best = status(pytester.path / "out.nav")["pytest_navigator"]["best"]
    assert best["throughput"]["batch_size"] == 8
    result.stdout.fnmatch_lines(
        ["batch sizes: fake FakeCPU: most infer/s at 8 (*); 1 to 32 were tried: 2 sizes gained *"]
    )


REPLAYED = ("--benchmark-columns=median", "-p", "benchmark")


@pytest.mark.slow
@pytest.mark.parametrize("flags", [("-n2",), ("-k", "batchbest"), REPLAYED], ids=["n2", "one", "replay"])
def test_items_run_alone_and_in_workers(
    pytester: pytest.Pytester, auto: Callable[..., Any], flags: tuple[str, ...]
) -> None:
    result = auto(*flags)
    assert words(result)["test_profile[fake-cpu-batchbest]"] == "PASSED"
    assert result.ret == 0
    package = "out.partial.nav" if "-k" in flags else "out.nav"
    assert facts(pytester, "profile.fake.FakeCPU.batchbest", package)["result"]["batch_size"] == 8


def test_a_resumed_run_searches_no_more(pytester: pytest.Pytester, auto: Callable[..., Any]) -> None:
    auto()
    before = status(pytester.path / "out.nav")["pytest_navigator"]["steps"]
    auto("--nav-resume", "--nav-package=again.nav")
    after = status(pytester.path / "again.nav")["pytest_navigator"]["steps"]
    passed = {name for name in before if before[name]["status"] == "passed"}
    assert {name for name in passed if before[name]["started"] != after[name]["started"]} == {"source"}


@pytest.mark.parametrize(
    ("ending", "reason"),
    [
        ("if len(x) > 6: raise MemoryError('not so many')", "batch 8: MemoryError: not so many"),
        ("if len(x) > 6: os.kill(os.getpid(), 9)", "after batch 4: *SIGKILL*"),
    ],
    ids=["raises", "killed"],
)
def test_a_lack_of_memory_ends_the_search_and_fails_nothing(
    pytester: pytest.Pytester, auto: Callable[..., Any], ending: str, reason: str
) -> None:
    result = auto(ending=ending)
    assert result.ret == 0
    assert words(result)["test_profile[fake-cpu-batchbest]"] == "PASSED"
    assert [each["batch_size"] for each in facts(pytester)["sizes"]] == [1, 2, 4]
    assert (facts(pytester)["best"], facts(pytester)["ended"]) == (4, "failure")
    result.stdout.fnmatch_lines([f"note: throughput.fake.FakeCPU: the search ended: {reason}"])


WRONG = """

def infer(self, feed):
    (x,) = feed.values()
    return {self.signature.outputs[0].name: x @ self.weight.T + self.bias + (len(x) > 6)}

FakeCPU.infer = infer
"""


def test_wrong_numbers_at_a_larger_batch_fail_the_search(auto: Callable[..., Any], pytester: pytest.Pytester) -> None:
    """The loader's own batches have 3 rows: only the search sees that 8 rows give something else."""
    result = auto(more=WRONG)
    assert words(result)["test_correctness[fake-cpu]"] == "PASSED"
    assert words(result)["test_throughput[fake-cpu]"] == "FAILED"
    assert words(result)["test_profile[fake-cpu-batch1]"] == "PASSED"
    assert words(result)["test_profile[fake-cpu-batchbest]"] == "SKIPPED"
    result.stdout.fnmatch_lines(["output__0: max abs 1 (sample * at batch 8, *"])


CENTRED = """
@pytest.fixture(scope="session")
def nav_model():
    model = Dense(np.random.randn(7, 5).astype("float32"), np.zeros(7, "float32"))
    return Centred(model.weight, model.bias)
"""
DEPENDENT = """

class Centred(Dense):
    def __call__(self, x):
        return x @ self.weight.T + 0 * self.bias + x.mean()

def dependent(self, feed):
    (x,) = feed.values()
    return {self.signature.outputs[0].name: x @ self.weight.T + x.mean()}

FakeCPU.infer = dependent
"""


def test_a_model_whose_rows_depend_on_each_other_is_not_compared_at_other_sizes(
    pytester: pytest.Pytester, auto: Callable[..., Any]
) -> None:
    result = auto(model=CENTRED, more=DEPENDENT)
    assert result.ret == 0
    assert facts(pytester)["compared"] == []
    result.stdout.fnmatch_lines(
        ["note: throughput.fake.FakeCPU: not compared at larger batches: the rows of a batch depend on each other *"]
    )


ONE_ROW = """
@pytest.fixture(scope="session")
def nav_dataloader():
    return [np.random.randn(1, 5).astype("float32") for _ in range(4)]
"""


def test_rows_of_a_loader_with_one_row_are_repeated(pytester: pytest.Pytester, auto: Callable[..., Any]) -> None:
    assert auto(model=ONE_ROW).ret == 0
    assert facts(pytester)["compared"] == [8]


def test_the_largest_size_and_the_latency_budget_end_it(pytester: pytest.Pytester, auto: Callable[..., Any]) -> None:
    auto("--nav-batch-sizes=auto:6")
    assert [each["batch_size"] for each in facts(pytester)["sizes"]] == [1, 2, 4, 6]
    assert status(pytester.path / "out.nav")["config"]["optimization_profile"]["max_batch_size"] == 6
    auto("--nav-latency-budget=7", "--nav-package=less.nav")
    found = facts(pytester, package="less.nav")
    assert found["ended"] in ("latency budget", "saturated")
    assert found["best"] == 8


def test_one_row_at_most_is_what_batch1_measures(auto: Callable[..., Any]) -> None:
    result = auto("--nav-batch-sizes=auto:1")
    assert words(result)["test_profile[fake-cpu-batchbest]"] == "SKIPPED"
    assert words(result)["test_profile[fake-cpu-batch1]"] == "PASSED"


def test_sizes_of_a_model_without_a_batch_axis_cannot_be_searched(auto: Callable[..., Any]) -> None:
    result = auto(batch_dim="None")
    result.stderr.fnmatch_lines(
        ["ERROR: batch_sizes = auto (--nav-batch-sizes): no model has a batch axis to search the sizes of *"]
    )


def test_it_is_configured_beside_the_model_and_in_the_ini_file(dense: Fake, nav: Nav) -> None:
    project = dense(batch_sizes="'auto:8'", latency_budget="5.5")
    result = nav("--nav-show-config", "--collect-only", formats="", profile=True)
    result.stdout.fnmatch_lines(["batch_sizes *auto:8  (nav_config)", "latency_budget *5.5  (nav_config)"])
    dense()
    project.makeini("[pytest]\nnav_batch_sizes = auto\nnav_latency_budget = 3\n")
    result = nav("--nav-show-config", "--collect-only", formats="", profile=True)
    result.stdout.fnmatch_lines(["batch_sizes *auto  (ini: nav_batch_sizes)", "latency_budget *3.0  (ini: *)"])


@pytest.mark.parametrize(
    ("flag", "problem"),
    [
        ("--nav-batch-sizes=auto,8", "*--nav-batch-sizes*'auto,8': auto searches the batch sizes, and stands alone;*"),
        ("--nav-batch-sizes=auto:0", "*--nav-batch-sizes*'0' is not a largest batch size*; write auto, or auto:64*"),
        ("--nav-latency-budget=0", "*--nav-latency-budget*'0' is not a positive number of ms"),
        (
            "--nav-latency-budget=5",
            "*latency_budget = 5.0 (--nav-latency-budget) ends a search of batch sizes, *",
        ),
    ],
)
def test_what_cannot_be_searched_is_an_error(dense: Fake, nav: Nav, flag: str, problem: str) -> None:
    dense()
    nav(flag, formats="", profile=True).stderr.fnmatch_lines([problem])
