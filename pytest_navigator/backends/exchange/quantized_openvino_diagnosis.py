"""The operations that spoil OpenVINO's int8, each computed from the float model's values, and what to leave out."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pytest_navigator.backends.exchange.onnx_diagnosis import is_right
from pytest_navigator.backends.openvino.layer_ranking import FLOAT32, ranked
from pytest_navigator.backends.openvino.making import names_of
from pytest_navigator.backends.openvino.model import copies_of, model_of, untold
from pytest_navigator.backends.openvino.searching import in_order
from pytest_navigator.comparison.divergence import QUANTIZED, Divergence, no_divergence
from pytest_navigator.comparison.layer_errors import MOST_RECORDED, MOST_TOLD
from pytest_navigator.formats.accuracy_search import names_of as exclusions_of

if TYPE_CHECKING:
    from pytest_navigator.formats.diagnosis import Question

METHOD = "each operation from the float model's values"
SHARE = 0.8  # Part of the time that following errors to the outputs may take


def of_quantized(question: Question) -> Divergence | None:
    """Return the worst operations; None: the float model is wrong, too."""
    parent, parameters = question.artifact(question.variant.parent or ""), question.variant.parameters
    floating = partial(model_of, str(parent), parameters["custom_args"])
    arrays = in_order(question.signature, question.feed())
    found = copies_of(untold("openvino").Core().compile_model(floating(), "CPU", FLOAT32)(arrays))
    outputs = {spec.name: array for spec, array in zip(question.signature.outputs, found, strict=True)}
    if not is_right(question, outputs, question.expected()):
        return None
    quantized = model_of(str(question.artifact()), {})
    errors = ranked(floating, quantized, names_of(floating(), parent), arrays, question.left * SHARE)
    if not errors:
        return no_divergence([], METHOD)
    worst, already = errors[0], (parameters.get("quantization") or {}).get("exclude", ())
    return Divergence(
        QUANTIZED,
        METHOD,
        value=worst.nodes[0],
        operator=worst.operator,
        node=worst.nodes[0],
        module=worst.module,
        layers=tuple(errors[:MOST_RECORDED]),
        compared=len(errors),
        exclude=tuple(dict.fromkeys([*already, *exclusions_of(errors[:MOST_TOLD])])),
    )
