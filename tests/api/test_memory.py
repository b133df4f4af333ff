"""A call keeps nothing of the caller's: its model is gone with the last name that the caller has for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.api.scripts import output

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """
import gc, weakref
import numpy as np
import pytest_navigator as nav

class Model:
    def __call__(self, x):
        return 2 * x

def called():
    model = Model()
    nav.python.optimize(model, dataloader=[np.ones((2, 3), "float32")])
    return weakref.ref(model)

models = [called() for _ in range(4)]
gc.collect()
print("alive:", sum(model() is not None for model in models))
"""


def test_no_call_keeps_its_model(tmp_path: Path) -> None:
    (line,) = [line for line in output(SCRIPT, tmp_path) if line.startswith("alive: ")]
    assert line == "alive: 0"
