"""`--nav-cache`: a second run with an unchanged model converts nothing, and what it says is never wrong."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from blackbox import calls
from blackbox import status
from blackbox import words

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from blackbox import Fake
    from blackbox import Nav

TURNED = '''
"""A format that is converted from the fake one, and says so in calls.txt."""

from dataclasses import dataclass

import numpy as np
from fake_format import Fake, FakeConfig, FakeCPU, call, note
from helper import FACTOR
from pytest_navigator import Variant
from pytest_navigator.formats.base import Format, FormatConfig
from pytest_navigator.npz import save_npz


@dataclass(frozen=True)
class TurnedConfig(FormatConfig):
    mode: str = ""
    where: str = ""


class TurnedCPU(FakeCPU):
    name = "TurnedCPU"
    format = "turned"

    def infer(self, feed):
        note("compared")
        return super().infer(feed)

    def bind(self, feed):
        note("timed")
        return super().bind(feed)


class Turned(Format):
    name = "turned"
    config = TurnedConfig
    parent = "fake"
    frameworks = ("dense",)
    runners = (TurnedCPU,)

    def variants(self, config, parents):
        parameters = {"mode": config.mode, "where": config.where, "extra": config.custom_args}
        return [Variant("turned", "turned", parent.key, "model.npz", parameters) for parent in parents]

    def convert(self, parent, example, signature, variant, path):
        call("convert", variant.parameters)
        print("turning", parent)
        with np.load(parent) as file:
            save_npz(path, {name: file[name] * FACTOR for name in file})
        (path.parent / "beside").mkdir()
        (path.parent / "beside" / "notes.txt").write_text("part of it")
        return {"folder": str(path.parent)}
'''
CONFTEST = """
from turned_format import Turned, TurnedConfig
import numpy as np, pytest
from fake_format import *
from pytest_navigator import NavConfig

@pytest.fixture(scope="session")
def nav_model():
    return Dense(np.random.randn(7, 5).astype("float32"), np.random.randn(7).astype("float32"))

@pytest.fixture(scope="session")
def nav_dataloader():
    return [np.random.randn(3, 5).astype("float32") for _ in range(4)]

def pytest_nav_formats():
    return [DenseFormat, Fake, Turned]

def pytest_nav_frameworks():
    return [DenseFramework]

nav_config = NavConfig(framework="dense", formats=[TurnedConfig(@CONFIG@)], profile_seconds=0.05)
"""
CONVERT, CORRECTNESS = "test_convert[turned]", "test_correctness[turned-cpu]"
PROFILES = ["test_profile[turned-cpu-batch1]", "test_profile[turned-cpu-batchmax]"]
Write = "Callable[..., pytest.Pytester]"


@pytest.fixture
def turned(pytester: pytest.Pytester, dense: Fake) -> Write:
    """Write a model and a format that is converted; the argument is that format's configuration."""

    def write(config: str = "") -> pytest.Pytester:
        dense()
        pytester.makepyfile(turned_format=TURNED, helper="FACTOR = 1.0")
        pytester.makeconftest(CONFTEST.replace("@CONFIG@", config))
        return pytester

    return write


@pytest.fixture
def cached(turned: Write, nav: Nav) -> pytest.Pytester:
    """A folder in which everything has run once, with a cache."""
    pytester = turned()
    assert set(words(run(nav)).values()) == {"PASSED"}
    assert count(pytester) == {"convert": 1, "compared": 8, "timed": 0}
    return pytester


@pytest.fixture
def read_only(cached: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the file system refuse, from now on, to change the cache: who runs the tests may be allowed everything."""
    for name in ("mkdir", "rename", "utime"):
        monkeypatch.setattr(os, name, _refusing(getattr(os, name), str(cached.path / "cache")))


def _refusing(function: Callable[..., object], folder: str) -> Callable[..., object]:
    def refuse(path: str, *args: object, **kwargs: object) -> object:
        if os.fspath(path).startswith(folder):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), path)
        return function(path, *args, **kwargs)

    return refuse


def run(nav: Nav, *arguments: str, cache: str = "cache", **more: bool) -> pytest.RunResult:
    return nav("-v", "--nav-package=out.nav", f"--nav-cache={cache}", *arguments, formats="", **more)


def count(pytester: pytest.Pytester) -> dict[str, int]:
    """Return how often the format and its runner were asked for something so far."""
    return {word: calls(pytester).count(word) for word in ("convert", "compared", "timed")}


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def entry(pytester: pytest.Pytester, step: str) -> Path:
    (found,) = pytester.path.glob(f"cache/{step}-*")
    return found


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


def test_two_workers_use_it_too(cached: pytest.Pytester, nav: Nav) -> None:
    result = run(nav, "-n2", subprocess=True)
    assert set(words(result).values()) == {"PASSED"}
    result.stdout.fnmatch_lines(["*PASSED (cached 20??-??-??)*test_convert[[]turned[]]*"])
    assert count(cached) == {"convert": 1, "compared": 8, "timed": 0}


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
    result.stdout.re_match_lines([r"  turned .* [0-9.e-]+\* +[0-9.e+]+ .*"])


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


@pytest.mark.parametrize("name", ["model.npz", "entry.json", "beside/notes.txt"])
def test_a_damaged_entry_is_replaced_with_a_warning(cached: pytest.Pytester, nav: Nav, name: str) -> None:
    damaged = entry(cached, "convert") / name
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 1
    damaged.write_bytes(content)
    result = run(nav)
    assert set(words(result).values()) == {"PASSED"}
    result.stdout.fnmatch_lines(["WARNING: *convert-* is damaged: it was not used"])
    assert count(cached)["convert"] == 2
    result = run(nav)
    result.stdout.no_fnmatch_line("WARNING*")
    assert count(cached)["convert"] == 2


@pytest.mark.parametrize("name", ["model.npz", "entry.json"])
def test_half_an_entry_is_replaced(cached: pytest.Pytester, nav: Nav, name: str) -> None:
    (entry(cached, "convert") / name).unlink()
    run(nav).stdout.fnmatch_lines(["WARNING: *convert-* is damaged: it was not used"])
    run(nav)
    assert count(cached)["convert"] == 2


def test_the_entry_of_another_step_under_this_name_is_not_used(cached: pytest.Pytester, nav: Nav) -> None:
    edit(cached.path / "conftest.py", "TurnedConfig()", "TurnedConfig(custom_args={'level': 2})")
    first = entry(cached, "convert")
    run(nav)
    (second,) = set(cached.path.glob("cache/convert-*")) - {first}
    (second / "entry.json").write_bytes((first / "entry.json").read_bytes())
    run(nav)
    assert count(cached)["convert"] == 3


def test_what_a_killed_writer_left_is_not_used_and_removed_when_it_is_old(cached: pytest.Pytester, nav: Nav) -> None:
    whole = entry(cached, "convert")
    old, new = cached.path / "cache" / ".new-old", cached.path / "cache" / ".new-new"
    whole.rename(old)
    new.mkdir()
    os.utime(old, (0, 0))
    run(nav)
    assert count(cached)["convert"] == 2
    assert not old.exists()
    assert new.exists()


def test_a_cache_that_cannot_be_written_is_used_and_costs_one_warning(
    cached: pytest.Pytester, nav: Nav, read_only: None
) -> None:
    result = run(nav)
    assert set(words(result).values()) == {"PASSED"}
    assert "WARNING" not in result.stdout.str()
    assert count(cached)["convert"] == 1
    edit(cached.path / "conftest.py", "TurnedConfig()", "TurnedConfig(custom_args={'level': 2})")
    result = run(nav)
    assert set(words(result).values()) == {"PASSED"}
    assert count(cached) == {"convert": 2, "compared": 16, "timed": 0}
    assert [line for line in result.outlines if line.startswith("WARNING")] == [
        f"WARNING: nothing can be added to {cached.path / 'cache'} (Read-only file system); the run went on without"
    ]


def test_a_damaged_entry_of_a_cache_that_cannot_be_written_is_not_used(
    cached: pytest.Pytester, nav: Nav, read_only: None
) -> None:
    (entry(cached, "convert") / "model.npz").write_bytes(b"something else")
    run(nav).stdout.fnmatch_lines(["WARNING: *convert-* is damaged: it was not used"])
    assert count(cached)["convert"] == 2


@pytest.mark.parametrize("arguments", [(), ("-n2",)], ids=["plain", "n2"])
def test_what_is_no_folder_is_no_cache(turned: Write, nav: Nav, arguments: tuple[str, ...]) -> None:
    pytester = turned()
    (pytester.path / "cache").write_text("years of work")
    result = run(nav, *arguments, subprocess=bool(arguments))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --nav-cache=*cache: this is no folder that can be used (File exists)"])
    assert calls(pytester) == []
    assert (pytester.path / "cache").read_text() == "years of work"


def test_a_cache_below_a_file_cannot_be_made(turned: Write, nav: Nav) -> None:
    pytester = turned()
    (pytester.path / "thesis").write_text("years of work")
    result = run(nav, cache="thesis/cache")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --nav-cache=*thesis/cache: *(Not a directory)"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--nav-cache=navigator_workspace/cache"], "*cache and workspace * are in one another*"),
        (["--nav-cache=."], "*cache and workspace * are in one another*"),
        (["--nav-cache="], "--nav-cache=: the path is missing*"),
        (["--nav-cache-steps=convert"], "--nav-cache-steps means nothing without --nav-cache=DIR"),
    ],
)
def test_a_cache_that_cannot_be_is_told_before_the_run(
    turned: Write, nav: Nav, arguments: list[str], message: str
) -> None:
    pytester = turned()
    result = nav(*arguments, formats="")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {message}"])
    assert calls(pytester) == []


def test_a_step_that_cannot_be_cached_is_told(turned: Write, nav: Nav) -> None:
    turned()
    result = run(nav, "--nav-cache-steps=export")
    result.stderr.fnmatch_lines(["*--nav-cache-steps: 'export' is not one of convert, correctness, profile"])


def test_the_ini_file_says_where_it_is_from_itself_on(turned: Write, nav: Nav) -> None:
    pytester = turned()
    pytester.makeini("[pytest]\nnav_cache = kept\nnav_cache_steps = convert\n")
    below = pytester.mkdir("below")
    result = nav("--rootdir=.", str(pytester.path), formats="")
    result.stdout.fnmatch_lines(["navigator: *, cache: kept"])
    assert [path.name.partition("-")[0] for path in (pytester.path / "kept").iterdir()] == ["convert"]
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
    assert names == ["convert", "correctness", "correctness"]


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
