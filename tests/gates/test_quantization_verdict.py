"""What of a format with fewer digits is worse than its float one."""

from __future__ import annotations

import pytest

from pytest_navigator.gates.facts import QuantizationFacts
from pytest_navigator.gates.quantization import size


@pytest.mark.parametrize(("bytes", "worse"), [(38_600, []), (38_700, []), (39_500, ["larger"]), (19_000, [])])
def test_a_file_is_larger_where_more_than_names_and_options_was_added(bytes: int, worse: list[str]) -> None:
    assert QuantizationFacts(reference="onnx", bytes=bytes, reference_bytes=38_600).worse == worse


@pytest.mark.parametrize(
    ("bytes", "reference", "text"),
    [
        (1_036_000, 3_985_000, "0.988 MiB for 3.80 MiB (26.0 %)"),
        (95_200, 7_014, "93.0 KiB for 6.85 KiB (13.6x)"),
        (104_400, 359_600, "102 KiB for 351 KiB (29.0 %)"),
        (350_200, 350_170, "350200 bytes for 350170 bytes (100 %)"),
        (7_014, 7_014, "6.85 KiB for 6.85 KiB (100 %)"),
        (100, None, "sizes not known"),
    ],
)
def test_both_sizes_are_told_in_one_unit_and_large_ratios_as_multiples(
    bytes: int, reference: int | None, text: str
) -> None:
    assert size(QuantizationFacts(reference="onnx", bytes=bytes, reference_bytes=reference)) == text
