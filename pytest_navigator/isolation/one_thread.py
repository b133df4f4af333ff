"""What holds the libraries of a process to one thread, which must be known before it imports them.

What takes its threads from the options of a session instead gets them from its runner: `Runner.single_thread`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_navigator.core.plain import JSON

ENVIRONMENT = {
    **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"),
    # A thread that has nothing to do sleeps, should a library have several all the same.
    "OMP_WAIT_POLICY": "PASSIVE",
    "KMP_BLOCKTIME": "0",
    # The pool of XLA on the CPU, JAX's, has as many threads; it knows no option.
    "NPROC": "1",
}

SETTINGS: dict[str, dict[str, JSON]] = {
    "tensorflow": {"intra_op_threads": 1, "inter_op_threads": 1},
    "torch": {"num_threads": 1},
}


def one_thread(settings: Mapping[str, Mapping[str, JSON]]) -> dict[str, dict[str, JSON]]:
    """Return settings of frameworks (see `numerics`) with one thread in each."""
    names = [*settings, *(name for name in SETTINGS if name not in settings)]
    return {name: {**settings.get(name, {}), **SETTINGS.get(name, {})} for name in names}
