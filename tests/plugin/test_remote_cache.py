"""`--nav-cache=URL`: machines that share no disk share what they have converted."""

from __future__ import annotations

import shutil
import socket
from typing import TYPE_CHECKING

import pytest
from blackbox import status, words
from turned import run

from pytest_navigator.core import remote
from tests.object_store import Cut, speak_to

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from blackbox import Nav
    from turned import Write

from tests.object_store import Bucket

FILES = ("conftest.py", "fake_format.py", "turned_format.py", "helper.py")
MADE = ["convert-", "correctness-"]


@pytest.fixture
def machine(turned: Write, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Give a machine of its own: a folder with the project, which nothing of another's is in."""
    monkeypatch.setenv("COLUMNS", "300")
    project = turned().path

    def folder(name: str) -> Path:
        made = project / "machines" / name
        made.mkdir(parents=True)
        for file in FILES:
            shutil.copy(project / file, made)
        monkeypatch.chdir(made)
        return made

    return folder


def counted(folder: Path) -> dict[str, int]:
    said = (folder / "calls.txt").read_text().split() if (folder / "calls.txt").exists() else []
    return {word: said.count(word) for word in ("convert", "compared")}


def warned(result: pytest.RunResult) -> list[str]:
    return [line for line in result.outlines if line.startswith("WARNING: ")]


ALL = {"convert": 1, "compared": 8}
NONE = {"convert": 0, "compared": 0}


def test_a_second_machine_converts_and_compares_nothing(machine: Callable[[str], Path], nav: Nav, s3: Bucket) -> None:
    one = machine("one")
    first = run(nav, cache=f"{s3.url}/cache")
    assert set(words(first).values()) == {"PASSED"}
    assert counted(one) == ALL
    assert warned(first) == []
    first.stdout.fnmatch_lines([f"navigator: *, cache: {s3.url}/cache"])
    assert all(key.startswith("cache/") and key.endswith(".zip") for key in s3.names())
    two = machine("two")
    second = run(nav, cache=f"{s3.url}/cache/")
    assert counted(two) == NONE
    assert warned(second) == []
    steps = status(two / "out.nav")["pytest_navigator"]["steps"]
    assert {name for name, step in steps.items() if "cached" in step["data"]} == {
        name for name in steps if name.startswith(("convert.", "correctness.")) and "dense" not in name
    }
    before, after = (status(folder / "out.nav")["pytest_navigator"]["files"] for folder in (one, two))
    assert before["turned/model.npz"] == after["turned/model.npz"]
    assert not (two / "navigator_workspace" / ".remote").exists()


@pytest.mark.slow
def test_a_run_in_a_process_of_its_own_says_nothing_of_the_library(
    machine: Callable[[str], Path], nav: Nav, s3: Bucket
) -> None:
    for name, expected in (("one", ALL), ("two", NONE)):
        folder = machine(name)
        result = run(nav, cache=s3.url, subprocess=True)
        assert set(words(result).values()) == {"PASSED"}
        assert result.stderr.str() == ""
        assert counted(folder) == expected


def test_what_may_only_be_read_is_used_with_one_warning(machine: Callable[[str], Path], nav: Nav, s3: Bucket) -> None:
    machine("one")
    run(nav, cache=s3.url)
    s3.deny("PutObject", "DeleteObject")
    keys = s3.names()
    two = machine("two")
    result = run(nav, "--nav-atol=1e-3", cache=s3.url)
    assert set(words(result).values()) == {"PASSED"}
    assert counted(two) == {**ALL, "convert": 0}
    assert warned(result) == [f"WARNING: nothing can be added to {s3.url} (Forbidden); the run went on without"]
    assert s3.names() == keys


def test_what_may_not_be_read_costs_a_warning(machine: Callable[[str], Path], nav: Nav, s3: Bucket) -> None:
    s3.deny("GetObject", "PutObject", "ListBucket")
    one = machine("one")
    result = run(nav, cache=s3.url)
    assert set(words(result).values()) == {"PASSED"}
    assert counted(one) == ALL
    assert len(warned(result)) == 2
    assert "cannot be read" in warned(result)[0]


@pytest.mark.parametrize("wrong", ["none", "half"])
def test_without_credentials_the_run_goes_on_with_one_warning(
    machine: Callable[[str], Path], nav: Nav, s3: Bucket, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    if wrong == "none":
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    one = machine("one")
    result = run(nav, cache=s3.url)
    assert set(words(result).values()) == {"PASSED"}
    assert counted(one) == ALL
    (line,) = warned(result)
    assert line.startswith(f"WARNING: {s3.url} is not used (")
    assert "redentials" in line
    assert "AKIA" not in result.stdout.str()


def test_a_server_that_is_not_there_costs_one_warning(
    machine: Callable[[str], Path], nav: Nav, s3: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    speak_to("http://127.0.0.1:9", monkeypatch)
    one = machine("one")
    result = run(nav, cache=s3.url)
    assert set(words(result).values()) == {"PASSED"}
    assert counted(one) == ALL
    (line,) = warned(result)
    assert "is not used (Could not connect" in line


def test_a_server_that_never_answers_is_given_up(
    machine: Callable[[str], Path], nav: Nav, s3: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(remote._S3_LIMITS, "read_timeout", 0.3)
    one = machine("one")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        speak_to(f"http://127.0.0.1:{silent.getsockname()[1]}", monkeypatch)
        result = run(nav, cache=s3.url)
    assert set(words(result).values()) == {"PASSED"}
    assert counted(one) == ALL
    (line,) = warned(result)
    assert "is not used (Read timeout" in line


@pytest.fixture
def gone_on(
    machine: Callable[[str], Path], nav: Nav, mortal: Bucket, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Cut], list[str]]:
    """Run over a way that breaks, and find that all was done without the cache; returns the warnings."""

    def run_over(way: Cut) -> list[str]:
        speak_to(way.url, monkeypatch)
        one = machine("one")
        result = run(nav, cache=mortal.url)
        way.close()
        assert way.broken.is_set()
        assert set(words(result).values()) == {"PASSED"}
        assert counted(one) == ALL
        return warned(result)

    return run_over


@pytest.mark.parametrize(("after", "killed"), [(0, False), (900, True), (2000, False)])
def test_a_write_that_breaks_leaves_whole_entries_only(
    machine: Callable[[str], Path],
    nav: Nav,
    mortal: Bucket,
    monkeypatch: pytest.MonkeyPatch,
    gone_on: Callable[[Cut], list[str]],
    after: int,
    killed: bool,
) -> None:
    way = Cut(mortal.server.port, up=after, verb="PUT", server=mortal.server if killed else None)
    told = gone_on(way)
    (line,) = told
    assert line.startswith(f"WARNING: nothing can be added to {mortal.url} (")
    if not killed:
        speak_to(mortal.server.url, monkeypatch)
        assert all(mortal.read(key).startswith(b"PK") for key in mortal.names())
        two = machine("two")
        again = run(nav, cache=mortal.url)
        assert set(words(again).values()) == {"PASSED"}
        assert counted(two) == ALL
        assert warned(again) == []


@pytest.mark.parametrize("after", [0, 2000])
def test_a_server_that_is_silent_in_a_write_is_given_up(
    mortal: Bucket, monkeypatch: pytest.MonkeyPatch, gone_on: Callable[[Cut], list[str]], after: int
) -> None:
    """It has taken the connection, and the first bytes or none."""
    monkeypatch.setattr(remote, "SENT_WITHIN", 2.0)
    way = Cut(mortal.server.port, up=after, verb="PUT", silent=True)
    told = gone_on(way)
    assert told == [f"WARNING: nothing can be added to {mortal.url} (no answer in time); the run went on without"]
    assert mortal.names() == []


@pytest.mark.parametrize(("after", "killed"), [(1500, True), (3000, False)])
def test_a_read_that_breaks_is_none(
    machine: Callable[[str], Path],
    nav: Nav,
    mortal: Bucket,
    monkeypatch: pytest.MonkeyPatch,
    after: int,
    killed: bool,
) -> None:
    machine("one")
    run(nav, cache=mortal.url)
    way = Cut(mortal.server.port, down=after, server=mortal.server if killed else None)
    speak_to(way.url, monkeypatch)
    two = machine("two")
    result = run(nav, cache=mortal.url)
    way.close()
    assert way.broken.is_set()
    assert set(words(result).values()) == {"PASSED"}
    assert counted(two)["compared"] == 8
    (line,) = warned(result)
    assert f"{mortal.url} is not used (" in line


QUICK = ("no ZIP", "one byte")
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "no ZIP": lambda content: b"<html>Sign in</html>",
    "truncated": lambda content: content[: len(content) // 2],
    "one byte": lambda content: content.replace(b"\x93NUMPY", b"\x93NUMPX"),
    "the description": lambda content: content.replace(b'"digest"', b'"digets"'),
}


@pytest.mark.parametrize(
    "damage", [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in DAMAGES if name not in QUICK)]
)
def test_what_is_damaged_is_made_again_and_replaced(
    machine: Callable[[str], Path], nav: Nav, s3: Bucket, damage: str
) -> None:
    machine("one")
    run(nav, cache=s3.url)
    (key,) = (key for key in s3.names() if key.startswith("convert-"))
    whole = s3.read(key)
    assert DAMAGES[damage](whole) != whole
    s3.write(key, DAMAGES[damage](whole))
    two = machine("two")
    result = run(nav, cache=s3.url)
    assert set(words(result).values()) == {"PASSED"}
    assert counted(two) == {"convert": 1, "compared": 0}
    assert warned(result) == [f"WARNING: {s3.url}/{key} is damaged: it was not used"]
    three = machine("three")
    assert warned(run(nav, cache=s3.url)) == []
    assert counted(three) == NONE


def test_an_entry_of_another_step_is_not_taken_for_this_ones(
    machine: Callable[[str], Path], nav: Nav, s3: Bucket
) -> None:
    machine("one")
    run(nav, cache=s3.url)
    convert, other = sorted(s3.names())[:2]
    s3.write(convert, s3.read(other))
    two = machine("two")
    assert f"{convert} is damaged" in warned(run(nav, cache=s3.url))[0]
    assert counted(two)["convert"] == 1


@pytest.mark.parametrize("url", ["memory://shared/cache", "file://{folder}/a%20cache"])
def test_other_places_do_the_same(machine: Callable[[str], Path], nav: Nav, tmp_path: Path, url: str) -> None:
    url = url.format(folder=tmp_path)
    machine("one")
    run(nav, cache=url)
    two = machine("two")
    result = run(nav, cache=url)
    assert counted(two) == NONE
    assert warned(result) == []
    if url.startswith("file"):
        assert list((tmp_path / "a cache").glob("convert-*/entry.json"))


@pytest.mark.slow
def test_two_workers_share_it_with_a_third_machine(machine: Callable[[str], Path], nav: Nav, s3: Bucket) -> None:
    one = machine("one")
    run(nav, "-n2", cache=s3.url, subprocess=True)
    assert counted(one)["convert"] == 1
    two = machine("two")
    result = run(nav, "-n2", cache=s3.url, subprocess=True)
    assert set(words(result).values()) == {"PASSED"}
    assert counted(two) == NONE


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("s3://nowhere/cache", "there is no bucket 'nowhere'; make it, or name another one"),
        ("s3:///cache", "the name of a bucket is missing: s3://NAME/..."),
        ("s3://", "the name of a bucket is missing: s3://NAME/..."),
        ("ftp://host/cache", "ftp:// is none of s3://, gs://, memory://, file://"),
        ("gs://models/cache", "gs:// needs gcsfs, which is not installed: pip install gcsfs"),
        ("file://cache", "a path is missing, which begins with a third slash: file:///folder/name"),
        ("s3://key:hidden@models", "credentials and queries are not part of it"),
        ("s3://key:hidden/hidden@models", "credentials and queries are not part of it"),
        ("s3://key:hidden/hidden", "credentials and queries are not part of it"),
        ("s3://models/cache?X-Amz-Signature=hidden", "credentials and queries are not part of it"),
    ],
)
def test_what_cannot_be_a_cache_is_told_before_the_run(
    machine: Callable[[str], Path], nav: Nav, s3: Bucket, url: str, said: str
) -> None:
    one = machine("one")
    result = run(nav, cache=url)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --nav-cache=*{said.replace('[', '[[]')}*"])
    assert "hidden" not in result.stdout.str() + result.stderr.str()
    assert not (one / "navigator_workspace").exists()


def test_without_the_library_the_error_says_what_to_install(
    machine: Callable[[str], Path], nav: Nav, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "find_spec", lambda name: None)
    machine("one")
    result = run(nav, cache="s3://models")
    result.stderr.fnmatch_lines(
        ["ERROR: --nav-cache=s3://models: s3:// needs fsspec, * pip install 'pytest-navigator[[]remote]'"]
    )
