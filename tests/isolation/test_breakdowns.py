"""A format may be left out because an exporter says no, never because something broke down."""

from __future__ import annotations

import pytest

from pytest_navigator.isolation.breakdowns import DEFECT, broke_down


@pytest.mark.parametrize(
    "kind",
    [
        "timeout",
        "crash",
        "disconnected",
        "exit 3",
        "exit -9",
        "signal 11",
        "SIGKILL",
        "SIGRTMIN+3",
        "SystemExit",
        DEFECT,
    ],
)
def test_what_ends_a_process_is_a_breakdown_whatever_it_says(kind):
    assert broke_down(kind, "this operator is not supported")


@pytest.mark.parametrize("kind", ["MemoryError", "_ArrayMemoryError", "OutOfMemoryError", "ResourceExhaustedError"])
def test_a_lack_of_memory_is_a_breakdown_by_its_type_alone(kind):
    assert broke_down(kind, "")


@pytest.mark.parametrize(
    "message",
    ["CUDA out of memory", "cannot allocate 3 GB", "std::bad_alloc", "[Errno 28] full", "NO SPACE LEFT ON DEVICE"],
)
def test_a_lack_of_memory_disk_or_files_is_a_breakdown_by_what_the_error_says(message):
    assert broke_down("RuntimeError", message)


@pytest.mark.parametrize("line", ["MemoryError", "torch.OutOfMemoryError: 3 GB", "numpy._core._ArrayMemoryError: no"])
def test_a_lack_of_memory_is_a_breakdown_where_it_caused_another_error(line):
    assert broke_down("ExportError", "the export failed", f"Traceback:\n{line}\nthe above was the cause of ...")


@pytest.mark.parametrize(
    ("kind", "message", "detail"),
    [
        ("UnsupportedOperatorError", "no such operator", "Traceback:\nUnsupportedOperatorError: no such operator"),
        ("RuntimeError", "", ""),
        ("timeouts", "", ""),
        ("ExportError", "", "raise MemoryError(text)"),
    ],
)
def test_an_exporter_that_says_no_has_not_broken_down(kind, message, detail):
    assert not broke_down(kind, message, detail)
