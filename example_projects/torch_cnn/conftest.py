import pytest
import torch
from resnet import ResNet18


@pytest.fixture(scope="session")
def nav_model() -> torch.nn.Module:
    return ResNet18().eval()


@pytest.fixture(scope="session")
def nav_dataloader():
    return [torch.rand(batch, 3, 64, 64) for batch in (1, 4, 8)]
