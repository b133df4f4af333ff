"""`--nav-cache`: a second run with an unchanged model converts nothing, and what has changed is made again."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from blackbox import status, words
from turned import count, edit, entry, run

from pytest_navigator.engine.cache import hardware, libraries

if TYPE_CHECKING:
    from blackbox import Nav
    from turned import Write

CONVERT = "test_convert[turned]"


def test_a_second_run_converts_and_compares_nothing_and_says_of_when_it_is(cached: pytest.Pytester, nav: Nav) -> None:
    first = status(cached.path / "out.nav")["pytest_navigator"]["steps"]
    result = run(nav)
    assert count(cached) == {"convert": 1, "compared": 8, "timed": 0}
    day = first["convert.turned"]["started"][:10]
    result.stdout.fnmatch_lines(
        [f"*test_convert*turned* PASSED (cached {day})*", f"*turned-cpu* PASSED (cached {day})*"]
    )
    result.stdout.re_match_lines([r"  turned +TurnedCPU +cached +cached +0 .*"])
    result.stdout.fnmatch_lines(
        [f"cached {day}: convert.turned, correctness.fake.FakeCPU, correctness.turned.TurnedCPU"]
    )
    step = status(cached.path / "out.nav")["pytest_navigator"]["steps"]["convert.turned"]
    assert step["data"]["cached"] == first["convert.turned"]["started"]
    assert step["duration"] == first["convert.turned"]["duration"]
    assert step["message"] == f"cached {day}"


def test_the_package_of_a_second_run_holds_the_same(cached: pytest.Pytester, nav: Nav) -> None:
    before = status(cached.path / "out.nav")["pytest_navigator"]
    run(nav)
    after = status(cached.path / "out.nav")["pytest_navigator"]
    changing = {"navigator.log", "fake/format.log", "turned/format.log", "dense/format.log"}
    assert {n: d for n, d in before["files"].items() if n not in changing} == {
        n: d for n, d in after["files"].items() if n not in changing
    }
    assert {"turned/model.npz", "turned/beside/notes.txt"} <= before["files"].keys()
    for name, step in before["steps"].items():
        assert (step["status"], step.get("digest")) == (
            after["steps"][name]["status"],
            after["steps"][name].get("digest"),
        )
        assert step["data"].keys() == after["steps"][name]["data"].keys() - {"cached"}


def test_the_log_of_a_cached_step_is_that_of_the_run_that_made_it(cached: pytest.Pytester, nav: Nav) -> None:
    run(nav)
    (log,) = cached.path.glob("navigator_workspace/*/turned/format.log")
    assert "convert.turned: cached 20" in log.read_text()
    assert "turning ./fake/model.npz" in log.read_text()


def test_an_entry_holds_no_path_of_the_run(cached: pytest.Pytester) -> None:
    text = (entry(cached, "convert") / "entry.json").read_text()
    assert json.loads(text)["record"]["outcome"]["data"]["folder"] == "./turned"
    assert str(cached.path) not in text


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("conftest.py", "np.random.randn(7, 5)", "2 * np.random.randn(7, 5)"),
        ("conftest.py", "TurnedConfig()", "TurnedConfig(custom_args={'level': 2})"),
        ("conftest.py", "np.random.randn(3, 5)", "2 * np.random.randn(3, 5)"),
        ("turned_format.py", "* FACTOR", "* 1.0 * FACTOR"),
        ("helper.py", "1.0", "1.00"),
    ],
    ids=["model", "parameter", "sample", "code of the format", "code that it uses"],
)
def test_what_has_changed_is_converted_and_compared_again(
    cached: pytest.Pytester, nav: Nav, name: str, old: str, new: str
) -> None:
    edit(cached.path / name, old, new)
    run(nav)
    assert count(cached) == {"convert": 2, "compared": 16, "timed": 0}


def test_other_versions_convert_and_compare_again(
    cached: pytest.Pytester, nav: Nav, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(libraries, "versions", lambda modules: {"numpy": "0.1"})
    run(nav)
    assert count(cached) == {"convert": 2, "compared": 16, "timed": 0}


def test_other_threads_compare_again_and_convert_nothing(
    cached: pytest.Pytester, nav: Nav, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    run(nav)
    assert count(cached) == {"convert": 1, "compared": 16, "timed": 0}


@pytest.mark.parametrize(
    ("gpu", "libraries"),
    [({"name": "H200"}, {"TRT_VERSION": "10.12"}), ({"name": "T4"}, {"TRT_VERSION": "10.13"}), (None, {})],
    ids=["another GPU", "another TensorRT", "no GPU"],
)
def test_what_runs_on_a_gpu_only_is_of_that_gpu(
    turned: Write, nav: Nav, monkeypatch: pytest.MonkeyPatch, gpu: object, libraries: object
) -> None:
    pytester = turned()
    edit(pytester.path / "turned_format.py", 'format = "turned"', 'format = "turned"\n    device = "cuda"')
    own = {"cpu": {"name": "CPU"}, "libraries": {"TRT_VERSION": "10.12"}}
    monkeypatch.setattr(hardware, "environment", lambda: own)
    monkeypatch.setattr(hardware, "own_gpu", lambda: {"name": "T4"})
    for _ in range(2):
        run(nav)
    assert count(pytester)["convert"] == 1
    monkeypatch.setattr(hardware, "environment", lambda: {**own, "libraries": libraries})
    monkeypatch.setattr(hardware, "own_gpu", lambda: gpu)
    run(nav)
    assert count(pytester)["convert"] == 2


def test_a_format_says_what_else_its_artifact_depends_on(cached: pytest.Pytester, nav: Nav) -> None:
    method = "def depends_on(self, variant):\n        return open('compiler').read()\n\n    def variants("
    edit(cached.path / "turned_format.py", "def variants(", method)
    for version in ("1", "1", "2"):
        (cached.path / "compiler").write_text(version)
        run(nav)
    assert count(cached)["convert"] == 3


@pytest.mark.parametrize("option", ["--nav-cache=cache", "--nav-resume"])
def test_another_version_of_what_makes_a_format_makes_it_again(
    turned: Write, nav: Nav, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    pytester = turned()
    edit(pytester.path / "turned_format.py", "def variants(", 'made_with = ("quantizer",)\n\n    def variants(')
    monkeypatch.syspath_prepend(pytester.path)
    made = []
    for version in ("1.0", "1.0", "2.0"):
        folder = pytester.mkdir("quantizer.dist-info") if not made else pytester.path / "quantizer.dist-info"
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: quantizer\nVersion: {version}\n")
        libraries._read.cache_clear()
        libraries._version.cache_clear()
        nav(option, "--nav-in-process", formats="")
        made.append(count(pytester)["convert"])
    assert made == [1, 1, 2]


def test_a_compiler_has_a_version() -> None:
    assert (
        libraries.versions(["c++ compiler"])["c++ compiler"]
        == libraries.versions_here(["c++ compiler"])["libraries"]["c++ compiler"]
    )
    assert "g++" in (libraries.versions(["c++ compiler"])["c++ compiler"] or "g++ is not here")


def test_a_tighter_tolerance_compares_again_and_converts_nothing(cached: pytest.Pytester, nav: Nav) -> None:
    run(nav, "--nav-atol=1e-3")
    assert count(cached) == {"convert": 1, "compared": 16, "timed": 0}


def test_a_function_of_the_users_is_asked_again(cached: pytest.Pytester, nav: Nav) -> None:
    edit(
        cached.path / "conftest.py", "profile_seconds", "comparisons={'output__0': lambda a, b: True}, profile_seconds"
    )
    run(nav)
    run(nav)
    assert count(cached) == {"convert": 1, "compared": 24, "timed": 0}


@pytest.mark.slow
def test_two_workers_use_it_too(cached: pytest.Pytester, nav: Nav) -> None:
    result = run(nav, "-n2", subprocess=True)
    assert set(words(result).values()) == {"PASSED"}
    result.stdout.fnmatch_lines(["*PASSED (cached 20??-??-??)*test_convert[[]turned[]]*"])
    assert count(cached) == {"convert": 1, "compared": 8, "timed": 0}


@pytest.mark.slow
def test_two_workers_fill_it(turned: Write, nav: Nav) -> None:
    pytester = turned()
    run(nav, "-n2", subprocess=True)
    run(nav)
    assert count(pytester) == {"convert": 1, "compared": 8, "timed": 0}


def test_a_measurement_is_cached_for_who_asks_for_it(cached: pytest.Pytester, nav: Nav) -> None:
    steps = "--nav-cache-steps=convert,correctness,profile"
    run(nav, profile=True)
    run(nav, profile=True)
    assert count(cached)["timed"] == 4
    run(nav, steps, profile=True)
    result = run(nav, steps, profile=True)
    assert count(cached)["timed"] == 6
    result.stdout.fnmatch_lines(["*turned-cpu-batch1* PASSED (cached 20??-??-??)*"])
    result.stdout.re_match_lines([r"  turned .* [0-9.]+\* +[0-9]+\* +[0-9.]+x\* .*"])


def test_only_the_steps_that_are_named_are_cached(turned: Write, nav: Nav) -> None:
    pytester = turned()
    for _ in range(2):
        run(nav, "--nav-cache-steps=convert")
    assert count(pytester) == {"convert": 1, "compared": 16, "timed": 0}


def test_a_failure_is_not_kept(turned: Write, nav: Nav) -> None:
    pytester = turned("mode='raise', where='convert'")
    for _ in range(2):
        assert words(run(nav))[CONVERT] == "FAILED"
    assert count(pytester)["convert"] == 2
    assert not list(pytester.path.glob("cache/convert-*"))


def test_an_expected_failure_is_not_kept(turned: Write, nav: Nav) -> None:
    pytester = turned("mode='raise', where='convert'")
    edit(pytester.path / "conftest.py", "formats=[", "xfail={'turned': 'not yet'}, formats=[")
    for _ in range(2):
        assert words(run(nav))[CONVERT] == "XFAIL"
    assert count(pytester)["convert"] == 2


def test_a_retry_runs_the_step(turned: Write, nav: Nav) -> None:
    pytester = turned()
    tried = "path.with_name('tried')"
    once = f"if not {tried}.exists():\n            {tried}.touch()\n            1 / 0\n        print("
    edit(pytester.path / "turned_format.py", "print(", once)
    edit(pytester.path / "turned_format.py", "path.with_name", "path.parents[2].with_name")
    assert words(run(nav, "--reruns=1"))[CONVERT] == "PASSED"
    assert count(pytester)["convert"] == 2
    run(nav)
    assert count(pytester)["convert"] == 2


def test_the_ini_file_says_where_it_is_from_itself_on(turned: Write, nav: Nav) -> None:
    pytester = turned()
    pytester.makeini("[pytest]\nnav_cache = kept\nnav_cache_steps = convert\n")
    below = pytester.mkdir("below")
    result = nav("--rootdir=.", str(pytester.path), formats="")
    result.stdout.fnmatch_lines(["navigator: *, cache: kept"])
    names = sorted(path.name.partition("-")[0] for path in (pytester.path / "kept").iterdir())
    assert names == [".gitignore", "convert"]
    assert not list(below.iterdir())


def test_two_runs_at_once_fill_one_cache(turned: Write, nav: Nav) -> None:
    pytester = turned()
    arguments = [sys.executable, "-m", "pytest", "-q", "--nav", "--nav-no-profile", "--nav-cache=cache"]
    commands = [[*arguments, f"--nav-workspace=workspace{i}"] for i in range(2)]
    started = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for command in commands]
    assert [process.wait() for process in started] == [0, 0]
    before = count(pytester)
    result = run(nav)
    assert count(pytester) == before
    assert "WARNING" not in result.stdout.str()
    names = sorted(path.name.partition("-")[0] for path in (pytester.path / "cache").iterdir())
    assert names == [".gitignore", "convert", "correctness", "correctness"]


def test_resuming_and_the_cache_go_together(cached: pytest.Pytester, nav: Nav) -> None:
    run(nav)
    result = run(nav, "--nav-resume")
    assert set(words(result).values()) == {"PASSED"}
    assert count(cached) == {"convert": 1, "compared": 8, "timed": 0}
    (artifact,) = cached.path.glob("navigator_workspace/*/turned/model.npz")
    artifact.write_bytes(b"something else")
    run(nav, "--nav-resume").stdout.fnmatch_lines(["*test_convert*turned* PASSED (cached 20*"])
    assert count(cached) == {"convert": 1, "compared": 8, "timed": 0}


def test_resuming_sees_changed_code_of_a_format(cached: pytest.Pytester, nav: Nav) -> None:
    edit(cached.path / "helper.py", "1.0", "1.00")
    nav("--nav-resume", formats="")
    assert count(cached)["convert"] == 2


def test_a_workspace_that_is_edited_does_not_change_the_cache(cached: pytest.Pytester, nav: Nav) -> None:
    (artifact,) = cached.path.glob("navigator_workspace/*/turned/model.npz")
    artifact.write_bytes(b"something else")
    assert "WARNING" not in run(nav).stdout.str()
    assert count(cached)["convert"] == 1


def test_nothing_is_made_by_a_run_that_only_collects(turned: Write, nav: Nav) -> None:
    pytester = turned()
    run(nav, "--collect-only")
    assert not (pytester.path / "cache").exists()
