"""A child that is there before it is asked for: like one that is started when it is, or not used."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from pytest_navigator.isolation.child import Child
from pytest_navigator.isolation.early import EarlyChild
from pytest_navigator.isolation.starting import Start

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_navigator.isolation.process import Process

pytestmark = pytest.mark.real_processes

TESTS = str(Path(__file__).parent)
FRAMEWORK = """
import os
os.environ["FRAMEWORK_HAS_SET"] = "1"
os.environ.pop("FRAMEWORK_TAKES", None)
"""
ASKED = """
import os, sys
def here():
    return {"pid": os.getpid(), "loaded": "early_framework" in sys.modules, "mine": os.environ.get("NAV_MINE", "")}
"""


@pytest.fixture
def early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EarlyChild]:
    """An early child in a folder that has a framework; it is not imported yet."""
    (tmp_path / "early_framework.py").write_text(FRAMEWORK)
    (tmp_path / "later").mkdir()
    (tmp_path / "later" / "asked_early.py").write_text(ASKED)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("FRAMEWORK_TAKES", "1")
    monkeypatch.setenv("FRAMEWORK_HAS_SET", "0")
    found = EarlyChild(tmp_path, ("early_framework",))
    found.watch()
    yield found
    found.close()
    sys.modules.pop("early_framework", None)


def begun(early: EarlyChild) -> Process:
    """Return the process of an early child, which imports the framework.

    In the test itself: what pytest calls the test in the environment changes with each of its phases.
    """
    assert early._process is None
    importlib.import_module("early_framework")
    assert early._process is not None
    return early._process


def asked(tmp_path: Path, early: EarlyChild, **how: object) -> dict[str, object]:
    with closing(Child(cwd=tmp_path, early=early, **how)) as child:  # type: ignore[arg-type]
        found: dict[str, object] = child.call("asked_early:here", {}, log=tmp_path / "log", timeout=60).result
    return found


def test_it_is_the_child_that_is_asked_and_has_what_came_later(
    tmp_path: Path, early: EarlyChild, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of the search path, our own variables; what the framework has set is no other environment."""
    process = begun(early)
    monkeypatch.syspath_prepend(str(tmp_path / "later"))
    monkeypatch.setenv("NAV_MINE", "told")

    assert asked(tmp_path, early) == {"pid": process._popen.pid, "loaded": True, "mine": "told"}


@pytest.mark.parametrize("other", ["variable", "removed", "folder", "environment"])
def test_where_the_child_would_be_another_one_it_is_not_used(
    tmp_path: Path, early: EarlyChild, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    process = begun(early)
    monkeypatch.syspath_prepend(str(tmp_path / "later"))
    if other == "variable":
        monkeypatch.setenv("OMP_NUM_THREADS", "7")
    elif other == "removed":
        monkeypatch.delenv("HOME")
    where = tmp_path / "later" if other == "folder" else tmp_path
    how = {"environment": {"OF_A_FRAMEWORK": "1"}} if other == "environment" else {}
    found = asked(where, early, **how)

    assert (found["pid"] != process._popen.pid, found["loaded"]) == (True, False)
    assert process._popen.returncode is not None


def test_who_is_not_taken_ends_and_looks_at_nothing_more(early: EarlyChild) -> None:
    process = begun(early)
    early.close()

    assert not psutil.pid_exists(process._popen.pid)
    assert early not in sys.meta_path
    assert early.take(Start((), None, {}, {}, None), {}) is None


def test_one_that_dies_is_replaced(tmp_path: Path, early: EarlyChild) -> None:
    process = begun(early)
    process.kill()
    with closing(Child(python_path=[TESTS], cwd=tmp_path, early=early)) as child:
        child.start()
        with pytest.raises(Exception, match="SIGKILL"):
            child.call("children:echo", {}, log=tmp_path / "log", timeout=60)
        assert child.call("children:echo", {}, log=tmp_path / "log", timeout=60)


def test_another_thread_starts_none(early: EarlyChild) -> None:
    """The child ends with the thread that has started it."""
    thread = threading.Thread(target=importlib.import_module, args=("early_framework",))
    thread.start()
    thread.join()

    assert "early_framework" in sys.modules
    assert early._process is None


def test_an_import_succeeds_where_no_process_can_be_started(early: EarlyChild, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr("subprocess.Popen", refused)
    importlib.import_module("early_framework")

    assert os.environ["FRAMEWORK_HAS_SET"] == "1"
    assert early._process is None
