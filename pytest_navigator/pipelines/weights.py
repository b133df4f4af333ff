"""Whether a module is still the one that its formats were made of: a format knows nothing of later weights."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from pytest_navigator.pipelines.fingerprint import identity_of
from pytest_navigator.pipelines.marks import Marks

if TYPE_CHECKING:
    from collections.abc import Collection

    import torch

    from pytest_navigator.pipelines.fingerprint import Identity

LOOK = "since its formats were loaded; run nav.optimize again for formats of what it is now"
OTHER_WEIGHTS = f"its weights were changed {LOOK}"
OTHER_SETTINGS = f"its buffers or attributes were changed {LOOK}"
OTHER_HOOKS = f"hooks of its parts were changed {LOOK}"
PART_IN_TRAINING = "a part of it changed between training and evaluation"


class Weights:
    """Notices what changes a module: weights, buffers, attributes, submodules, code, hooks of submodules.

    Moves to another device and back are no change. What is written through `.data`, or inside of the object that is an
    attribute, goes unseen.
    """

    def __init__(self, module: torch.nn.Module, fingerprint: str = "", changing: Collection[str] = ()) -> None:
        """Args.

        fingerprint: that the module has now; "" to find it out, which reads every weight.
        changing: names of what calls change in it, which is no change.
        """
        self._module = module
        self._changing = frozenset(changing)
        self._fingerprint = fingerprint or identity_of(module).fingerprint(changing)
        self._lock = threading.Lock()
        self._problem = ""
        self._marks = Marks(module, self._changing)

    def same(self) -> bool:
        """Whether the module is that of before; once it was not, never again."""
        return not self.problem()

    def problem(self) -> str:
        """Return what of the module is not as before, "" if all is."""
        if self._problem:
            return self._problem
        marks = self._marks
        if not marks.modes():
            return PART_IN_TRAINING
        if not (marks.hooks() and marks.same()):
            self._compare()
        return self._problem

    def _compare(self) -> None:
        with self._lock:
            if self._problem:
                return
            if not self._marks.hooks():
                self._problem = OTHER_HOOKS
            elif not self._marks.same():
                marks = Marks(self._module, self._changing)
                self._problem = self._difference(identity_of(self._module))
                self._marks = marks

    def _difference(self, now: Identity) -> str:
        found = now.fingerprint(self._changing)
        if found == self._fingerprint:
            return ""
        half = len(found) // 2
        return OTHER_SETTINGS if found[:half] == self._fingerprint[:half] else OTHER_WEIGHTS
