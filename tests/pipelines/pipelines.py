"""Small pipelines of torch modules, as people write them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import torch


class Mode(Enum):
    FAST = 1
    GOOD = 2


@dataclass
class Encoded:
    hidden: torch.Tensor
    pooled: torch.Tensor


class Encoder(torch.nn.Module):
    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(width, width)
        self.config = {"width": width}

    def forward(self, x, mask=None, mode="plain", *, scale=1.0):
        hidden = self.linear(x) * scale
        return Encoded(hidden, hidden.mean(1))

    def width(self):
        return self.config["width"]


class Unet(torch.nn.Module):
    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(width, width)

    def forward(self, sample, timestep, hidden=None):
        return (sample + self.linear(sample) * timestep * 0.01,)


class Vae(torch.nn.Module):
    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.decoder = torch.nn.Linear(width, width)

    def decode(self, x):
        return self.decoder(x)


class Pipeline:
    """Three modules, and numbers that change from call to call."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        self.encoder, self.unet, self.vae = Encoder().eval(), Unet().eval(), Vae().eval()
        self.tokenizer = str.split

    def __call__(self, text: str, steps: int = 3) -> torch.Tensor:
        with torch.no_grad():
            words = torch.ones(len(self.tokenizer(text)), 2, 4)
            hidden = self.encoder(words).hidden
            sample = torch.cat([hidden, hidden])
            for step in range(steps):
                (sample,) = self.unet(sample, step, hidden=hidden)
            return self.vae.decode(sample)
