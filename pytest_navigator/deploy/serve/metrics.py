"""What a server counts: in Prometheus' form, and as Triton's clients ask for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from time import time
from typing import TYPE_CHECKING, Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_navigator.deploy.protocol.metadata import ServedModel

# Upper limits of the classes of a duration, in s: a tiny model takes some µs, a large one seconds.
SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


@dataclass
class Total:
    """How often something was done, and how many ns it took in all."""

    count: int = 0
    ns: int = 0

    def add(self, ns: int) -> None:
        """Count once more."""
        self.count += 1
        self.ns += ns

    def plain(self) -> dict[str, int]:
        """Return it as Triton's statistics have it."""
        return {"count": self.count, "ns": self.ns}


@dataclass
class Totals:
    """Triton's statistics of a model: of requests, but `executions` of batches."""

    success: Total = field(default_factory=Total)
    fail: Total = field(default_factory=Total)
    queue: Total = field(default_factory=Total)
    compute_infer: Total = field(default_factory=Total)
    executions: int = 0
    rows: int = 0
    last: int = 0  # ms since 1970


class Metrics:
    """The counters of one server."""

    def __init__(self, model: ServedModel) -> None:
        self._model = model
        self._totals = Totals()
        self._registry = CollectorRegistry()
        more: dict[str, Any] = {"registry": self._registry}
        self._requests = Counter("navigator_requests", "Requests by status of their answer", ["status"], **more)
        self._latency = Histogram("navigator_request_seconds", "From head to answer", buckets=SECONDS, **more)
        self._queue = Histogram("navigator_queue_seconds", "Until a worker begins", buckets=SECONDS, **more)
        self._infer = Histogram("navigator_inference_seconds", "In the model itself", buckets=SECONDS, **more)
        self._rows = Histogram("navigator_batch_rows", "Rows of an inference", buckets=ROWS, **more)
        self._replaced = Counter("navigator_workers_replaced", "Processes of the model that ended", **more)

    def watch(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Have a number in the metrics that is asked for when they are read."""
        Gauge(f"navigator_{name}", text, registry=self._registry).set_function(value)

    def request(self, status: int, nanoseconds: int) -> None:
        """Count an answer, and how long the request took in all."""
        self._requests.labels(str(status)).inc()
        self._latency.observe(nanoseconds / 1e9)
        (self._totals.success if status < 400 else self._totals.fail).add(nanoseconds)

    def batch(self, queued: Sequence[int], nanoseconds: int, rows: int) -> None:
        """Count an inference: how long each of its requests had waited, and how long the model took, in ns."""
        for waited in queued:
            self._queue.observe(waited / 1e9)
            self._totals.queue.add(waited)
            self._totals.compute_infer.add(nanoseconds)
        self._infer.observe(nanoseconds / 1e9)
        self._rows.observe(rows)
        self._totals.executions += 1
        self._totals.rows += rows
        self._totals.last = int(time() * 1000)

    def replaced(self) -> None:
        """Count a worker that ended."""
        self._replaced.inc()

    def text(self) -> bytes:
        """Return all in Prometheus' form."""
        return generate_latest(self._registry)

    def statistics(self) -> dict[str, Any]:
        """Return the answer of Triton's `GET /v2/models/NAME/stats`, plain data."""
        totals, nothing = self._totals, Total().plain()
        parts = {name: getattr(totals, name).plain() for name in ("success", "fail", "queue", "compute_infer")}
        own = {
            "name": self._model.name,
            "version": self._model.version,
            "last_inference": totals.last,
            "inference_count": totals.rows,
            "execution_count": totals.executions,
            "inference_stats": {**parts, "compute_input": nothing, "compute_output": nothing},
            "batch_stats": [],
        }
        return {"model_stats": [own]}
