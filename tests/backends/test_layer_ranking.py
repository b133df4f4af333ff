"""The layers of a quantized ONNX file are ranked by what each adds to the error, and files are made without some."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest

from pytest_navigator.backends.onnx.accuracy_search import without
from pytest_navigator.backends.onnx.layer_ranking import ranked
from pytest_navigator.backends.onnx.probing import Probe
from pytest_navigator.backends.onnx.runners import OnnxRunner
from pytest_navigator.formats.accuracy_search import names_of
from tests.backends.quantized_chains import SIGNATURE, batches, chain, quantized

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_navigator.comparison.layer_errors import LayerError

KINDS = ("int8", "int8-dynamic", "int4", "fp16")


def _probes(folder: Path, kind: str, **model: float) -> tuple[Probe, Probe]:
    floating = chain(folder / "model.onnx", **model)
    quantized(kind, floating, folder / f"{kind}.onnx")(())
    floating, found = (Probe(OnnxRunner(folder / f"{name}.onnx", SIGNATURE, {})) for name in ("model", kind))
    return floating, found


def _ranked(folder: Path, kind: str, **model: float) -> list[LayerError]:
    found, left = ranked(*_probes(folder, kind, **model), batches()[0], 60)
    assert not left
    return found


def test_the_layer_with_an_outlier_channel_is_the_worst(tmp_path):
    worst, second, *_ = _ranked(tmp_path, "int8", outlier=3000)
    assert (worst.layer, worst.exclude, worst.module) == ("mid", ("mid",), "mid")
    assert worst.alone is not None
    assert second.alone is not None
    assert worst.alone < second.alone - 6


def test_a_wide_range_before_a_softmax_is_named_as_its_module(tmp_path):
    worst, second, *_ = _ranked(tmp_path, "int8", masked=10000)
    assert worst.layer == "attn"
    assert worst.alone is not None
    assert second.alone is not None
    assert worst.alone < second.alone - 6


def test_what_float16_has_no_number_for_is_the_worst(tmp_path):
    assert [(each.layer, each.snr) for each in _ranked(tmp_path, "fp16", wide=1e6)[:2]] == [
        ("wide", -np.inf),
        ("narrow", -np.inf),
    ]


@pytest.mark.parametrize(
    ("kind", "layers"),
    [
        ("int8", {"up", "mid", "attn", "down"}),
        ("int8-dynamic", {"up", "mid", "down"}),
        ("int4", {"up", "mid", "down"}),
        ("fp16", {"up", "first", "mid", "second", "attn", "down"}),
    ],
)
def test_only_what_was_quantized_is_ranked(tmp_path, kind, layers):
    assert {each.layer for each in _ranked(tmp_path, kind)} == layers


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_file_without_layers_computes_what_quantizing_without_them_gives(tmp_path, kind, count):
    floating, found = _probes(tmp_path, kind, outlier=30.0 * (kind == "int8"))
    worst, _ = ranked(floating, found, batches()[0], 60)
    path = tmp_path / "without.onnx"
    quantized(kind, tmp_path / "model.onnx", path)(names_of(worst[:count]))
    feed = batches(5)[-1]
    own = found.whole(feed, without(floating, found, worst[:count]))
    asked = Probe(OnnxRunner(path, SIGNATURE, {})).whole(feed)
    np.testing.assert_allclose(own["y"], asked["y"], rtol=1e-5, atol=1e-4 if kind == "fp16" else 1e-5)


def test_a_ranking_without_time_says_how_many_layers_it_did_not_look_into(tmp_path):
    found, left = ranked(*_probes(tmp_path, "int8"), batches()[0], -1)
    assert (found, left) == ([], 8)


def test_layers_without_names_are_no_use_to_anybody(tmp_path):
    floating, found = _probes(tmp_path, "int8")
    for node in floating.model.graph.node:
        node.name = ""
    assert ranked(floating, found, batches()[0], 60) == ([], 0)


def test_values_that_one_session_cannot_take_come_in_several(tmp_path, monkeypatch):
    probes = _probes(tmp_path, "int8", outlier=30)
    whole = ranked(*probes, batches()[0], 60)
    monkeypatch.setattr("pytest_navigator.backends.onnx.layer_values.AT_ONCE", 10_000)
    found = ranked(*probes, batches()[0], 60)
    assert [each.layer for each in found[0]][:1] == [each.layer for each in whole[0]][:1]
    assert {each.layer for each in found[0]} == {each.layer for each in whole[0]}


def test_a_ranked_layer_tells_its_place_in_words(tmp_path):
    worst = _ranked(tmp_path, "int8", outlier=3000)[0]
    assert worst.text.startswith("mid (Gemm) ")
    assert worst.text.endswith(" dB at the outputs")


def test_models_are_left_as_they_are(tmp_path):
    floating, found = _probes(tmp_path, "int8", outlier=30)
    before = floating.model.SerializeToString(), found.model.SerializeToString()
    worst, _ = ranked(floating, found, batches()[0], 60)
    onnx.checker.check_model(without(floating, found, worst[:1]))
    assert (floating.model.SerializeToString(), found.model.SerializeToString()) == before
