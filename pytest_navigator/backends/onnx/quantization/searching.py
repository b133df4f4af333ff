"""What of a quantized ONNX file is left in floating point until its outputs pass."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

from pytest_navigator.backends.onnx.accuracy_search import OnnxQuantizer
from pytest_navigator.backends.onnx.probing import Probe
from pytest_navigator.backends.onnx.quantization.preparing import prepared
from pytest_navigator.backends.onnx.runners import OnnxRunner
from pytest_navigator.formats.accuracy_search import search

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_navigator.core.facts import AccuracySearch
    from pytest_navigator.core.plain import Parameters
    from pytest_navigator.core.records import Signature
    from pytest_navigator.formats.base import LoaderData


def searched(
    parent: Path,
    data: LoaderData,
    signature: Signature,
    parameters: Parameters,
    path: Path,
    write: Callable[[tuple[str, ...]], object],
) -> AccuracySearch:
    """Write the artifact without the fewest layers with which its outputs pass, or with which it came nearest.

    Args:
        parent: the float file.
        parameters: of the variant.
        path: of the artifact. write: writes it with some nodes as they are, by their names.
    """
    quantizer = OnnxQuantizer(float_file(parent, signature, parameters), path, write)
    return search(quantizer, data.batches, data.rules, parameters["quantization"]["search_seconds"])


def float_file(path: Path, signature: Signature, parameters: Parameters) -> Probe:
    """Return a float file as its quantizer reads it: each node has a name, and operators are those of its opset."""
    with tempfile.TemporaryDirectory() as folder:
        return Probe(OnnxRunner(path, signature, parameters), prepared(str(path), folder, split=False))
