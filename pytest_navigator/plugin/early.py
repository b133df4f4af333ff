"""When a run starts its child while pytest imports the user's conftest.py: one that runs steps, in one process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from pytest_navigator.isolation.early import EarlyChild


EARLY: pytest.StashKey[EarlyChild] = pytest.StashKey()
WORKER = "PYTEST_XDIST_WORKER"  # `devices.assignment.WORKER`, written out: it would be imported before a conftest.py


def watch(config: pytest.Config) -> None:
    """Look at what pytest imports from here on; called when the options are known, and before any conftest.py."""
    if possible(config.known_args_namespace, os.environ):
        from pytest_navigator.isolation.early import EarlyChild

        early = config.stash[EARLY] = EarlyChild(config.rootpath)
        config.add_cleanup(early.close)
        early.watch()


def possible(option: argparse.Namespace, environment: Mapping[str, str]) -> bool:
    """Whether the child is wanted, and a processor is likely to be free for it (pure)."""
    distributed = getattr(option, "numprocesses", None) or getattr(option, "tx", None) or WORKER in environment
    return not (distributed or option.collectonly or option.nav_in_process or option.help or option.version)
