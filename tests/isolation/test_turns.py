"""Whose call of a child it is, with real threads."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from pytest_navigator.isolation.child import Child
from pytest_navigator.isolation.turns import Refused, Turns

pytestmark = pytest.mark.real_processes


def test_the_main_thread_goes_before_one_that_has_waited_longer() -> None:
    turns, order, held, waiting = Turns(), list[str](), threading.Event(), threading.Event()

    def first() -> None:
        with turns.taken():
            held.set()
            waiting.wait()
            time.sleep(0.2)  # the main thread and the second one wait meanwhile; whichever began first

    def second() -> None:
        held.wait()
        waiting.set()
        with turns.taken():
            order.append("second")

    threads = [threading.Thread(target=each) for each in (first, second)]
    for thread in threads:
        thread.start()
    waiting.wait()
    with turns.taken(), turns.taken():
        order.append("main")
    for thread in threads:
        thread.join()
    assert order == ["main", "second"]


def test_nobody_but_the_main_thread_goes_on_after_the_end() -> None:
    turns, ended = Turns(), list[str]()

    def other() -> None:
        with pytest.raises(Refused), turns.taken():
            pytest.fail("it was taken")
        ended.append("refused")

    turns.refuse_others()
    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    with turns.taken():
        assert ended == ["refused"]


def test_what_is_expected_during_a_call_is_imported_without_another_one(tmp_path: Path) -> None:
    with closing(Child(python_path=[str(Path(__file__).parent)])) as child:
        assert "colorsys" not in child.call("children:state", {}, log=tmp_path / "log", timeout=30).result["modules"]
        child.expect(["colorsys"])
        child.import_expected()
        assert "colorsys" in child.call("children:state", {}, log=tmp_path / "log", timeout=30).result["modules"]
