"""The search for accuracy of OpenVINO's int8: nncf quantizes anew for each trial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_navigator.backends.openvino.layer_ranking import FLOAT32, ranked
from pytest_navigator.backends.openvino.model import copies_of, model_of, read_model, untold
from pytest_navigator.formats.accuracy_search import Quantizer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pytest_navigator.backends.openvino.layer_ranking import Models, Names
    from pytest_navigator.core.records import Signature
    from pytest_navigator.formats.accuracy_search import Arrays, Layers, Run


class OpenVINOQuantizer(Quantizer):
    """Quantizes an ONNX file or an IR.

    Args:
        floating: makes the float model, a new one each time. names: what its operations are called by.
        path: of the artifact. write: writes it without operations of these names.
        signature: of both.
    """

    def __init__(
        self, floating: Models, names: Names, path: Path, write: Callable[[Sequence[str]], object], signature: Signature
    ) -> None:
        self._floating, self._names, self._path, self._write, self._signature = floating, names, path, write, signature
        self._right = self._running(untold("openvino").Core().compile_model(floating(), "CPU", FLOAT32))

    def right(self, feed: Arrays) -> Arrays:
        """Run the float model."""
        return self._right(feed)

    def worst(self, feed: Arrays, seconds: float) -> Layers:
        """Rank the operations of the artifact that was written last."""
        quantized = model_of(str(self._path), {})
        return ranked(self._floating, quantized, self._names, in_order(self._signature, feed), seconds)

    def write(self, left_out: Layers) -> Run:
        """Quantize the float model."""
        self._write([name for layer in left_out for name in layer.nodes])
        return self._running(read_model(str(self._path)))

    def _running(self, model: Any) -> Run:
        outputs = [spec.name for spec in self._signature.outputs]

        def run(feed: Arrays) -> Arrays:
            return dict(zip(outputs, copies_of(model(in_order(self._signature, feed))), strict=True))

        return run


def in_order(signature: Signature, feed: Arrays) -> list[Any]:
    """Return the arrays of a batch as the model takes them."""
    return [feed[spec.name] for spec in signature.inputs]
