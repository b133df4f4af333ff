"""Notice that modules are imported."""

from __future__ import annotations

import importlib.util
from importlib.abc import MetaPathFinder
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class OnImport(MetaPathFinder):
    """Stands in front of `sys.meta_path`, and is told before and after a module is imported first.

    Args:
        names: of those modules.
    """

    def __init__(self, names: Collection[str]) -> None:
        self.names = names
        self._searching = False

    def before(self, name: str) -> None:
        """Take note that the module is about to be executed."""

    def after(self, name: str, module: ModuleType) -> None:
        """Take note that it has been, before anything can use it."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return the spec that the other finders have, its loader between `before` and `after`."""
        if fullname not in self.names or self._searching:
            return None
        self._searching = True  # find_spec asks all finders, and this one is among them
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self._searching = False
        if spec is not None and spec.loader is not None:
            self._extend(spec.loader, fullname)
        return spec

    def _extend(self, loader: Any, name: str) -> None:
        execute = loader.exec_module

        def execute_and_tell(module: ModuleType) -> None:
            self.before(name)
            execute(module)
            self.after(name, module)

        loader.exec_module = execute_and_tell
