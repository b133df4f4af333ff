"""A server whose model doubles its input, and goes wrong where it is asked to: `python -m tests.deploy.fragile_server`.

13 raises, 99 is refused, 404 has no output, 555 gives text as objects, 666 ends the process, -0.5 takes half a second;
`--unloadable` cannot be loaded, `--slow` takes minutes for it, `--one-is-slow` for all workers but the first.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_navigator.core.records import Signature, TensorSpec
from pytest_navigator.deploy.protocol.metadata import ServedModel
from pytest_navigator.deploy.serve.options import Options
from pytest_navigator.deploy.serve.server import serve
from pytest_navigator.errors import InputError, PackageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_navigator.deploy.serve.options import Infer

SPEC = {"shape": (-1, -1), "dtype": "float32", "axes": {0: "batch", 1: "width"}, "batched": True}
SIGNATURE = Signature((TensorSpec("x", **SPEC),), (TensorSpec("y", **SPEC),), {}, {}, 0, "numpy")  # type: ignore[arg-type]


def infer(inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    x = inputs["x"]
    if (x == 13).any():
        raise ValueError("13 is bad luck")
    if (x == 99).any():
        raise InputError("99 is refused")
    if (x == 404).any():
        return {}
    if (x == 555).any():
        return {"y": np.array([["Å".encode(), b"\xff", "Zoë"]], object)}
    if (x == 666).any():
        os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(max(0.0, -float(x.min())))
    return {"y": x * 2}


@contextmanager
def open_runner(folder: Path, flags: frozenset[str] = frozenset()) -> Iterator[Infer]:
    if "unloadable" in flags:
        raise PackageError("the model cannot be loaded")
    first = "one-is-slow" in flags and _is_first(folder.parent / "first")
    if "slow" in flags or ("one-is-slow" in flags and not first):
        print("loading\n", end="", flush=True)  # in one piece: two processes write
        time.sleep(300)
    if first:
        print("loaded\n", end="", flush=True)
    yield infer


def _is_first(mark: Path) -> bool:
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def main() -> None:
    arguments = [each.removeprefix("--").partition("=") for each in sys.argv[1:]]
    given: dict[str, Any] = {
        name: float(value) if "." in value else int(value) for name, _, value in arguments if value
    }
    loading = partial(open_runner, flags=frozenset(name for name, _, value in arguments if not value))
    model = ServedModel("double", SIGNATURE, "none/Double")
    serve(model, loading, Options(**{"port": 0, **given}), lambda address: print(f"serving at {address}", flush=True))


if __name__ == "__main__":
    main()
