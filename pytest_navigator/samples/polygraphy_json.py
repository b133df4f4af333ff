"""Inputs and outputs of a comparison as JSON that Polygraphy loads: `load_json` and `RunResults.load`.

The form is Polygraphy's own (its `json` module writes it); it is written here so that nobody needs Polygraphy to run.
"""

from __future__ import annotations

import base64
import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_navigator.core.plain import write_atomically
from pytest_navigator.samples.npz import storable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[Any]]

TYPE = "polygraphy_class"  # The key that tells Polygraphy which of its types an object is

INPUTS = ".comparator_inputs.json"
OUTPUTS = ".comparator_outputs.json"
SOURCE = "source"  # Under what name the source's outputs are among the runners'


def save_inputs(path: Path, feeds: Sequence[Arrays]) -> None:
    """Write what went in, for `polygraphy.json.load_json`: a list of one dict of arrays a comparison."""
    _save(path, [{name: _array(array) for name, array in feed.items()} for feed in feeds])


def save_outputs(path: Path, results: Mapping[str, Sequence[Arrays]]) -> None:
    """Write what came out, for `polygraphy.comparator.RunResults.load`.

    Args:
        path: of the file.
        results: runner's name -> its outputs, one dict a comparison, in the order of the inputs.
    """
    runs = [[name, [_iteration(name, outputs) for outputs in every]] for name, every in results.items()]
    _save(path, {"lst": runs, TYPE: "RunResults"})


def _iteration(runner: str, outputs: Arrays) -> dict[str, Any]:
    lazy = {name: {"values": _array(array), TYPE: "LazyArray"} for name, array in outputs.items()}
    return {"outputs": lazy, "runtime": None, "runner_name": runner, TYPE: "IterationResult"}


def _array(array: NDArray[Any]) -> dict[str, str]:
    buffer = io.BytesIO()
    np.save(buffer, storable(array), allow_pickle=False)
    return {"array": base64.b64encode(buffer.getvalue()).decode(), TYPE: "ndarray"}


def _save(path: Path, content: object) -> None:
    write_atomically(path, json.dumps(content, separators=(",", ":")).encode())
