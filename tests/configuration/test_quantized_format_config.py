"""What every format with quantized variants makes of a quantization; and what no quantization can have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import pytest_navigator as nav
from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from pytest_navigator.configuration.quantized_format_config import QuantizedFormatConfig

KINDS = (nav.OnnxQuantizedConfig, nav.OpenVINOConfig, nav.ExecuTorchConfig, nav.LiteRTConfig)
of_each = pytest.mark.parametrize("kind", KINDS)


@of_each
def test_a_quantization_is_an_object_or_a_mapping(kind: type[QuantizedFormatConfig]) -> None:
    as_object = kind(precision="int8", quantization=nav.QuantizationConfig(samples=3))
    assert kind(precision="int8", quantization={"samples": 3}) == as_object  # type: ignore[arg-type]


@of_each
@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"quantization": 3}, "quantization=3 is no QuantizationConfig"),
        ({"quantization": {3: 3}}, "quantization={3: 3} is no QuantizationConfig"),
        ({"quantization": {"sample": 3}}, "did you mean 'samples'"),
        ({"precision": "int9"}, "precision='int9' is not possible"),
        ({"precision": 3}, "precision=3 is not possible"),
        ({"precision": ["int8", []]}, "is not possible"),
        ({"precision": ["int8", "int8"]}, "is not possible"),
    ],
)
def test_what_is_no_precision_or_quantization_is_refused(
    kind: type[QuantizedFormatConfig], said: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        kind(**said)


@pytest.mark.parametrize(
    ("kind", "precision"),
    [
        (nav.OnnxQuantizedConfig, "fp16"),
        (nav.OpenVINOConfig, "fp32"),
        (nav.OpenVINOConfig, "fp16"),
        (nav.OpenVINOConfig, "bf16"),
        (nav.ExecuTorchConfig, "fp32"),
        (nav.LiteRTConfig, "fp32"),
    ],
)
def test_a_field_that_no_precision_knows_is_refused(kind: type[QuantizedFormatConfig], precision: str) -> None:
    with pytest.raises(ConfigError, match=rf"quantization.samples=3 is not possible with precision=\('{precision}',\)"):
        kind(precision=precision, quantization=nav.QuantizationConfig(samples=3))


@pytest.mark.parametrize(
    ("kind", "precision"), [(nav.OnnxQuantizedConfig, "fp16"), (nav.OpenVINOConfig, "bf16"), (nav.LiteRTConfig, "int8")]
)
def test_what_is_measured_beside_its_float_format_may_be_slower_or_larger(
    kind: type[QuantizedFormatConfig], precision: str
) -> None:
    allowed = nav.QuantizationConfig(allow_slower=True, allow_larger=True)
    assert kind(precision=precision, quantization=allowed).said_of(precision) == allowed


@pytest.mark.parametrize("name", ["exclude", "search_seconds", "allow_slower", "allow_larger"])
def test_none_is_refused_where_no_library_chooses(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"QuantizationConfig\({name}=None\): .*is needed"):
        nav.QuantizationConfig(**{name: None})
