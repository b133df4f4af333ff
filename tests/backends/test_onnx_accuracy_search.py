"""A search for accuracy leaves out the worst layers of a quantized model until its outputs pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_navigator.backends.onnx.accuracy_search import OnnxQuantizer
from pytest_navigator.backends.onnx.probing import Probe
from pytest_navigator.backends.onnx.runners import OnnxRunner
from pytest_navigator.comparison.tolerances import Rule, cosine, scaled
from pytest_navigator.errors import StepFailed
from pytest_navigator.formats.accuracy_search import search
from tests.backends.quantized_chains import SIGNATURE, batches, chain, quantized

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_navigator.core.facts import AccuracySearch

IMPOSSIBLE = scaled(tolerance=1e-12)


def _search(folder: Path, kind: str, rule: Rule, seconds: float = 60, **model: float) -> AccuracySearch:
    floating, path = chain(folder / "model.onnx", **model), folder / "quantized.onnx"
    quantizer = OnnxQuantizer(Probe(OnnxRunner(floating, SIGNATURE, {})), path, quantized(kind, floating, path))
    return search(quantizer, batches(), {"y": rule}, seconds)


def _names(found: AccuracySearch) -> list[str]:
    return [each.layer for each in found.left_out]


def test_the_one_layer_that_spoils_the_outputs_is_left_out(tmp_path):
    found = _search(tmp_path, "int8", cosine(0.999), outlier=3000)
    assert (found.passed, _names(found), found.layers) == (True, ["mid"], 4)
    assert found.before < 20 < found.after


def test_a_wide_range_before_a_softmax_is_left_out(tmp_path):
    found = _search(tmp_path, "int8", cosine(0.999), masked=10000)
    assert (found.passed, _names(found)[0]) == (True, "attn")
    assert found.before < found.after


def test_what_float16_cannot_hold_is_left_out(tmp_path):
    found = _search(tmp_path, "fp16", cosine(0.999), wide=1e6)
    assert (found.passed, _names(found)) == (True, ["wide"])


@pytest.mark.parametrize(("kind", "minimum"), [("int8-dynamic", 0.99995), ("int4", 0.999)])
def test_the_formats_of_weights_are_searched_too(tmp_path, kind, minimum):
    found = _search(tmp_path, kind, cosine(minimum))
    assert found.passed
    assert 0 < len(found.left_out) < found.layers


def test_nothing_is_left_out_where_all_passes(tmp_path):
    found = _search(tmp_path, "int8", cosine(0.9))
    assert (found.passed, found.left_out, found.trials) == (True, (), 0)
    assert found.text.startswith("no layer had to be left in floating point")


def test_the_same_search_twice_leaves_out_the_same(tmp_path):
    first, second = (_search(tmp_path, "int8", cosine(0.9999), outlier=30) for _ in range(2))
    assert (first.left_out, first.before, first.after) == (second.left_out, second.before, second.after)


def test_where_nothing_passes_the_best_artifact_is_kept_and_what_is_wrong_still_is_told(tmp_path):
    found = _search(tmp_path, "int8", IMPOSSIBLE, outlier=30)
    assert (found.passed, found.ended) == (False, "nothing else can be left out")
    assert 0 < len(found.left_out) < found.layers
    assert found.before < found.after
    assert found.problem.startswith("y: max abs")
    assert found.text.endswith(f"search ended: nothing else can be left out; {found.problem}")


def test_without_time_it_says_so_and_keeps_what_there_is(tmp_path):
    found = _search(tmp_path, "int8", IMPOSSIBLE, seconds=0.001)
    assert (found.passed, found.ended, found.left_out) == (False, "out of time", ())
    assert (tmp_path / "quantized.onnx").exists()


def test_a_function_of_the_users_own_cannot_be_asked(tmp_path):
    with pytest.raises(StepFailed, match=r"cannot ask check, the comparison of y.*nav\.snr or nav\.cosine"):
        _search(tmp_path, "int8", Rule("function", note="check"))
