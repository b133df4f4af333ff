"""`-n 2` gives what one process gives: every step once, the package once, by the controller."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import calls, status, words

if TYPE_CHECKING:
    from blackbox import Fake, Nav

pytestmark = pytest.mark.slow

EXPECTED = {"test_source", "test_export[fake]", "test_correctness[dense-cpu]", "test_correctness[fake-cpu]"}
EXPECTED |= {f"test_profile[{cell}-{batch}]" for cell in ("dense-cpu", "fake-cpu") for batch in ("batch1", "batchmax")}
EXPECTED |= {"verify_shape[fake-cpu]"}
VERIFY = """
def verify_shape(nav_runner):
    assert nav_runner(np.zeros((2, 5), "float32")).shape == (2, 7)
"""


@pytest.fixture
def project(dense: Fake) -> pytest.Pytester:
    pytester = dense(profile_seconds="0.05")
    conftest = pytester.path / "conftest.py"
    conftest.write_text(conftest.read_text() + VERIFY)
    return pytester


@pytest.mark.parametrize("dist", ["load", "loadscope", "loadfile", "loadgroup", "worksteal", "each"])
def test_every_distribution_runs_each_step_once(project: pytest.Pytester, nav: Nav, dist: str) -> None:
    workers = ["--tx=2*popen"] if dist == "each" else ["-n2"]
    arguments = ["-v", f"--dist={dist}", "--nav-package=out.nav", *workers]
    result = nav(*arguments, formats="", profile=True, subprocess=True)
    assert words(result) == dict.fromkeys(EXPECTED, "PASSED")
    made = calls(project)
    compared, verified = 4 + 4, 2 if dist == "each" else 1  # the user's batches and their first rows
    assert (made.count("export"), made.count("bind"), made.count("infer")) == (1, 2, compared + verified)
    assert status(project.path / "out.nav")["pytest_navigator"]["complete"]
    assert [path.name for path in project.path.glob("*.nav")] == ["out.nav"]


def test_the_package_has_its_figures_though_pytest_benchmark_is_off(project: pytest.Pytester, nav: Nav) -> None:
    nav("-n2", "--nav-package=out.nav", "--benchmark-json=figures.json", formats="", profile=True, subprocess=True)
    runner = status(project.path / "out.nav")["pytest_navigator"]["models_status"]["fake"]["runners_status"]["FakeCPU"]
    figures = runner["result"]["Performance"]["profiling_results"]
    assert [figure["batch_size"] for figure in figures] == [1, 3]
    assert all(figure["p50_latency"] > 0 for figure in figures)


def test_the_controller_prints_one_summary(project: pytest.Pytester, nav: Nav) -> None:
    result = nav("-n2", formats="", subprocess=True)
    lines = result.stdout.lines
    assert sum("= navigator =" in line for line in lines) == 1
    assert sum(line.startswith("navigator: ") for line in lines) == 1
    assert sum(line.split()[:2] == ["fake", "FakeCPU"] for line in lines) == 1


def test_nothing_to_collect_is_told_once(pytester: pytest.Pytester, nav: Nav) -> None:
    pytester.makepyfile(test_mine="def test_mine(): pass")
    result = nav("-n2", subprocess=True)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    text = result.stdout.str() + result.stderr.str()
    assert text.count("no nav_model was found") == 1
    assert "Traceback" not in text


def test_a_crash_in_the_child_of_a_worker_is_one_failed_test(dense: Fake, nav: Nav) -> None:
    pytester = dense("mode='segfault', where='infer'")
    result = nav("-v", "-n2", "--nav-package=out.nav", formats="", subprocess=True)
    found = words(result)
    assert found == dict.fromkeys(found, "PASSED") | {"test_correctness[fake-cpu]": "FAILED"}
    assert len(found) == 4
    assert status(pytester.path / "out.nav")["pytest_navigator"]["complete"]


def test_reruns_in_a_worker_run_the_step_again(dense: Fake, nav: Nav) -> None:
    pytester = dense("fail_once=True")
    result = nav("-v", "-n2", "--reruns=1", "--nav-package=out.nav", formats="", subprocess=True)
    assert words(result)["test_export[fake]"] == "PASSED"
    assert calls(pytester).count("export") == 2


def test_x_in_workers_leaves_a_partial_package(dense: Fake, nav: Nav) -> None:
    pytester = dense("mode='raise', where='export'")
    pytester.makepyfile(test_mine="import pytest\n\n@pytest.mark.parametrize('n', range(50))\ndef test_mine(n): pass")
    result = nav("-n2", "-x", "--nav-package=out.nav", "conftest.py", "test_mine.py", formats="", subprocess=True)
    assert result.ret in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)
    result.stdout.fnmatch_lines(["*stopping after 1 failures*"])
    (package,) = pytester.path.glob("*.nav")
    steps = status(package)["pytest_navigator"]["steps"]
    assert steps["export.fake"]["status"] == "failed"
    assert (package.name == "out.partial.nav") == (len(steps) < 4)


def test_last_failed_in_workers_runs_the_failed_again(dense: Fake, nav: Nav) -> None:
    pytester = dense("scale=2.0")
    failed = {"test_correctness[fake-cpu]": "FAILED"}
    assert failed.items() < words(nav("-v", "-n2", formats="", subprocess=True)).items()
    assert words(nav("-v", "-n2", "--lf", formats="", subprocess=True)) == failed
    assert calls(pytester).count("export") == 2


def test_pytest_html_has_the_reason_that_a_worker_gave(dense: Fake, nav: Nav) -> None:
    pytester = dense("mode='raise', where='export'")
    nav("-n2", "--html=report.html", "--self-contained-html", formats="", subprocess=True)
    text = (pytester.path / "report.html").read_text()
    assert "test_export[fake]" in text
    assert "ZeroDivisionError" in text
    assert "export.fake failed" in text


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["one process", "workers"])
def test_a_run_without_profile_is_complete_by_its_own_settings(
    project: pytest.Pytester, nav: Nav, workers: tuple[str, ...]
) -> None:
    def figures(profile: bool) -> bool:
        nav(*workers, "--nav-package=out.nav", formats="", profile=profile, subprocess=bool(workers))
        (package,) = project.path.glob("*.nav")
        found = status(package)
        assert found["pytest_navigator"]["complete"]
        return any(step.startswith("profile.") for step in found["pytest_navigator"]["steps"])

    assert [figures(profile) for profile in (True, False)] == [True, False]
