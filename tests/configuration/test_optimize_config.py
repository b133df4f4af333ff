"""`nav.OptimizeConfig`: what is said of every module of a pipeline."""

from __future__ import annotations

import pytest

import pytest_navigator as nav
from pytest_navigator.errors import ConfigError


def test_what_is_said_of_modules_becomes_keywords_of_optimize() -> None:
    config = nav.OptimizeConfig(target_formats=(nav.Format.ONNX,), runners=("OnnxCPU",), verbose=True, atol=1e-3)

    assert config.options() == {
        "sample_count": 100,
        "target_formats": ("onnx",),
        "runners": ("OnnxCPU",),
        "debug": False,
        "atol": 1e-3,
    }


def test_the_copy_for_one_module_leaves_the_others_as_they_were() -> None:
    config = nav.OptimizeConfig(target_device=nav.DeviceKind.CPU)
    one = config.clone()
    one.batching = False

    assert (one.options()["batching"], "batching" in config.options()) == (False, False)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"target_device": "tpu"}, "target_device='tpu'"),
        ({"sample_count": 0}, "sample_count=0"),
        ({"optimization_profile": {"window_size": 3}}, "nav.OptimizationProfile"),
        ({"verify_func": True}, "verify_func=True"),
        ({"custom_configs": ["onnx"]}, "nav.OnnxConfig"),
        ({"sample_counts": 3}, "did you mean 'sample_count'"),
    ],
)
def test_a_value_that_is_not_possible_is_told(said: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        nav.OptimizeConfig(**said)  # type: ignore[arg-type]
