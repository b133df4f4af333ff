"""The random state that a model and its samples are made from."""

from __future__ import annotations

import random
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_navigator.frameworks.base import Framework


@contextmanager
def seeded(seed: int, frameworks: Iterable[Framework]) -> Iterator[None]:
    """Seed Python, numpy and the frameworks that are imported (others could draw nothing); restore all afterwards."""
    with ExitStack() as stack:
        stack.callback(random.setstate, random.getstate())
        random.seed(seed)
        numpy = sys.modules.get("numpy")
        if numpy is not None:
            stack.callback(numpy.random.set_state, numpy.random.get_state())
            numpy.random.seed(seed)
        for framework in frameworks:
            if framework.package in sys.modules:
                stack.enter_context(framework.seeded(seed))
        yield
