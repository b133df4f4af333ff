"""What a diagnosis says of a quantized ONNX file whose outputs do not pass: its worst layers, and what to leave out."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch
from diagnosed import Suite, Transformer
from torch_models import Subject

from pytest_navigator.backends.exchange.quantized_onnx_diagnosis import QuantizedOnnxDiagnosis
from pytest_navigator.backends.onnx.probing import Probe
from pytest_navigator.backends.onnx.quantization.format import OnnxQuantizedFormat
from pytest_navigator.backends.onnx.runners import OnnxRunner
from pytest_navigator.comparison.divergence import EXPORT, QUANTIZED, UNKNOWN, line, text
from pytest_navigator.comparison.tolerances import Rule, cosine
from pytest_navigator.configuration.onnx_quantized_config import OnnxQuantizedConfig
from pytest_navigator.configuration.quantization_config import QuantizationConfig
from pytest_navigator.core.records import Case
from pytest_navigator.core.variants import Variant
from pytest_navigator.errors import NotApplicable
from pytest_navigator.formats.base import LoaderData
from pytest_navigator.formats.diagnosis import Question
from pytest_navigator.samples.npz import save_npz
from tests.backends.quantized_chains import SIGNATURE, batches, chain

if TYPE_CHECKING:
    from pathlib import Path

FORM = OnnxQuantizedFormat()
FLOAT = Variant("onnx", "onnx", None, "model.onnx", {}, ("OnnxCPU",))


def _question(folder: Path, kind: str, rule: Rule, exclude: tuple[str, ...] = (), **model: float) -> Question:
    """Quantize a chain as the format does; returns what a diagnosis is asked then."""
    config = OnnxQuantizedConfig(precision=kind, quantization=QuantizationConfig(exclude=exclude))
    (variant,) = FORM.variants(config, [FLOAT])
    for each in (FLOAT, variant):
        (folder / each.key).mkdir()
    floating = chain(folder / "onnx/model.onnx", **model)
    FORM.convert(floating, LoaderData({}, batches()), SIGNATURE, variant, folder / variant.key / "model.onnx")
    feed = batches()[0]
    save_npz(folder / "model_input/0.npz", feed)
    save_npz(folder / "model_output/0.npz", Probe(OnnxRunner(floating, SIGNATURE, {})).whole(feed))
    return Question(
        folder=str(folder),
        key=variant.key,
        variants={"onnx": FLOAT, variant.key: variant},
        runner=FORM.runner_specs[0].record(),
        cell=f"{variant.key}-cpu",
        signature=SIGNATURE,
        case=Case(0, "batch", "model_input/0.npz", "model_output/0.npz", 8),
        outputs=("y",),
        rules={"y": rule},
    )


@pytest.mark.parametrize(
    ("kind", "minimum", "model", "worst"),
    [
        ("int8", 0.999, {"outlier": 3000}, "mid"),
        ("int8-dynamic", 0.9999, {}, "up"),
        ("int4", 0.999, {}, "mid"),
        ("fp16", 0.999, {"wide": 1e6}, "wide"),
    ],
)
def test_the_worst_layer_is_named_and_leaving_out_what_is_told_passes(tmp_path, kind, minimum, model, worst):
    question = _question(tmp_path, kind, cosine(minimum), **model)
    found = QuantizedOnnxDiagnosis().compare(question)
    assert (found.verdict, found.layers[0].layer, found.passes) == (QUANTIZED, worst, True)
    assert line(found).startswith(f"worst layers: {worst} (")
    told = f"QuantizationConfig(exclude={list(found.exclude)!r})"
    assert line(found).endswith(f"with {told} this sample passes")

    again = tmp_path / "again"
    again.mkdir()
    right = _question(again, kind, cosine(minimum), found.exclude, **model)
    outputs = Probe(OnnxRunner(right.artifact(), SIGNATURE, {})).whole(right.feed())
    from pytest_navigator.backends.exchange.onnx_diagnosis import is_right

    assert is_right(right, outputs, right.expected())


def test_a_layer_of_a_transformer_is_named_by_its_path_and_line(tmp_path):
    class Outlier(Transformer):
        def __init__(self) -> None:
            super().__init__(layers=2)
            with torch.no_grad():
                self.layers[1].mlp.up.bias[3] = -3000  # gelu makes 0 of it

    torch.manual_seed(0)
    model = Subject(Outlier().eval(), lambda size: torch.randn(size, 16, 64))
    suite = Suite(model, tmp_path)
    signature = model.signature
    config = OnnxQuantizedConfig(precision="int8", custom_args={"op_types_to_quantize": ["MatMul", "Add"]})
    (variant,) = FORM.variants(config, [suite.variant])
    (tmp_path / variant.key).mkdir()
    data = LoaderData({}, [model.feed(model.sample(2))])
    FORM.convert(suite.artifact, data, signature, variant, tmp_path / variant.key / "model.onnx")
    found = QuantizedOnnxDiagnosis().compare(
        suite.question(
            key=variant.key,
            variants={suite.variant.key: suite.variant, variant.key: variant},
            runner=FORM.runner_specs[0].record(),
            rules={each.name: cosine(0.999) for each in signature.outputs},
        )
    )
    assert (found.module, found.layers[0].layer, found.passes) == ("layers.1.mlp.up",) * 2 + (True,)
    assert found.location.startswith("diagnosed.py:")


def test_what_is_excluded_already_is_in_what_to_write(tmp_path):
    found = QuantizedOnnxDiagnosis().compare(_question(tmp_path, "int8", cosine(0.999), ("down",), outlier=3000))
    assert found.exclude == ("down", "mid")
    assert "down" not in {each.layer for each in found.layers}


def test_its_script_computes_the_worst_layer_again(tmp_path):
    question = _question(tmp_path, "int8", cosine(0.999), outlier=3000)
    found = QuantizedOnnxDiagnosis().compare(question)
    assert found.inputs == ("float32[8, 32]",)
    ran = subprocess.run([sys.executable, tmp_path / found.script], capture_output=True, text=True, check=True)
    assert f"{found.error:.3g}" in ran.stdout
    assert found.script in text(found)


def test_of_a_function_nobody_claims_that_it_passes(tmp_path):
    question = _question(tmp_path, "int8", Rule("function", note="check"), outlier=3000)
    found = QuantizedOnnxDiagnosis().compare(question)
    assert (found.passes, found.exclude[0]) == (False, "mid")
    assert f"leave them out by QuantizationConfig(exclude={list(found.exclude)!r})" in line(found)


def test_where_nothing_short_of_the_float_model_passes_it_says_so(tmp_path):
    found = QuantizedOnnxDiagnosis().compare(_question(tmp_path, "int4", cosine(0.99999)))
    assert (found.passes, found.exclude) == (False, ())
    assert line(found).endswith("; without the worst 2 of 3 layers this sample does not pass either")


def test_without_time_for_a_layer_it_says_so(tmp_path):
    question = replace(_question(tmp_path, "int8", cosine(0.999), outlier=3000), seconds=0.0)
    assert QuantizedOnnxDiagnosis().compare(question).verdict == UNKNOWN


def test_a_float_file_that_is_wrong_itself_is_told_first(tmp_path):
    question = _question(tmp_path, "int8", cosine(0.999))
    expected = {name: -array for name, array in question.expected().items()}
    save_npz(tmp_path / "model_output/0.npz", expected)
    with pytest.raises(NotApplicable, match="the file computes something else without any optimizer too"):
        QuantizedOnnxDiagnosis().compare(question)


def test_a_record_is_plain_data(tmp_path):
    from pytest_navigator.comparison.divergence import Divergence
    from pytest_navigator.core.plain import plain, structured

    found: Any = QuantizedOnnxDiagnosis().compare(_question(tmp_path, "int8", cosine(0.999), outlier=3000))
    assert structured(plain(found), Divergence) == found
    assert found.verdict != EXPORT
