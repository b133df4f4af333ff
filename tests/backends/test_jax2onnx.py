from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest

from pytest_navigator.backends.builtin import known
from pytest_navigator.backends.exchange.onnx import OnnxFormat
from pytest_navigator.configuration.onnx_config import OnnxConfig
from pytest_navigator.errors import StepFailed

jax = pytest.importorskip("jax")
pytest.importorskip("flax")
pytest.importorskip("jax2onnx")
models = pytest.importorskip("jax_models")

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OnnxCPU = known().runners()["OnnxCPU"].load()


def exported(subject: models.Subject, path: Path, config: OnnxConfig | None = None) -> OnnxCPU:
    variant, _ = subject.export(OnnxFormat(), config or OnnxConfig(), path)
    return OnnxCPU(path / variant.file, subject.signature, variant.parameters)


@pytest.mark.parametrize("make", [make for make in models.SOURCES if make not in (models.half_precision, models.sized)])
def test_a_file_agrees_at_every_batch_size(make: Callable[[], models.Subject], tmp_path: Path) -> None:
    subject = make()
    subject.check(exported(subject, tmp_path))


def test_a_file_takes_every_size_of_every_dynamic_axis_and_names_it(tmp_path: Path) -> None:
    subject = models.words()
    with exported(subject, tmp_path) as runner:
        for size, length in ((1, 1), (3, 9), (4, 2)):
            subject.check_sample(runner, subject.sample(size, length))
    values = {value.name: value for value in onnx.load(tmp_path / "model.onnx").graph.input}
    assert [dim.dim_param for dim in values["input_ids"].type.tensor_type.shape.dim] == ["batch", "length"]


def test_the_types_of_the_samples_are_those_of_the_file(tmp_path: Path) -> None:
    subject = models.words()
    exported(subject, tmp_path)
    values = {value.name: value for value in onnx.load(tmp_path / "model.onnx").graph.input}
    assert subject.example["input_ids"].dtype == "int64"
    assert values["input_ids"].type.tensor_type.elem_type == onnx.TensorProto.INT64


def test_the_route_and_its_reason_are_recorded(tmp_path: Path) -> None:
    _, data = models.params_last().export(OnnxFormat(), OnnxConfig(), tmp_path)
    assert (data["engine"], data["opset"]) == ("jax2onnx", 18)
    assert data["route"] == "jax2onnx, which is installed and reads what JAX itself traces"


@pytest.mark.parametrize("opset", [17, 21])
def test_other_opsets(opset: int, tmp_path: Path) -> None:
    subject = models.linen_dense()
    subject.check(exported(subject, tmp_path, OnnxConfig(opset=opset)))
    (entry,) = (e for e in onnx.load(tmp_path / "model.onnx").opset_import if e.domain == "")
    assert entry.version == opset


def test_64_bit_models_stay_64_bit_models(tmp_path: Path) -> None:
    with jax.enable_x64(True):
        weight = jax.numpy.asarray(np.arange(15.0).reshape(5, 3))
        subject = models.Subject((lambda x, params: x @ params, weight), lambda n: models.normal(n, 5).astype("f8"))
        assert subject.signature.outputs[0].dtype == "float64"
        subject.check(exported(subject, tmp_path), atol=1e-12)
    assert not jax.config.jax_enable_x64


def test_an_operator_that_jax2onnx_lacks_is_a_failure_that_names_it(tmp_path: Path) -> None:
    subject = models.Subject(lambda x: jax.numpy.linalg.eigh(x)[0], lambda n: np.stack([np.eye(3, dtype="f4")] * n))
    with pytest.raises(StepFailed, match=r"^jax2onnx: .*eigh"):
        exported(subject, tmp_path)


def test_a_pooling_without_keywords_says_what_to_write(tmp_path: Path) -> None:
    from flax import linen

    subject = models.Subject(lambda x: linen.max_pool(x, (2, 2), (2, 2)), lambda n: models.normal(n, 4, 4, 3))
    with pytest.raises(StepFailed, match="jax2onnx needs the arguments of max_pool after the first one by name"):
        exported(subject, tmp_path)
