import pytest
import torch
from company import DEPLOYED
from torch import nn

nav_config = {
    "small": DEPLOYED.replace(name="classifier-small"),
    "large": DEPLOYED.replace(name="classifier-large", batch_sizes=[1, 16]),
}


@pytest.fixture(scope="module", params=["small", "large"])
def nav_model(request) -> nn.Module:
    width = {"small": 16, "large": 256}[request.param]
    return nn.Sequential(nn.Linear(20, width), nn.ReLU(), nn.Linear(width, 4)).eval()


@pytest.fixture(scope="module")
def nav_dataloader():
    return [torch.randn(batch, 20) for batch in (1, 4, 16)]
