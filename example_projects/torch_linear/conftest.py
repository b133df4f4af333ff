import pytest
import torch


@pytest.fixture(scope="session")
def nav_model() -> torch.nn.Module:
    return torch.nn.Linear(5, 7).eval()


@pytest.fixture(scope="session")
def nav_dataloader():
    return [torch.randn(3, 5) for _ in range(10)]
