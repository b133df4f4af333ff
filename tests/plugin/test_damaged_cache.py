"""`--nav-cache`: an entry that is damaged, half or another's is never used, and a cache never fails a run."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

import pytest
from blackbox import calls, words
from turned import count, edit, entry, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackbox import Nav
    from turned import Write


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
    result.stderr.fnmatch_lines(["*--nav-cache-steps: 'export' is not one of convert, correctness, *"])
