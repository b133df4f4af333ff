"""Core ML's packages are made and read back on any machine; what only macOS runs is skipped, and never said to pass."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING

import pytest
from blackbox import status, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackbox import Nav

pytest.importorskip("coremltools")
pytestmark = pytest.mark.skipif(platform.system() == "Darwin", reason="macOS runs what is skipped elsewhere")

MODEL = """
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.linear = torch.nn.Embedding(9, 5), torch.nn.Linear(5, 3)

    def forward(self, ids):
        found = self.linear(self.embedding(ids).mean(1))
        return {"scores": found, "best": found.argmax(-1)}
"""
WHY = "Core ML runs on macOS only; found Linux"


@pytest.mark.slow
def test_a_model_is_converted_and_read_back_and_its_correctness_is_left_to_macos(
    project: Callable[..., None], nav: Nav, pytester: pytest.Pytester
) -> None:
    project(MODEL, loader="[torch.randint(0, 9, (size, 4)) for size in (3, 2)]")
    result = nav("-rs", "-v", "--nav-runtimes=coreml", "--nav-package=out.nav", formats="coreml", subprocess=True)
    found = words(result)

    assert found["test_convert[coreml]"] == "PASSED"
    assert found["test_correctness[coreml-coreml]"] == "SKIPPED"
    result.stdout.fnmatch_lines([f"*{WHY}*"])
    result.stdout.fnmatch_lines(["note: convert.coreml: *ids, best: int64 is int32 there"])
    assert "scikit-learn" not in result.stdout.str() + result.stderr.str()
    made = status(pytester.path / "out.nav")["pytest_navigator"]["steps"]["convert.coreml"]
    assert made["data"]["structure"]["inputs"] == [{"name": "ids", "dtype": "int32", "sizes": [[1, 3], [4, 4]]}]
    assert made["data"]["max_batch_size"] == 3

    required = nav("--nav-runtimes=coreml", "--nav-require=coreml", "--nav-resume", formats="coreml", subprocess=True)
    assert required.ret == 1
    required.stdout.fnmatch_lines([f"FAILED: required coreml was not checked: *{WHY}"])
