"""The kind of a device, by any name of one."""

from __future__ import annotations

import pytest

from pytest_navigator.core.kinds import kind_of
from pytest_navigator.errors import ConfigError


@pytest.mark.parametrize(("given", "expected"), [(None, None), ("cuda:1", "cuda"), ("cpu", "cpu")])
def test_a_device_is_told_without_its_number(given: object, expected: str | None) -> None:
    assert kind_of(given) == expected


def test_another_kind_of_device_is_refused() -> None:
    with pytest.raises(ConfigError, match="target_device='mps:0': "):
        kind_of("mps:0")
