"""The search for accuracy of quantized ONNX files: what is left out is tried without calibrating again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_navigator.backends.onnx.layer_ranking import ranked
from pytest_navigator.backends.onnx.left_out import left_out
from pytest_navigator.backends.onnx.probing import Probe
from pytest_navigator.backends.onnx.quantized_layers import layers_of
from pytest_navigator.backends.onnx.runners import OnnxRunner
from pytest_navigator.formats.accuracy_search import Quantizer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pytest_navigator.backends.onnx.cutting import Model
    from pytest_navigator.formats.accuracy_search import Arrays, Layers, Run


class OnnxQuantizer(Quantizer):
    """Quantizes an ONNX file.

    Args:
        floating: the float file. path: of the quantized one.
        write: writes `path` with some nodes of the float file as they are, by their names.
    """

    def __init__(self, floating: Probe, path: Path, write: Callable[[tuple[str, ...]], object]) -> None:
        self._floating, self._path, self._write = floating, path, write
        self._right = _run(floating)
        self._whole: Probe | None = None

    def right(self, feed: Arrays) -> Arrays:
        """Run the float file."""
        return self._right(feed)

    def worst(self, feed: Arrays, seconds: float) -> Layers:
        """Rank the layers of the file that nothing was left out of."""
        return ranked(self._floating, self._quantized(), feed, seconds)[0]

    def write(self, left_out: Layers) -> Run:
        """Quantize the float file."""
        self._write(nodes_of(left_out))
        own = self._floating.runner
        probe = Probe(OnnxRunner(self._path, own.signature, own.parameters))
        if self._whole is None and not left_out:
            self._whole = probe
        return _run(probe)

    def trial(self, left_out: Layers) -> Run:
        """Put the float file's layers into the file that nothing was left out of; write it where that does not run."""
        whole = self._quantized()
        try:
            return _run(whole, without(self._floating, whole, left_out))
        except Exception as error:  # of ONNX Runtime, on what it does not know so
            print(f"search: {nodes_of(left_out)} are left out by quantizing again: {error}")
            return self.write(left_out)

    def _quantized(self) -> Probe:
        assert self._whole is not None
        return self._whole


def without(floating: Probe, quantized: Probe, layers: Layers) -> Model:
    """Return a quantized model with layers as the float file has them."""
    every = layers_of(floating.model, quantized.model)
    return left_out(floating.model, quantized.model, every, nodes_of(layers), floating.path.parent)


def nodes_of(layers: Layers) -> tuple[str, ...]:
    """Return the names of the nodes of layers."""
    return tuple(dict.fromkeys(name for layer in layers for name in layer.nodes))


def _run(probe: Probe, model: Model | None = None) -> Run:
    run = probe.prepared(model)
    return lambda feed: dict(zip(probe.results, run(probe.named(feed)), strict=True))
