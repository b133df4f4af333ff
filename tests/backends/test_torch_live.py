from __future__ import annotations

import pytest
import torch

from pytest_navigator.backends.torch.live import TorchConfig, TorchFormat
from pytest_navigator.backends.torch.torchscript import TorchScriptConfig
from pytest_navigator.errors import ConfigError


def test_the_source_is_one_variant_without_a_file() -> None:
    (variant,) = TorchFormat().variants(TorchConfig(autocast=True, autocast_dtype=torch.float16), [])
    assert (variant.key, variant.file, variant.parent) == ("torch", "", None)
    assert variant.runners == ("TorchCPU", "TorchCompileCPU", "TorchCUDA", "TorchCompileCUDA")
    assert variant.parameters["autocast_dtype"] == "float16"


@pytest.mark.parametrize("config", [TorchConfig, TorchScriptConfig])
def test_an_impossible_value_is_named_with_the_possible_ones(config: type[TorchConfig]) -> None:
    with pytest.raises(
        ConfigError, match=rf"{config.__name__}.autocast_dtype='int8' .*valid: None, 'float16', 'bfloat16'"
    ):
        config(autocast=True, autocast_dtype="int8")
    with pytest.raises(ConfigError, match=r"device='tpu' is not possible"):
        config(device="tpu")
    with pytest.raises(ConfigError, match="needs autocast=True"):
        config(autocast_dtype="float16")
