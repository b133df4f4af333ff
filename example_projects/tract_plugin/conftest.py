import pytest
import torch
from nav_tract import NNEFConfig, NNEFFormat

from pytest_navigator import NavConfig

nav_config = NavConfig(formats=["onnx", NNEFConfig(precisions=("fp32", "fp16"))])


def pytest_nav_formats():
    return [NNEFFormat]


@pytest.fixture(scope="session")
def nav_model() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(16, 64), torch.nn.Tanh(), torch.nn.Linear(64, 4)).eval()


@pytest.fixture(scope="session")
def nav_dataloader():
    return [torch.randn(8, 16) for _ in range(10)]
