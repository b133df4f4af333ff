import pytest
import torch
from resnet import ResNet18

from pytest_navigator import NavConfig, TensorRTConfig, TensorRTRTXConfig

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
