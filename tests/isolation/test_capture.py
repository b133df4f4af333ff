from __future__ import annotations

import ctypes
import io
import os
import subprocess
import sys

import pytest

from pytest_navigator.isolation.capture import holds, redirected, tail

CLOSED = """
import os, sys
from pathlib import Path
from pytest_navigator.isolation.capture import redirected
{before}
with redirected(Path({log!r})):
    print("out"); print("err", file=sys.stderr); os.write(1, b"one\\n"); os.write(2, b"two\\n"); os.system("echo three")
{after}
"""


def test_everything_that_is_written_goes_to_the_log_in_order(tmp_path):
    log = tmp_path / "logs" / "step.log"

    with redirected(log):
        print("from Python")
        os.write(1, b"to the descriptor\n")
        ctypes.CDLL(None).printf(b"from C\n")
        ctypes.CDLL(None).fflush(None)
        print("to stderr", file=sys.stderr)
        subprocess.run(["echo", "from a process"], check=True)

    assert log.read_text().splitlines() == [
        "from Python",
        "to the descriptor",
        "from C",
        "to stderr",
        "from a process",
    ]


def test_what_c_code_has_not_flushed_goes_where_it_was_written(tmp_path, capfd):
    log = tmp_path / "log"
    ctypes.CDLL(None).printf(b"before ")
    with redirected(log):
        ctypes.CDLL(None).printf(b"inside ")
    ctypes.CDLL(None).printf(b"after")
    ctypes.CDLL(None).fflush(None)

    assert log.read_text() == "inside "
    assert capfd.readouterr().out == "before after"


def test_the_log_is_appended_to(tmp_path):
    log = tmp_path / "log"
    for word in ("first", "second"):
        with redirected(log):
            print(word)

    assert log.read_text() == "first\nsecond\n"


def test_streams_and_descriptors_come_back_when_the_block_raises(tmp_path, capfd):
    streams = sys.stdout, sys.stderr
    with pytest.raises(KeyboardInterrupt), redirected(tmp_path / "log"):
        raise KeyboardInterrupt
    os.write(1, b"descriptor")

    assert (sys.stdout, sys.stderr) == streams
    assert capfd.readouterr().out == "descriptor"


def test_streams_and_descriptors_stay_when_the_log_cannot_be_opened(tmp_path, capfd):
    streams = sys.stdout, sys.stderr
    with pytest.raises(IsADirectoryError), redirected(tmp_path):
        pass
    os.write(1, b"descriptor")

    assert (sys.stdout, sys.stderr) == streams
    assert capfd.readouterr().out == "descriptor"


def test_blocks_can_be_nested(tmp_path):
    outer, inner = tmp_path / "outer", tmp_path / "inner"
    with redirected(outer):
        print("1")
        with redirected(inner):
            print("2")
        print("3")
        os.write(1, b"4\n")

    assert outer.read_text() == "1\n3\n4\n"
    assert inner.read_text() == "2\n"


@pytest.mark.parametrize("stream", [None, io.StringIO()])
def test_a_stream_without_a_descriptor_is_replaced_for_the_time_of_the_block(tmp_path, monkeypatch, stream):
    monkeypatch.setattr(sys, "stdout", stream)
    with redirected(tmp_path / "log"):
        print("kept")
    replaced = sys.stdout
    monkeypatch.undo()

    assert replaced is stream
    assert (tmp_path / "log").read_text() == "kept\n"


def test_text_that_is_not_unicode_does_not_stop_the_block(tmp_path):
    with redirected(tmp_path / "log"):
        print("µ \udc80")

    assert (tmp_path / "log").read_text() == "µ \\udc80\n"


def test_descriptors_do_not_leak(tmp_path):
    before = os.listdir("/proc/self/fd")
    for _ in range(3):
        with redirected(tmp_path / "log"):
            pass

    assert os.listdir("/proc/self/fd") == before


@pytest.mark.real_processes
@pytest.mark.parametrize("closed", [[0], [1], [2], [1, 2], [0, 1, 2]])
def test_closed_descriptors_are_opened_for_the_block_and_closed_again(tmp_path, closed):
    log, report = tmp_path / "log", tmp_path / "report"
    before = "".join(f"os.close({number});" for number in closed)
    after = f"Path({str(report)!r}).write_text(' '.join(os.listdir('/proc/self/fd')))"
    code = CLOSED.format(before=before, after=after, log=str(log))

    subprocess.run([sys.executable, "-c", code], check=True, stdin=subprocess.DEVNULL)

    assert log.read_text().split() == ["out", "err", "one", "two", "three"]
    # The listing itself, and the report, take the lowest numbers that are free.
    assert len(report.read_text().split()) == 3 - len(closed) + 1


def test_the_tail_is_the_last_lines(tmp_path):
    path = tmp_path / "log"
    path.write_text("".join(f"line {number}\n" for number in range(100)))

    assert tail(path, 2) == "line 98\nline 99"
    assert len(tail(path).splitlines()) == 20


def test_the_tail_of_a_large_file_is_read_from_its_end(tmp_path):
    path = tmp_path / "log"
    path.write_bytes(b"\xff" * 1_000_000 + b"\nlast\n")

    assert tail(path, 1) == "last"


def test_the_tail_begins_where_it_is_told(tmp_path):
    path = tmp_path / "log"
    path.write_text("earlier\nnow\n")

    assert tail(path, since=len("earlier\n")) == "now"
    assert tail(path, since=1000) == ""


def test_a_very_long_line_keeps_its_beginning_and_its_end(tmp_path):
    path = tmp_path / "log"
    path.write_text("x" * 5000 + "y" * 150)

    assert tail(path) == "x" * 150 + " ... 4850 characters left out ... " + "y" * 150


def test_there_is_no_tail_without_a_file(tmp_path):
    assert tail(tmp_path / "missing") == ""


@pytest.mark.parametrize("shown", [True, False], ids=["as tail shows it", "as it was printed"])
def test_a_log_holds_its_own_end_whatever_the_length_of_its_lines(tmp_path, shown):
    log, end = tmp_path / "format.log", f"short\n{'long ' * 200}end\n"
    log.write_text(f"before\n{end}", encoding="utf-8")

    assert holds(log, tail(log, lines=2) if shown else end)
    assert not holds(log, f"{end}and more")
