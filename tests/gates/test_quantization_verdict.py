"""What of a format with fewer digits is worse than its float one."""

from __future__ import annotations

import pytest

from pytest_navigator.gates.facts import QuantizationFacts


@pytest.mark.parametrize(("bytes", "worse"), [(38_600, []), (38_700, []), (39_500, ["larger"]), (19_000, [])])
def test_a_file_is_larger_where_more_than_names_and_options_was_added(bytes: int, worse: list[str]) -> None:
    assert QuantizationFacts(reference="onnx", bytes=bytes, reference_bytes=38_600).worse == worse
