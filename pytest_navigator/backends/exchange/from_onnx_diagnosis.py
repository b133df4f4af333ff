"""What is converted from an ONNX file: that is asked first, in ONNX Runtime; if it is right, the runtime is wrong."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.backends.exchange.onnx_diagnosis import is_right, of_file
from pytest_navigator.backends.onnx.cutting import marked
from pytest_navigator.backends.onnx.probing import Probe, groups
from pytest_navigator.backends.onnx.runners import OnnxRunner
from pytest_navigator.comparison.divergence import RUNTIME, Divergence, first_divergence, no_divergence
from pytest_navigator.comparison.local_errors import UNITS
from pytest_navigator.errors import NotApplicable
from pytest_navigator.formats.diagnosis import Diagnosis

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from pytest_navigator.backends.onnx.cutting import Model
    from pytest_navigator.comparison.divergence import Segment
    from pytest_navigator.core.plain import Parameters
    from pytest_navigator.formats.diagnosis import Question

    Arrays = Mapping[str, np.ndarray]

FILE_ONLY = "its ONNX file in ONNX Runtime"
CUT = "cut every edge of its ONNX file, right by ONNX Runtime without its optimizer"

# Precision of a variant of OpenVINO -> type that the errors of its parts are told in.
COMPUTED = {"fp16": "float16", "bf16": "bfloat16"}


class FromOnnxDiagnosis(Diagnosis):
    """Of an artifact whose own values nobody can look at: it tells which of file and runtime is wrong."""

    def compare(self, question: Question) -> Divergence:
        """Ask the ONNX file, then the runtime."""
        key = _file(question)
        probe = Probe(OnnxRunner(question.artifact(key), question.signature, question.variants[key].parameters))
        feed = question.feed()
        if is_right(question, probe.whole(feed), question.expected()):
            return self.of_runtime(question, probe, feed)
        found = of_file(question, key, OnnxRunner)
        return replace(found, reason="; ".join(filter(None, [f"{key} is wrong in ONNX Runtime too", found.reason])))

    def of_runtime(self, question: Question, probe: Probe, feed: Arrays) -> Divergence:
        """Return what can be told where the file is right."""
        reason = (
            f"{probe.path.parent.name} is right in ONNX Runtime: what {question.cell} computes otherwise is its own"
        )
        return Divergence(RUNTIME, FILE_ONLY, reason)


class OpenVINODiagnosis(FromOnnxDiagnosis):
    """Of OpenVINO's model: the cut ONNX file is converted and run as the whole was; of int8, the float one is asked."""

    def compare(self, question: Question) -> Divergence:
        """Rank the operations of what is quantized, if the float model is right."""
        if question.variant.parameters.get("precision") == "int8":
            from pytest_navigator.backends.exchange.quantized_openvino_diagnosis import of_quantized

            if found := of_quantized(question):
                return found
        return super().compare(question)

    def of_runtime(self, question: Question, probe: Probe, feed: Arrays) -> Divergence:
        """Cut every edge, with the values of ONNX Runtime as the right ones."""
        given, values = probe.named(feed), list(probe.nodes)
        right = probe.run(marked(probe.model, values), given, values, optimized=False)
        parameters: Parameters = question.variant.parameters
        segments: list[Segment] = []
        for group in groups(probe.comparable(right), right):
            if question.left < 0:
                break
            segments += probe.local(group, right, given, {}, lambda *part: self.run(parameters, *part))
        if kind := COMPUTED.get(parameters.get("precision", "")):
            segments = [replace(each, precision=UNITS[kind]) for each in segments]
        return first_divergence(segments, RUNTIME, CUT) or no_divergence(segments, CUT)

    def run(self, parameters: Parameters, part: Model, given: Arrays, names: Sequence[str]) -> Arrays:
        """Convert a part of the ONNX file and run it."""
        import onnx

        from pytest_navigator.backends.openvino.model import copies_of, read_model, write_model
        from pytest_navigator.backends.openvino.runner import hinted

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "part.onnx")
            onnx.save_model(part, path)
            write_model(
                str(path), folder, dict(parameters.get("custom_args") or {}), half=parameters.get("precision") == "fp16"
            )
            compiled = read_model(folder, **hinted(parameters))
        taken = {port.get_any_name() for port in compiled.inputs}
        outputs = compiled({name: array for name, array in given.items() if name in taken})
        return dict(zip(names, copies_of(outputs), strict=True))


def _file(question: Question) -> str:
    """Return the key of the ONNX file that an artifact is made from, by way of others or not."""
    key = question.variant.parent
    while key and question.variants[key].format != "onnx":
        key = question.variants[key].parent
    if not key:
        raise NotApplicable(f"{question.key} is made from no ONNX file")
    return key
