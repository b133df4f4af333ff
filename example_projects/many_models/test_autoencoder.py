import numpy as np
import pytest
import torch
from company import DEPLOYED
from torch import nn

nav_config = DEPLOYED.replace(name="autoencoder", atol=1e-6)


class Autoencoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = nn.Linear(32, 8), nn.Linear(8, 32)

    def forward(self, signal: torch.Tensor) -> dict[str, torch.Tensor]:
        code = torch.tanh(self.encoder(signal))
        return {"code": code, "restored": self.decoder(code)}


@pytest.fixture(scope="module")
def nav_model() -> nn.Module:
    return Autoencoder().eval()


@pytest.fixture(scope="module")
def nav_dataloader():
    return [{"signal": torch.randn(batch, 32)} for batch in (2, 8)]


def verify_the_code_is_bounded(nav_runner):
    outputs = nav_runner.infer({"signal": np.full((1, 32), 100, np.float32)})
    assert np.abs(outputs["code"]).max() <= 1
