from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_navigator.backends.builtin import known
from pytest_navigator.backends.exchange.savedmodel import TensorFlowSavedModelConfig, TensorFlowSavedModelFormat
from pytest_navigator.backends.jax.jax2tf import ignores_enable_xla
from pytest_navigator.errors import NotApplicable, StepFailed

jax = pytest.importorskip("jax")
pytest.importorskip("flax")
pytest.importorskip("tensorflow")
models = pytest.importorskip("jax_models")

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TensorFlowSavedModelCPU = known().runners()["TensorFlowSavedModelCPU"].load()


def exported(subject: models.Subject, path: Path, **flags: object) -> TensorFlowSavedModelCPU:
    variant, _ = subject.export(TensorFlowSavedModelFormat(), TensorFlowSavedModelConfig(**flags), path)
    return TensorFlowSavedModelCPU(path / variant.file, subject.signature, variant.parameters)


@pytest.mark.parametrize("make", models.SOURCES)
def test_a_file_agrees_at_every_batch_size(make: Callable[[], models.Subject], tmp_path: Path) -> None:
    subject = make()
    subject.check(exported(subject, tmp_path), atol=1e-2 if make is models.half_precision else 1e-5)


def test_a_compiled_file_agrees_and_takes_every_size_of_every_dynamic_axis(tmp_path: Path) -> None:
    subject = models.words()
    with exported(subject, tmp_path, jit_compile=True) as runner:
        for size, length in ((1, 1), (3, 9), (4, 2)):
            subject.check_sample(runner, subject.sample(size, length))


def test_parameters_are_variables_and_no_path_of_this_machine_is_in_the_file(tmp_path: Path) -> None:
    import tensorflow as tf

    exported(models.linen_dense(), tmp_path)
    folder = tmp_path / "model.savedmodel"
    assert len(tf.train.list_variables(str(folder / "variables" / "variables"))) >= 6
    content = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert b"/tests/" not in content
    assert b"site-packages" not in content


def test_a_second_file_for_a_flag_that_jax_ignores_is_a_skip_that_says_so(tmp_path: Path) -> None:
    if not ignores_enable_xla():
        pytest.skip("this JAX heeds enable_xla")
    with pytest.raises(NotApplicable, match=rf"^JAX {jax.__version__} ignores enable_xla=True: its SavedModels"):
        exported(models.params_last(), tmp_path, enable_xla=True)


def test_the_file_without_a_flag_that_jax_ignores_is_made_and_says_what_it_holds(tmp_path: Path) -> None:
    if not ignores_enable_xla():
        pytest.skip("this JAX heeds enable_xla")
    subject = models.params_last()
    form, config = TensorFlowSavedModelFormat(), TensorFlowSavedModelConfig(enable_xla=(False,))
    variant, data = subject.export(form, config, tmp_path)

    assert variant.key == "tf-savedmodel"
    assert data["warnings"][0].startswith(f"JAX {jax.__version__} ignores enable_xla=False: its SavedModels always")
    subject.check(TensorFlowSavedModelCPU(tmp_path / variant.file, subject.signature, variant.parameters))


@pytest.mark.parametrize("flag", [True, False])
def test_a_flag_that_jax_heeds_decides_what_the_graph_holds(flag: bool, tmp_path: Path) -> None:
    if ignores_enable_xla():
        pytest.skip("JAX after 0.7.1 ignores enable_xla")
    subject = models.words()
    subject.check(exported(subject, tmp_path, enable_xla=flag))


def test_a_name_that_tensorflow_does_not_take_is_fed_all_the_same(tmp_path: Path) -> None:
    subject = models.Subject(lambda batch: batch["input.1"] * 2, lambda n: ({"input.1": models.normal(n, 3)}, {}))
    assert [spec.name for spec in subject.signature.inputs] == ["input.1"]
    subject.check(exported(subject, tmp_path))


def test_a_branch_on_values_is_a_failure_that_names_the_line(tmp_path: Path) -> None:
    with pytest.raises(StepFailed, match=r"jax2tf: the model branches on the values of an array \(at jax_models.py"):
        exported(models.branching(), tmp_path)
