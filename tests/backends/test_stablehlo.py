from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from pytest_navigator.backends.builtin import known
from pytest_navigator.backends.jax.empty_axes import empty_axis_hint
from pytest_navigator.backends.jax.stablehlo import StableHLOConfig, StableHLOFormat
from pytest_navigator.configuration.profile_config import OptimizationProfile
from pytest_navigator.engine.checks import profile
from pytest_navigator.errors import ConfigError, StepFailed
from pytest_navigator.profiling.memory import PeakMemory
from pytest_navigator.samples.npz import save_npz

pytest.importorskip("jax")
pytest.importorskip("flax")
models = pytest.importorskip("jax_models")

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

StableHLOCPU = known().runners()["StableHLOCPU"].load()


def exported(subject: models.Subject, path: Path, config: StableHLOConfig | None = None) -> StableHLOCPU:
    variant, _ = subject.export(StableHLOFormat(), config or StableHLOConfig(), path)
    return StableHLOCPU(path / variant.file, subject.signature, variant.parameters)


@pytest.mark.parametrize("make", models.SOURCES)
def test_a_file_agrees_at_every_batch_size(make: Callable[[], models.Subject], tmp_path: Path) -> None:
    subject = make()
    subject.check(exported(subject, tmp_path), atol=1e-2 if make is models.half_precision else 1e-5)


def test_a_file_takes_every_size_of_every_dynamic_axis(tmp_path: Path) -> None:
    subject = models.words()
    with exported(subject, tmp_path) as runner:
        for size, length in ((1, 1), (3, 9), (4, 2)):
            subject.check_sample(runner, subject.sample(size, length))


def test_an_empty_axis_that_jax_refuses_is_told_with_what_to_do(tmp_path: Path) -> None:
    subject = models.params_last()
    with exported(subject, tmp_path) as runner, pytest.raises(ValueError, match="Expected value >= 1") as caught:
        subject.check_sample(runner, subject.sample(0))
    hint = empty_axis_hint(str(caught.value))
    assert "sizes from 1 on in a dynamic axis, which batch is, and this sample is empty there" in hint
    assert empty_axis_hint("ValueError: another one") == ""
    (spec,) = subject.signature.inputs
    save_npz(tmp_path / "sample.npz", {spec.name: np.asarray(subject.sample(0))})
    with exported(subject, tmp_path) as runner, pytest.raises(StepFailed, match="and this sample is empty there"):
        profile(runner, tmp_path, "sample.npz", None, OptimizationProfile().windows(), 0.1, PeakMemory())


def test_a_file_is_for_both_platforms_and_holds_no_path_of_this_machine(tmp_path: Path) -> None:
    subject = models.params_last()
    variant, data = subject.export(StableHLOFormat(), StableHLOConfig(), tmp_path)
    assert data["platforms"] == ["cpu", "cuda"]
    assert data["warnings"] == []
    content = (tmp_path / variant.file).read_bytes()
    assert b"/tests/" not in content
    assert b"site-packages" not in content
    assert b"jax_models.py" in content


def test_a_file_for_another_platform_is_told_when_it_is_loaded(tmp_path: Path) -> None:
    runner = exported(models.params_last(), tmp_path, StableHLOConfig(platforms=("cuda",)))
    with pytest.raises(StepFailed, match="the file is for cuda, not for cpu"):
        runner.activate()


def test_a_damaged_file_is_told_when_it_is_loaded(tmp_path: Path) -> None:
    runner = exported(models.params_last(), tmp_path)
    (tmp_path / "model.stablehlo").write_bytes(b"nothing of the kind")
    with pytest.raises(StepFailed, match=r"jax.export cannot read the file: "):
        runner.activate()


def test_a_branch_on_values_is_a_failure_that_names_the_line(tmp_path: Path) -> None:
    message = r"jax.export: the model branches on the values of an array \(at jax_models.py:\d+: .*x.sum\(\) > 0"
    with pytest.raises(StepFailed, match=message):
        exported(models.branching(), tmp_path)


def test_a_batch_that_the_model_fixes_is_a_failure_that_names_the_line(tmp_path: Path) -> None:
    subject = models.Subject(lambda x: x.reshape(int(x.shape[0]), -1) * 2, lambda n: models.normal(n, 4))
    with pytest.raises(
        StepFailed, match=r"jax.export: the model takes batch, which is dynamic, for a .*at test_stablehlo.py"
    ):
        exported(subject, tmp_path)


def test_numbers_in_the_output_come_out(tmp_path: Path) -> None:
    subject = models.Subject(lambda x: (x, np.float32(3.5)), lambda n: models.normal(n, 4))
    subject.check(exported(subject, tmp_path))


@pytest.mark.parametrize("platforms", ["cpu", (), ("gpu",)])
def test_impossible_platforms_are_refused(platforms: object) -> None:
    with pytest.raises(ConfigError, match=r"StableHLOConfig.platforms=.* is not possible"):
        StableHLOConfig(platforms=platforms)
