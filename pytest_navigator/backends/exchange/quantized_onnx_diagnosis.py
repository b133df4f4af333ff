"""The layers that spoil a quantized ONNX file, each computed from its float file's values, and what to leave out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_navigator.backends.exchange.from_onnx_diagnosis import FromOnnxDiagnosis
from pytest_navigator.backends.exchange.onnx_diagnosis import by_optimizer, is_right
from pytest_navigator.backends.onnx.accuracy_search import without
from pytest_navigator.backends.onnx.layer_ranking import ranked
from pytest_navigator.backends.onnx.layer_values import part_of
from pytest_navigator.backends.onnx.probing import Probe
from pytest_navigator.backends.onnx.quantization.searching import float_file
from pytest_navigator.backends.onnx.runners import OnnxRunner
from pytest_navigator.comparison.divergence import QUANTIZED, Divergence, no_divergence
from pytest_navigator.comparison.layer_errors import MOST_RECORDED, MOST_TOLD
from pytest_navigator.comparison.local_errors import described, local_error, magnitude
from pytest_navigator.formats.accuracy_search import names_of, shortest
from pytest_navigator.formats.diagnosis import save_evidence
from pytest_navigator.runners.spec import runner_class

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

    from pytest_navigator.comparison.layer_errors import LayerError
    from pytest_navigator.formats.diagnosis import Question

    Arrays = Mapping[str, np.ndarray]

METHOD = "each layer from the float file's values"
SHARE = 0.5  # Part of the time that ranking may take: the rest is for seeing what leaving layers out does


class QuantizedOnnxDiagnosis(FromOnnxDiagnosis):
    """Of a quantized ONNX file: its float file is the reference, if that is right."""

    def of_runtime(self, question: Question, probe: Probe, feed: Arrays) -> Divergence:
        """Rank the layers. `probe`: of the float file, as it is."""
        probe = float_file(probe.path, question.signature, probe.runner.parameters)
        kind = runner_class(question.runner)
        runner = kind if issubclass(kind, OnnxRunner) else OnnxRunner
        quantized = Probe(runner(question.artifact(), question.signature, question.variant.parameters))
        if fused := by_optimizer(question, quantized, feed, question.expected()):
            return fused
        errors, left = ranked(probe, quantized, feed, question.left * SHARE)
        if not errors:
            return no_divergence([], METHOD)
        short = f"{left} layers were not looked into for want of time" if left else ""
        found = _of_worst(question, probe, quantized, errors[0], feed)
        found = replace(found, reason=short, layers=tuple(errors[:MOST_RECORDED]), compared=len(errors))
        return _with_exclusion(question, probe, quantized, errors, found)


def _of_worst(question: Question, floating: Probe, quantized: Probe, worst: LayerError, feed: Arrays) -> Divergence:
    """Return what is known of the worst layer, and leave the part of the file that computes it."""
    import onnx

    from pytest_navigator.backends.onnx.diagnosis_scripts import segment_script

    known = {name for name in floating.nodes if name in quantized.nodes}
    value = [name for name in known if floating.nodes[name].name in worst.nodes]
    (name,) = sorted(value, key=list(floating.nodes).index)[-1:]
    part = part_of(floating, quantized, [name], known, feed)
    own, right = part.names[name], part.right[name]
    actual = quantized.run(part.model, part.inputs)
    title = f"{worst.layer}: what ONNX Runtime gives for this layer of {quantized.path.name} alone, from right inputs."
    script = segment_script(title, own, quantized.runner.providers())
    evidence, script = save_evidence(question, part.inputs, {own: right}, actual, script)
    onnx.external_data_helper.load_external_data_for_model(part.model, str(quantized.path.parent))
    onnx.save_model(part.model, question.root / evidence / "segment.onnx")
    return Divergence(
        QUANTIZED,
        METHOD,
        value=name,
        operator=worst.operator,
        node=floating.nodes[name].name,
        module=worst.module,
        location=worst.location,
        inputs=tuple(described(array) for array in part.inputs.values()),
        output=described(right),
        error=local_error(actual[own], right),
        magnitude=magnitude(right),
        evidence=evidence,
        script=script,
    )


def _with_exclusion(
    question: Question, floating: Probe, quantized: Probe, errors: Sequence[LayerError], found: Divergence
) -> Divergence:
    """Say what to leave out: the fewest of the worst layers with which the sample passes, else those that are told."""
    feed, expected = question.feed(), question.expected()

    def passes(count: int) -> bool | None:
        if question.left < 0:
            return None
        return is_right(question, quantized.whole(feed, without(floating, quantized, errors[:count])), expected)

    judged = all(question.rules[name].kind != "function" for name in question.outputs if name in question.rules)
    most = len(errors) - 1  # Without all of them it is the float file
    count = shortest(most, passes) if judged else None
    if not most:
        return found
    if judged and count is None and question.left > 0:
        none = f"without the worst {most} of {len(errors)} layers this sample does not pass either"
        return replace(found, reason="; ".join(filter(None, [found.reason, none])))
    already = (question.variant.parameters.get("quantization") or {}).get("exclude", ())
    exclude = dict.fromkeys([*already, *names_of(errors[: count or min(MOST_TOLD, most)])])
    return replace(found, exclude=tuple(exclude), passes=count is not None)
