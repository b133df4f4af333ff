"""The reason that a run writes for what fails: nothing in it is of this run, this machine or this state of a file."""

from __future__ import annotations

import pytest

from pytest_navigator.core.records import Outcome
from pytest_navigator.core.steps import Status
from pytest_navigator.gates.expected_reasons import ROOM, reason_of, steady


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("ZeroDivisionError: division by zero", "ZeroDivisionError: division by zero"),
        ("NotSupportedError: sets. Please see https://example.org/a1", "NotSupportedError: sets"),
        ("ValueError: no\nexport 7", "ValueError: no"),
        ("ValueError: no \\nexport 7", "ValueError: no "),
        ("TypeError: bad input at /home/me/work/model.py:14: 0.01", "TypeError: bad input at model.py: N"),
        ('File "/opt/a b/net.py", line 8, in forward', 'File "net.py", in forward'),
        ("RuntimeError: <function f at 0x7f2a10> of layers.2.mlp", "RuntimeError: <function f at N> of layers.2.mlp"),
        ("shapes (3x4 and 5x6), float32, output__0", "shapes (N and N), float32, output__0"),
        ("out of memory: 1.5GiB of 80 GiB, -2e-05", "out of memory: N of N GiB, N"),
        ("cannot open /tmp/tmpab12_x9z/out.onnx or tmpab12_x9z.pt", "cannot open out.onnx or tmp.pt"),
        ("p50 12.3 ms, where the budget is 5 ms", "p50 N ms, where the budget is N ms"),
        ("and/or of https://example.org/x", "and/or of https://example.org/x"),
        ("", ""),
    ],
)
def test_a_message_is_written_without_what_is_of_this_run(message: str, reason: str) -> None:
    assert steady(message) == reason


@pytest.mark.parametrize(
    ("names", "divergence", "reason"),
    [
        (["logits"], None, "logits differs"),
        (["a", "b"], None, "a, b differ"),
        (["y"], {"module": "layers.2.mlp", "operator": "gelu", "error": 0.01}, "y differs, first in layers.2.mlp gelu"),
        (["y"], {"verdict": "no single place", "reason": "the largest local error is 1e-7"}, "y differs"),
    ],
)
def test_a_comparison_is_written_as_what_differs_and_where_that_begins(
    names: list[str], divergence: dict[str, object] | None, reason: str
) -> None:
    outputs = [{"name": name, "atol": 0.01, "rtol": 1.0, "problem": "max abs 0.01 (sample 0)"} for name in names]
    data = {"outputs": [*outputs, {"name": "right", "atol": 0.0, "rtol": 0.0}], "divergence": divergence}
    off = Outcome("correctness", Status.FAILED, "onnx", "OnnxCPU", message="y: max abs 0.01 (sample 0)", data=data)

    assert reason_of(off) == reason


def test_a_long_reason_ends_at_a_word() -> None:
    found = reason_of(Outcome("export", Status.FAILED, "onnx", message="ValueError: " + "word " * 100))

    assert len(found) <= ROOM
    assert found.endswith("word …")
