from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
models = pytest.importorskip("tensorflow_models")


from pytest_navigator.backends.builtin import known  # noqa: E402
from pytest_navigator.backends.exchange.savedmodel import (  # noqa: E402
    TensorFlowSavedModelConfig,
    TensorFlowSavedModelFormat,
)
from pytest_navigator.errors import StepFailed  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tensorflow_models import Subject

TensorFlowCPU = known().runners()["TensorFlowCPU"].load()
TensorFlowSavedModelCPU = known().runners()["TensorFlowSavedModelCPU"].load()
TensorFlowSavedModelCUDA = known().runners()["TensorFlowSavedModelCUDA"].load()


def saved(subject: Subject, path: Path, **changes: Any) -> TensorFlowSavedModelCPU:
    variant, _ = subject.export(TensorFlowSavedModelFormat(), TensorFlowSavedModelConfig(), path)
    return TensorFlowSavedModelCPU(path / variant.file, replace(subject.signature, **changes), variant.parameters)


@pytest.mark.parametrize("make", [*models.EVERY, models.texts])
def test_the_live_runner_gives_what_the_model_gives(make: Callable[[], Subject]) -> None:
    subject = make()
    subject.check(TensorFlowCPU(subject.source, subject.signature, {}))


def test_the_bare_call_returns_what_the_model_returns(tmp_path: Path) -> None:
    subject = models.functional()
    live = TensorFlowCPU(subject.source, subject.signature, {})
    with live, saved(subject, tmp_path) as runner:
        expected = live.bind(subject.example)()
        found = runner.bind(subject.example)()
        assert set(expected) == set(found) == {"first", "last"}
        for name, tensor in expected.items():
            np.testing.assert_allclose(found[name], tensor, atol=1e-6)


def test_inputs_and_outputs_are_copied_alone(tmp_path: Path) -> None:
    subject = models.functional()
    with saved(subject, tmp_path) as runner:
        assert runner.copies(subject.example, runner.bind(subject.example)())() is None
        with pytest.raises(KeyError):  # it does read the inputs
            runner.copies({}, runner.bind(subject.example)())()


def test_settings_tell_the_threads(tmp_path: Path) -> None:
    with saved(models.module(), tmp_path) as runner:
        assert runner.settings() == {
            "threads": tf.config.threading.get_intra_op_parallelism_threads(),
            "interop_threads": tf.config.threading.get_inter_op_parallelism_threads(),
        }


def test_a_file_with_other_inputs_is_an_error_that_names_them(tmp_path: Path) -> None:
    subject = models.module()
    other = replace(subject.signature.inputs[0], name="image")
    runner = saved(subject, tmp_path, inputs=(other,))
    with pytest.raises(StepFailed, match=r"takes the inputs \['x'\], the model \['image'\]"):
        runner.activate()


def test_other_outputs_are_numbered_so_that_the_comparison_says_so(tmp_path: Path) -> None:
    subject = models.function()
    other = replace(subject.signature.outputs[0], name="logits")
    with saved(subject, tmp_path, outputs=(other,)) as runner:
        assert list(runner.infer(subject.example)) == ["output__0"]


def foreign(path: Path, names: list[str]) -> Path:
    """Write a SavedModel as others do, with signatures of any names."""
    module = tf.Module()
    module.f = tf.function(lambda x: {"y": 2 * x})
    traced = module.f.get_concrete_function(tf.TensorSpec((None, 4), tf.float32, "x"))
    tf.saved_model.save(module, str(path), signatures=dict.fromkeys(names, traced) or None)
    return path


@pytest.mark.parametrize(
    ("names", "parameters"),
    [(["predict"], {}), (["other", "serving_default"], {}), (["a", "b"], {"signature": "b"})],
)
def test_the_signature_is_the_configured_the_default_or_the_only_one(
    names: list[str], parameters: dict[str, str], tmp_path: Path
) -> None:
    subject = models.function()
    with TensorFlowSavedModelCPU(foreign(tmp_path / "m", names), subject.signature, parameters) as runner:
        np.testing.assert_array_equal(runner.infer(subject.example)["y"], 2 * subject.example["x"])


@pytest.mark.parametrize(
    ("names", "parameters", "message"),
    [
        ([], {}, "has no signature: save it with tf.saved_model.save"),
        (["a", "b"], {}, "has the signatures a, b, and none is 'serving_default'"),
        (["a"], {"signature": "c"}, "has no signature 'c', only: a"),
    ],
)
def test_a_file_without_a_clear_signature_is_an_error(
    names: list[str], parameters: dict[str, str], message: str, tmp_path: Path
) -> None:
    runner = TensorFlowSavedModelCPU(foreign(tmp_path / "m", names), models.function().signature, parameters)
    with pytest.raises(StepFailed, match=message):
        runner.activate()


@pytest.mark.skipif(not tf.config.list_physical_devices("GPU"), reason="no GPU that TensorFlow can use")
def test_a_gpu_gives_the_same(tmp_path: Path) -> None:
    subject = models.sequential()
    cpu = saved(subject, tmp_path)
    with TensorFlowSavedModelCUDA(cpu.artifact, subject.signature, cpu.parameters) as runner:
        found = runner.infer(subject.example)
        runner.bind(subject.example)()
    with cpu:
        np.testing.assert_allclose(*(next(iter(o.values())) for o in (found, cpu.infer(subject.example))), atol=1e-3)
