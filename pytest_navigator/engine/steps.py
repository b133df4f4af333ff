"""What each kind of step runs, and what of it can be kept for other runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.engine import (
    budget,
    correctness,
    decoding,
    make,
    profile,
    quantization,
    regression,
    source,
    throughput,
)

if TYPE_CHECKING:
    from pytest_navigator.engine.step_code import StepCode

# By the name of the kind, of those that a run makes.
STEPS: dict[str, StepCode] = {
    "source": source.STEP,
    "export": make.EXPORT,
    "convert": make.CONVERT,
    "correctness": correctness.STEP,
    "decoding": decoding.STEP,
    "throughput": throughput.STEP,
    "profile": profile.STEP,
    "quantization": quantization.STEP,
    "regression": regression.STEP,
    "budget": budget.STEP,
}
