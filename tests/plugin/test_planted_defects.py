"""Every planted defect fails in its own item and only there, and the message says what is wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from planted import DEFECTS, FILES, defects_of

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

TORCH = """
import sys
import pytest, torch
from pytest_navigator.backends.builtin import known
TorchExportedProgramCPU = known().runners()["TorchExportedProgramCPU"].load()
from pytest_navigator.backends.builtin import known
OnnxCPU = known().runners()["OnnxCPU"].load()
from pytest_navigator.backends.builtin import known
TorchScriptCPU = known().runners()["TorchScriptCPU"].load()
import planted

RIGHT = {"Onnx": OnnxCPU, "TorchScript": TorchScriptCPU, "Program": TorchExportedProgramCPU}
MADE = {}
for turn, (prefix, right) in enumerate(RIGHT.items()):
    MADE |= planted.planted(right, prefix, turn, 3)
MADE |= planted.damaged(OnnxCPU, planted.FILES)
for name, made in MADE.items():
    made.__module__, made.__qualname__ = "planted", name
    setattr(planted, name, made)

def pytest_nav_runners():
    return list(MADE.values())

class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = torch.nn.Linear(6, 32), torch.nn.Linear(32, 8)
        self.register_buffer("matrix", torch.randn(6, 8, dtype=torch.float64))

    def forward(self, x):
        logits = self.last(torch.tanh(self.first(x)))
        pooled = logits.mean(1)
        return {
            "logits": logits,
            "probabilities": torch.softmax(logits, -1),
            "pooled": pooled,
            "ids": logits.argmax(-1),
            "halves": torch.div((x[..., 0] * 100).long(), 2, rounding_mode="floor"),
            "mask": x[..., 1] > 0,
            "wide": x.double() @ self.matrix,
            "third": pooled.double() / 3,
            "mean": logits.mean(),
        }

@pytest.fixture(scope="session")
def nav_model() -> torch.nn.Module:
    return Model().eval()

@pytest.fixture(scope="session")
def nav_dataloader():
    batches = [torch.randn(batch, 8, 6) for batch in (2, 3, 2, 2)]
    batches[2].view(-1)[0] = 2.5
    return batches
"""

TENSORFLOW = """
import numpy as np
import pytest
import tensorflow as tf
from pytest_navigator.backends.builtin import known
TensorFlowSavedModelCPU = known().runners()["TensorFlowSavedModelCPU"].load()
import planted

MADE = planted.planted(TensorFlowSavedModelCPU, "SavedModel", 0, 4)
for name, made in MADE.items():
    made.__module__, made.__qualname__ = "planted", name
    setattr(planted, name, made)

def pytest_nav_runners():
    return list(MADE.values())

class Model(tf.Module):
    def __init__(self):
        super().__init__()
        drawn = np.random.default_rng(0)
        self.first = tf.Variable(drawn.standard_normal((6, 32)).astype("float32") / 3)
        self.last = tf.Variable(drawn.standard_normal((32, 8)).astype("float32") / 3)
        self.matrix = tf.Variable(drawn.standard_normal((6, 8)))

    @tf.function
    def __call__(self, x):
        logits = tf.tanh(x @ self.first) @ self.last
        pooled = tf.reduce_mean(logits, 1)
        return {
            "logits": logits,
            "probabilities": tf.nn.softmax(logits),
            "pooled": pooled,
            "ids": tf.argmax(logits, -1),
            "halves": tf.cast(x[..., 0] * 100, tf.int64) // 2,
            "mask": x[..., 1] > 0,
            "wide": tf.cast(x, tf.float64) @ self.matrix,
            "third": tf.cast(pooled, tf.float64) / 3,
            "mean": tf.reduce_mean(logits),
        }

@pytest.fixture(scope="session")
def nav_model() -> tf.Module:
    return Model()

@pytest.fixture(scope="session")
def nav_dataloader():
    drawn = np.random.default_rng(1)
    batches = [drawn.standard_normal((batch, 8, 6)).astype("float32") for batch in (2, 3, 2, 2)]
    batches[2].flat[0] = 2.5
    return batches
"""

KEYS = {TORCH: ("onnx", "torchscript-trace", "torch-exportedprogram"), TENSORFLOW: ("tf-savedmodel",)}
RUNS = [pytest.param(TORCH, id="torch"), pytest.param(TENSORFLOW, id="tensorflow")]


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the conftest.py of a run find the defects."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return


def outcomes(pytester: pytest.Pytester, conftest: str) -> dict[str, tuple[str, str]]:
    """Return the outcome and the first line of every correctness item, "onnx-nan" -> ("failed", "logits: ...")."""
    pytester.makeconftest(conftest)
    formats = ",".join(KEYS[conftest])
    arguments = ("--nav", "--nav-in-process", "--nav-no-profile", f"--nav-formats={formats}")
    run = pytester.inline_run(*arguments, "-p", "no:randomly", "-p", "no:hypothesispytest", "-p", "no:cacheprovider")
    found = {}
    for report in run.getreports("pytest_runtest_logreport"):
        name = re.search(r"test_correctness\[(.+)\]", report.nodeid)
        if report.when == "call" or report.failed or (report.when == "setup" and report.skipped):
            text = str(report.longrepr).strip().splitlines()[0] if report.failed else ""
            found[name[1] if name else report.nodeid.rpartition("::")[2]] = (report.outcome, text)
    return found


@pytest.mark.parametrize("conftest", RUNS)
def test_every_planted_defect_fails_in_its_own_item_and_nothing_else_does(
    pytester: pytest.Pytester, conftest: str, beside: None
) -> None:
    found = outcomes(pytester, conftest)
    keys, turns = KEYS[conftest], 4 if conftest == TENSORFLOW else len(KEYS[conftest])
    planted = {f"{key}-{d}": DEFECTS[d][1] for turn, key in enumerate(keys) for d in defects_of(turn, turns)}
    if conftest == TORCH:
        planted |= {f"onnx-file_{defect}": "[a-z]*: max abs .*" for defect in FILES}
    missed = {name: found.get(name) for name in planted if found.get(name, ("",))[0] != "failed"}
    assert missed == {}
    untrue = {name: found[name][1] for name, message in planted.items() if not re.match(message, found[name][1])}
    assert untrue == {}
    suggesting = {name: found[name][1] for name in planted if "would pass" in found[name][1]}
    assert not {name for name in suggesting if not name.endswith(SLIGHT)}
    others = {name: outcome for name, (outcome, _) in found.items() if name not in planted}
    assert {name for name, outcome in others.items() if outcome == "failed"} == set()
    assert {f"{key}-cpu" for key in KEYS[conftest]} <= {name for name, outcome in others.items() if outcome == "passed"}


SLIGHT = (
    "one_permille",
    "offset",
    "to_float16",
    "to_bfloat16",
    "wide_noise",
    "not_normalized",
    "in_half",
    "in_int8",
    "quantized",
)
"""Defects that are no larger than what long sums can do: a tolerance that would pass is told."""

GRID = """
import planted, pytest, torch
from pytest_navigator.backends.builtin import known
TorchScriptCPU = known().runners()["TorchScriptCPU"].load()

class OneInAMillion(TorchScriptCPU):
    name, runtime = "OneInAMillion", "one"
    def infer(self, feed):
        outputs = super().infer(feed)
        if len(feed["x"]) == 4:
            outputs["output__0"][2, 123, 456] += 0.01
        return outputs

planted.OneInAMillion = OneInAMillion
OneInAMillion.__module__ = "planted"

def pytest_nav_runners():
    return [OneInAMillion]

class Grid(torch.nn.Module):
    def forward(self, x):
        return torch.tanh(x[:, :, None] * x[:, None, :])

@pytest.fixture(scope="session")
def nav_model() -> torch.nn.Module:
    return Grid().eval()

@pytest.fixture(scope="session")
def nav_dataloader():
    return [torch.randn(4, 500)]
"""
KEYS[GRID] = ("torchscript-trace",)


def test_one_element_in_a_million_fails(pytester: pytest.Pytester, beside: None) -> None:
    found = outcomes(pytester, GRID)
    assert found["torchscript-trace-cpu"][0] == "passed"
    outcome, text = found["torchscript-trace-one"]
    assert outcome == "failed"
    assert "max abs 0.01 (sample 0, [2,123,456])" in text
    assert "<0.1 % of elements" in text
