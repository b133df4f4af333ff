import pytest
import torch
from resnet import ResNet18

from pytest_navigator import NavConfig
from pytest_navigator import TensorRTConfig
from pytest_navigator import TensorRTRTXConfig

nav_config = NavConfig(
    formats=[
        "onnx",
        TensorRTConfig(precision=("fp32", "fp16", "int8")),
        TensorRTRTXConfig(precision=("fp32", "fp16", "int8"), compute_capabilities=("8.6", "8.9")),
    ],
    runtimes=["OnnxCPU", "TensorRT", "TensorRTRTX"],
)


@pytest.fixture(scope="session")
def nav_model() -> torch.nn.Module:
    return ResNet18().eval()


@pytest.fixture(scope="session")
def nav_dataloader():
    return [torch.rand(batch, 3, 64, 64) for batch in (1, 4, 8)]
