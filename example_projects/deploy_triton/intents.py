"""What a customer wants, from the numbers of the words that they wrote."""

from __future__ import annotations

import torch

WORDS, INTENTS = 500, 6


class Intents(torch.nn.Module):
    """(batch, length) numbers of words, 0 where a text has ended -> (batch, 6) scores, and how sure the best one is."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.words = torch.nn.Embedding(WORDS, width, padding_idx=0)
        self.hidden = torch.nn.Linear(width, width)
        self.scores = torch.nn.Linear(width, INTENTS)

    def forward(self, words: torch.Tensor) -> dict[str, torch.Tensor]:
        there = (words != 0).unsqueeze(-1).to(torch.float32)
        text = (self.words(words) * there).sum(1) / there.sum(1).clamp(min=1)
        scores = self.scores(torch.relu(self.hidden(text)))
        return {"scores": scores, "certainty": scores.softmax(-1).amax(-1)}
