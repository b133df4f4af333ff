"""Every test begins and ends without wrapped modules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_navigator.pipelines import loading, registry

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def nothing_wrapped() -> Iterator[None]:
    registry.forget()
    yield
    loading.unload()
    registry.forget()
