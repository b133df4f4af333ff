"""A request that waits for its outputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterable

    from pytest_navigator.deploy.protocol.errors import RequestError
    from pytest_navigator.deploy.serve.options import Arrays


@dataclass(eq=False)
class Pending:
    """A request that waits for its outputs.

    Attributes:
        alone: whether it is not joined with others: something went wrong with a batch that it was in.
        since: when it came, in ns.
    """

    inputs: Arrays
    rows: int
    answer: asyncio.Future[Arrays]
    alone: bool = False
    since: int = field(default_factory=perf_counter_ns)


def fail(requests: Iterable[Pending], error: RequestError) -> None:
    """Answer those with an error that have no answer yet."""
    for each in requests:
        if not each.answer.done():
            each.answer.set_exception(error)
