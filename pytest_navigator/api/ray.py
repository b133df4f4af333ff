"""`nav.ray`: a package behind Ray Serve."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_navigator.api.loading import load
from pytest_navigator.api.opening import Place, opened_runner, threads_of
from pytest_navigator.api.package import Package
from pytest_navigator.package.query.strategies import either

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pytest_navigator.package.query.strategies import Strategy

__all__ = ["deployment"]

# Of a deployment, where nothing else is said. Ray gives a replica 5 requests at a time: no batch could be larger. And
# where a replica has as many as it may, Ray's router waits longer and longer: with 8, thirty clients got 22 answers
# a second in place of 378.
ONGOING_BATCHES = 2
LEAST_ONGOING = 100
QUEUED = 128


CHANGED = "call nav.ray.deployment again, and see that the path leads to the same package on every node"


def deployment(
    package: str | Path | Package,
    strategy: Strategy | None = None,
    strategies: Sequence[Strategy] | None = None,
    format: str | None = None,
    runner: str | None = None,
    name: str | None = None,
    *,
    verified_only: bool = False,
    threads: int | None = None,
    num_replicas: int | str = 1,
    max_batch_size: int | None = None,
    batch_wait_timeout_s: float = 0.0,
    max_request_mb: int = 64,
    **options: Any,
) -> Any:
    """Return an application of Ray Serve that speaks the Open Inference Protocol: `ray.serve.run(application)`.

    Every replica opens the package by its path, which must lead to the same package on each node.

    Args:
        package: path of a `.nav` file, or an open package.
        strategy: or `strategies`, of which the first that has an answer counts; None: the default ones.
        format: serve this one, in the first runner that passed, or in that which strategies choose.
        runner: only this one ("OnnxCPU"), or this runtime ("cpu").
        name: by which clients ask for the model; None: the package's.
        verified_only: serve nothing that neither a `verify_` test nor `set_verified` vouches for.
        threads: of one inference, of a runner of ONNX Runtime; None: the processors of a replica
            (`ray_actor_options={"num_cpus": 1}`).
        num_replicas: processes that run the model; "auto": as many as Ray finds right.
        max_batch_size: rows that are joined at most; None: the largest batch that was measured.
        batch_wait_timeout_s: how long the first request of a batch waits for others, in s; 0: those are joined that
            came while the model was busy.
        max_request_mb: size of the largest request in MiB.
        options: of `ray.serve.deployment`: `ray_actor_options`, `autoscaling_config`, `max_ongoing_requests` (of a
            replica), `max_queued_requests` (others get 503).

    Raises:
        ConfigError: Ray Serve is not installed; or a value is none that it, or the protocol, takes.
        PackageError: there is no such runner, it did not pass correctness, or it cannot run here.
        StrategyError: no strategy has an answer.
    """
    asked = either(strategy, strategies)
    from pytest_navigator.deploy import ray
    from pytest_navigator.deploy.recorded import RecordedRunner
    from pytest_navigator.deploy.serve.chosen import runner_of_a_file, served_model

    with _opened(package) as opened:
        wanted = {"strategies": asked, "verified_only": verified_only}
        found = runner_of_a_file(opened, format, runtime=runner, threads=threads, **wanted)
        model = served_model(opened.results, found, name)
        recorded = RecordedRunner.of(opened.results, found)
        recorded.check_largest(max_batch_size, "max_batch_size")
        most = recorded.largest_batch if max_batch_size is None else max_batch_size
        place = Place.of(opened, found, CHANGED)
    loading = partial(opened_runner, place, threads_of(threads, place.kind, _processors(options)))
    replica = ray.Replica(model, loading, most, batch_wait_timeout_s, max_request_mb)
    return ray.deployed(replica, _with_defaults(options, num_replicas, most))


def _opened(package: str | Path | Package) -> AbstractContextManager[Package]:
    return nullcontext(package) if isinstance(package, Package) else load(package)


def _processors(options: Mapping[str, Any]) -> int:
    """Return the processors of a replica: Ray counts them, and does not keep a replica to them."""
    return max(1, int((options.get("ray_actor_options") or {}).get("num_cpus", 1)))


def _with_defaults(options: Mapping[str, Any], replicas: int | str, most: int) -> dict[str, Any]:
    """Return the options of a deployment; Ray takes no number of replicas beside `autoscaling_config`."""
    own = {} if options.get("autoscaling_config") else {"num_replicas": replicas}
    ongoing = max(LEAST_ONGOING, ONGOING_BATCHES * most)
    return {"max_ongoing_requests": ongoing, "max_queued_requests": QUEUED, **own, **options}
