"""Whether a module is still the one that its formats were made of: a format knows nothing of later weights."""

from __future__ import annotations

import threading
import time
from operator import attrgetter
from typing import TYPE_CHECKING

from pytest_navigator.pipelines.fingerprint import HALF, identity_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch

FEW = 8
"""Parameters that are looked at in every call."""

PAUSE = 0.02
"""Between two looks at more of them, s: to write so many takes longer than a look every so often leaves out."""

_version = attrgetter("_version")


class Weights:
    """Notices what changes the parameters of a module, or puts others, or other submodules, in their place.

    Moves to another device and back are no change. What is written through `.data` goes unseen.
    """

    def __init__(self, module: torch.nn.Module, fingerprint: str = "") -> None:
        """Args: the fingerprint that the module has now; "" to find it out, which reads every weight."""
        self._module = module
        self._lasting = (fingerprint or identity_of(module).lasting)[:HALF]
        self._lock = threading.Lock()
        self._same = True
        self._next = 0.0
        self._look()

    def same(self) -> bool:
        """Whether the weights are those of before; once they were not, never again."""
        if self._pause:
            now = time.monotonic()
            if now < self._next:
                return self._same
            self._next = now + self._pause
        if self._same and self._marks() != self._seen:
            self._compare()
        return self._same

    def _look(self) -> None:
        import torch

        parts = list(self._module.modules())
        held = [part._parameters for part in parts] + [part._modules for part in parts]
        self._held = [(own, name, value) for own in held for name, value in own.items() if value is not None]
        self._tensors = [value for _, _, value in self._held if isinstance(value, torch.Tensor)]
        self._tracked = [value for value in self._tensors if not value.is_inference()]
        self._pointer: Callable[[torch.Tensor], int] = torch.Tensor.data_ptr
        self._pause = PAUSE if len(self._held) > FEW else 0.0
        self._seen = self._marks()

    def _marks(self) -> tuple[int, int, bool]:
        versions, places = sum(map(_version, self._tracked)), sum(map(self._pointer, self._tensors))
        return versions, places, all(own.get(name) is value for own, name, value in self._held)

    def _compare(self) -> None:
        with self._lock:
            if self._same:
                self._same = identity_of(self._module).lasting[:HALF] == self._lasting
                self._look()
