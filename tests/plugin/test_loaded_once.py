"""An artifact stays loaded from one of its measurements to the next."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import FAKE_FORMAT, calls

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackbox import Nav

LOADS = ("    def activate(self):\n", '    def activate(self):\n        note("load")\n')
FREES = ("    def deactivate(self):\n        pass", '    def deactivate(self):\n        note("free")')
NOTING = FAKE_FORMAT.replace(*LOADS, 1).replace(*FREES, 1)


@pytest.fixture
def noted(pytester: pytest.Pytester, dense: Callable[..., pytest.Pytester]) -> Callable[..., list[str]]:
    """Write a model whose artifact notes when it is loaded and freed; returns what it has noted."""

    def write(config: str = "") -> pytest.Pytester:
        folder = dense(config)
        pytester.makepyfile(fake_format=NOTING)
        return folder

    return write


def timed(nav: Nav, *args: str) -> pytest.RunResult:
    return nav(*args, "--nav-profile-seconds=0.2", formats="fake", profile=True)


def test_it_is_loaded_once_for_all_batch_sizes(pytester: pytest.Pytester, noted: Callable[..., None], nav: Nav) -> None:
    noted()

    timed(nav, "--nav-batch-sizes=1,2,3")

    assert [word for word in calls(pytester) if word in ("load", "free", "bind")] == [
        *["load", "free"] * 2,  # to see that it loads, and to compare
        "load",
        *["bind"] * 3,
    ]


def test_it_is_loaded_again_after_a_crash(pytester: pytest.Pytester, noted: Callable[..., None], nav: Nav) -> None:
    noted("mode='segfault', where='bind'")

    result = timed(nav, "--nav-batch-sizes=1,2")

    assert result.parseoutcomes()["failed"] == 2
    assert [word for word in calls(pytester) if word in ("load", "bind")][-4:] == ["load", "bind"] * 2


def test_in_one_process_it_is_loaded_once_too(pytester: pytest.Pytester, noted: Callable[..., None], nav: Nav) -> None:
    noted()

    timed(nav, "--nav-batch-sizes=1,2", "--nav-in-process")

    assert calls(pytester).count("load") == 3
