"""The layers of a quantized model are ranked by what each does to the outputs, and told with what to write."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from pytest_navigator.comparison.divergence import QUANTIZED, Divergence, details, line, text
from pytest_navigator.comparison.layer_errors import LayerError, Noise, worst_first

UP = LayerError("layers.2.up", "MatMul", 56.7, 0.64)
HEAD = LayerError("head", "Gemm", 38.7, 38.7)
FOUND = Divergence(
    QUANTIZED,
    "each layer",
    value="v",
    layers=(UP, HEAD),
    exclude=("layers.2.up",),
    passes=True,
    compared=2,
    seconds=1.2,
)


def _ratio(found: list[float], right: list[float]) -> float:
    noise = Noise()
    noise.add(np.array(found, np.float32), np.array(right, np.float32))
    return noise.snr


def test_a_tenth_of_the_signal_is_20_dB() -> None:
    assert _ratio([1.1, -1.1], [1, -1]) == pytest.approx(20, abs=1e-4)


@pytest.mark.parametrize(
    ("found", "right", "expected"),
    [
        ([1, 2], [1, 2], math.inf),
        ([0, 0], [0, 0], math.inf),
        ([1, 0], [0, 0], -math.inf),
        ([math.nan, 1], [1, 1], -math.inf),
        ([math.inf, 1], [1, 1], -math.inf),
        ([1, 2, 3], [1, 2], -math.inf),
        ([math.inf, 2], [math.inf, 2], math.inf),
    ],
)
def test_what_is_equal_has_no_noise_and_what_is_not_finite_has_no_signal(
    found: list[float], right: list[float], expected: float
) -> None:
    assert _ratio(found, right) == expected


def test_layers_of_which_the_outputs_are_not_known_come_last_and_those_without_an_error_not_at_all() -> None:
    unknown, exact = replace(UP, layer="a", alone=None, snr=-5.0), replace(UP, layer="b", snr=math.inf)
    assert worst_first([unknown, exact, HEAD, UP]) == [UP, HEAD, unknown]


def test_the_worst_layers_are_one_line_with_what_to_write() -> None:
    assert line(FOUND) == (
        "worst layers: layers.2.up (MatMul) 56.7 dB, 0.6 dB at the outputs; head (Gemm) 38.7 dB, 38.7 dB at the "
        "outputs; with QuantizationConfig(exclude=['layers.2.up']) this sample passes"
    )
    assert "  layers: layers.2.up (MatMul)" in text(FOUND)


def test_nobody_claims_what_was_not_seen() -> None:
    found = line(replace(FOUND, passes=False, reason="3 layers were not looked into for want of time"))
    assert found.endswith(
        "; 3 layers were not looked into for want of time; "
        "leave them out by QuantizationConfig(exclude=['layers.2.up'])"
    )


def test_of_many_layers_the_five_worst_have_a_line_and_the_line_of_all_is_not_repeated() -> None:
    layers = tuple(replace(UP, layer=f"layer{number}") for number in range(9))
    said = details(replace(FOUND, layers=layers))
    assert [f"layer{number} (" in said for number in range(9)] == [True] * 5 + [False] * 4
    assert "    ... 4 more in the record" in said
    assert "worst layers" not in said
