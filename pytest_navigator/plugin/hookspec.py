"""The hooks by which another package or a conftest.py extends pytest_navigator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_navigator.formats.base import Format
    from pytest_navigator.formats.listed import Listed
    from pytest_navigator.frameworks.base import Framework
    from pytest_navigator.runners.base import Runner


@pytest.hookspec
def pytest_nav_formats() -> list[type[Format] | Listed]:
    """Return the formats that this plugin adds; the built-in ones come the same way.

    Classes; or, where a format is not to be imported before it is needed, a `Listed` of each.

    Example::

        def pytest_nav_formats():
            return [OpenVINO]
    """
    raise NotImplementedError


@pytest.hookspec
def pytest_nav_runners() -> list[type[Runner]]:
    """Return the runners that this plugin adds to formats that there are; `Runner.format` says to which."""
    raise NotImplementedError


@pytest.hookspec
def pytest_nav_frameworks() -> list[type[Framework] | Listed]:
    """Return the frameworks of live models that this plugin adds."""
    raise NotImplementedError
