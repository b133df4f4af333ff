from __future__ import annotations

import pytest
import torch
from intents import WORDS, Intents


@pytest.fixture(scope="session")
def nav_model() -> torch.nn.Module:
    return Intents().eval()


@pytest.fixture(scope="session")
def nav_dataloader() -> list[torch.Tensor]:
    return [torch.randint(1, WORDS, (batch, length)) for batch, length in ((1, 5), (4, 9), (8, 30))]
