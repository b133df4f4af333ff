from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

tf = pytest.importorskip("tensorflow")
keras = pytest.importorskip("keras")
models = pytest.importorskip("tensorflow_models")

from pytest_navigator.backends.builtin import known  # noqa: E402
from pytest_navigator.backends.exchange.savedmodel import (  # noqa: E402
    TensorFlowSavedModelConfig,
    TensorFlowSavedModelFormat,
)
from pytest_navigator.backends.tensorflow.live import (  # noqa: E402
    TensorFlowConfig,
    TensorFlowFormat,
)
from pytest_navigator.errors import (  # noqa: E402
    ConfigError,
    NotApplicable,
    StepFailed,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from tensorflow_models import Subject

TensorFlowSavedModelCPU = known().runners()["TensorFlowSavedModelCPU"].load()


def exported(subject: Subject, path: Path, index: int = 0, **options: Any) -> TensorFlowSavedModelCPU:
    variant, _ = subject.export(TensorFlowSavedModelFormat(), TensorFlowSavedModelConfig(**options), path, index)
    return TensorFlowSavedModelCPU(path / variant.file, subject.signature, variant.parameters)


def keys(**options: Any) -> list[str]:
    return [v.key for v in TensorFlowSavedModelFormat().variants(TensorFlowSavedModelConfig(**options), [])]


def test_the_plain_variant_comes_first_and_the_flags_are_in_the_key() -> None:
    assert keys() == ["tf-savedmodel"]
    assert keys(jit_compile=(True, None)) == ["tf-savedmodel", "tf-savedmodel-jit"]
    assert keys(jit_compile=True, enable_xla=False) == ["tf-savedmodel-jit"]
    every = ["tf-savedmodel", "tf-savedmodel-xla", "tf-savedmodel-jit", "tf-savedmodel-jit-xla"]
    assert keys(jit_compile=(True, False), enable_xla=(True, False)) == every


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"jit_compile": "yes"}, r"jit_compile='yes' is not possible \(valid: None, True, False\)"),
        ({"enable_xla": ()}, r"enable_xla=\(\) is not possible"),
        ({"jit_compile": (None, False)}, "names one twice"),
        ({"jit_compile": 1}, "jit_compile=1 is not possible"),
        ({"device": "tpu"}, "device='tpu' is not possible"),
        ({"jit_compiled": True}, "did you mean 'jit_compile'"),
    ],
)
def test_an_impossible_configuration_is_an_error(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TensorFlowSavedModelConfig(**options)


def test_the_flags_of_the_savedmodel_are_none_of_the_live_model() -> None:
    with pytest.raises(ConfigError, match=r"configured by TensorFlowSavedModelConfig\(jit_compile=\(True,\)\)"):
        TensorFlowConfig(jit_compile=(True,))
    (variant,) = TensorFlowFormat().variants(TensorFlowConfig(), [])
    assert (variant.key, variant.file, variant.runners) == ("tensorflow", "", ("TensorFlowCPU", "TensorFlowCUDA"))


@pytest.mark.parametrize("make", [*models.EVERY, models.texts])
def test_every_kind_of_model_gives_the_same_from_its_file(make: Callable[[], Subject], tmp_path: Path) -> None:
    subject = make()
    subject.check(exported(subject, tmp_path))


def test_xla_compiles_the_function_at_every_batch_size(tmp_path: Path) -> None:
    subject = models.sequential()
    runner = exported(subject, tmp_path, jit_compile=True)
    subject.check(runner)
    (tmp_path / "plain").mkdir()
    graphs = [Path(r.artifact, "saved_model.pb").read_bytes() for r in (runner, exported(subject, tmp_path / "plain"))]
    assert [b"_XlaMustCompile\x12\x02(\x01" in graph for graph in graphs] == [True, False]


def test_enable_xla_is_a_flag_of_jax_alone(tmp_path: Path) -> None:
    with pytest.raises(NotApplicable, match="enable_xla is a flag of jax2tf"):
        exported(models.sequential(), tmp_path, enable_xla=True)


def test_the_signature_has_the_names_and_the_dynamic_axes(tmp_path: Path) -> None:
    runner = exported(models.functional(), tmp_path)
    signature = tf.saved_model.load(str(runner.artifact)).signatures["serving_default"]
    assert {name: spec.shape.as_list() for name, spec in signature.structured_input_signature[1].items()} == {
        "words": [None, None, 3],
        "mask_1": [None, None],
    }
    assert signature.structured_outputs.keys() == {"first", "last"}


class Branching(keras.Model):
    def call(self, x: Any) -> Any:
        return x if tf.reduce_sum(x) > 0 else -x


def test_a_branch_on_values_outside_of_a_function_is_said_in_one_line(tmp_path: Path) -> None:
    model = Branching()
    model(models.floats(2, 4))
    with pytest.raises(
        StepFailed, match=r"saved_model.save: the model branches on the values .* \(at test_savedmodel.py:"
    ):
        exported(models.Subject(model, lambda n: models.floats(n, 4)), tmp_path)
