"""The suite of a model that a function of `pytest_navigator.api` was given; `running` copies this file to run it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_navigator.api.running import given

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_navigator.proxies import RunnerProxy

GIVEN = given()
nav_config = GIVEN.config


@pytest.fixture(scope="session")
def nav_model() -> object:
    """The caller's own object."""
    return GIVEN.model


if GIVEN.dataloader is not None:

    @pytest.fixture(scope="session")
    def nav_dataloader() -> object:
        """The caller's own object."""
        return GIVEN.dataloader


if GIVEN.verify_func is not None:

    def verify_func(nav_runner: RunnerProxy, nav_package: Path) -> None:
        """What the caller's function says of a format in a runtime."""
        GIVEN.verify(nav_runner, nav_package)
