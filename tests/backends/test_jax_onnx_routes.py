"""Without jax2onnx: through a SavedModel, where JAX writes one that tf2onnx can read."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_navigator.backends.builtin import known
from pytest_navigator.backends.exchange.onnx import OnnxFormat
from pytest_navigator.backends.jax import jax2onnx, jax2tf
from pytest_navigator.configuration.onnx_config import OnnxConfig
from pytest_navigator.core.script_parts import Subject
from pytest_navigator.errors import Unavailable
from pytest_navigator.reproduce.scripts import export_script

pytest.importorskip("jax")
pytest.importorskip("tf2onnx")
models = pytest.importorskip("jax_models")

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

OnnxCPU = known().runners()["OnnxCPU"].load()


@pytest.fixture(autouse=True)
def without_jax2onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the requirement missing, as the real check says it of an environment without the package."""
    real = jax2onnx.missing

    def missing(names: Sequence[str]) -> str | None:
        return "jax2onnx is not installed (pip install pytest-navigator[jax])" if "jax2onnx" in names else real(names)

    monkeypatch.setattr(jax2onnx, "missing", missing)


def test_without_jax2onnx_the_skip_says_why_there_is_no_other_way(tmp_path: Path) -> None:
    if not jax2tf.ignores_enable_xla():
        pytest.skip("this JAX writes SavedModels of TensorFlow's operators")
    message = (
        r"jax2onnx is not installed \(pip install pytest-navigator\[jax\]\); the other way is through a SavedModel, "
        r"but JAX \S+ writes a program of XLA into it instead of operators, which tf2onnx cannot read"
    )
    with pytest.raises(Unavailable, match=message):
        models.params_last().export(OnnxFormat(), OnnxConfig(), tmp_path)


@pytest.mark.parametrize("make", [models.params_last, models.words])
def test_without_jax2onnx_an_older_jax_goes_through_a_savedmodel(
    make: Callable[[], models.Subject], tmp_path: Path
) -> None:
    if jax2tf.ignores_enable_xla():
        pytest.skip("JAX up to 0.7.1 writes SavedModels of TensorFlow's operators")
    subject = make()
    variant, data = subject.export(OnnxFormat(), OnnxConfig(), tmp_path)
    assert data["route"].startswith("tf2onnx from a SavedModel of TensorFlow's own operators, because jax2onnx is not")
    subject.check(OnnxCPU(tmp_path / variant.file, subject.signature, variant.parameters))


def test_the_script_is_that_of_the_way_that_was_taken() -> None:
    subject = models.params_last()
    (variant,) = OnnxFormat().variants(OnnxConfig(), [])
    shapes = {"x": (3, 5)}
    about = Subject(variant, subject.signature, "function", "cpu", "model_input/batches/0.npz", shapes)
    through, direct = (
        export_script(replace(about, data=data), code, "onnx/reproduce_export")
        for data in ({}, {"engine": "jax2onnx"})
        if (code := OnnxFormat().export_script(replace(about, data=data)))
    )
    for text in (through, direct):
        compile(text, "script", "exec")
    assert "jax2tf.convert(" in through
    assert "tf2onnx.convert.from_function(" in through
    assert "to_onnx" not in through
    assert "to_onnx(" in direct
    assert "tf2onnx" not in direct
    assert through.index("tf.saved_model.save(") < through.index("made = converted(")
