"""What the plugin does before it imports anything else of ours, and so apart from `_compat`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def import_as_installed(manager: pytest.PytestPluginManager) -> None:
    """Let Python import our modules, from the bytecode that pip has compiled.

    pytest rewrites the asserts of whatever a plugin brings: our modules have none to tell of, and where no bytecode may
    be written (PYTHONDONTWRITEBYTECODE, an image that is read-only) each process would compile all of them again.
    """
    hook = manager.rewrite_hook
    marked: set[str] = getattr(hook, "_must_rewrite", set())  # none with --assert=plain
    marked -= {name for name in marked if name.partition(".")[0] == "pytest_navigator"}
    getattr(hook, "_marked_for_rewrite_cache", {}).clear()
