"""How a model is served."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    import numpy as np

    Arrays = dict[str, np.ndarray]
    Infer = Callable[[Arrays], Arrays]
    Open = Callable[[Path], AbstractContextManager[Infer]]

# Least value of each number that can be given.
LEAST = {"port": 0, "workers": 1, "batch_delay_ms": 0, "max_batch_size": 1, "queue_size": 1, "max_request_mb": 1}
LAST_PORT = 65535  # the socket would take a larger one for another


@dataclass(frozen=True)
class Options:
    """What can be chosen of a server.

    Attributes:
        host, port: where it listens; 0 is any port that is free.
        workers: processes that run the model, each on a batch of its own.
        batch_delay_ms: how long the first request of a batch waits for others. Without it, those are joined that came
            while every worker was busy.
        max_batch_size: how many rows are joined at most; 1: requests are never joined.
        queue_size: how many requests may wait at a time, and be received beside these; others get 503 at once.
        max_request_mb: size of the largest body in MiB; of a larger one the answer is 413.
        body_timeout_s: how long the next part of a body may take; if it takes longer, the answer is 408.

    Raises:
        ConfigError: a number is too small, or no port.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    batch_delay_ms: float = 0.0
    max_batch_size: int = 1
    queue_size: int = 128
    max_request_mb: int = 64
    body_timeout_s: float = 10.0

    def __post_init__(self) -> None:
        for name, least in LEAST.items():
            value = getattr(self, name)
            if not least <= value < math.inf:  # nor is nan
                raise ConfigError(f"--{name.replace('_', '-')}={value}: a number from {least} on is needed")
        if self.port > LAST_PORT:
            raise ConfigError(f"--port={self.port}: ports are numbers up to {LAST_PORT}")
