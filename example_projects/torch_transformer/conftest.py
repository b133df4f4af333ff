import pytest
import torch
from task import batch
from transformer import trained


@pytest.fixture(scope="session")
def nav_model() -> torch.nn.Module:
    return trained()


@pytest.fixture(scope="session")
def nav_dataloader():
    return [batch(size, longest)[0] for size, longest in ((1, 8), (4, 16), (8, 12), (16, 24))]
