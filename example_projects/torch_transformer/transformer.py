"""A small transformer encoder with a classifier, in plain PyTorch."""

import torch
from task import PADDING, TOKENS, batch
from torch import nn
from torch.nn import functional


class Layer(nn.Module):
    """Self-attention and a feed-forward network, each beside a way past it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm, self.feed_norm = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.feed = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        parts = self.qkv(self.attention_norm(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        attended = functional.scaled_dot_product_attention(parts[0], parts[1], parts[2], attn_mask=mask)
        x = x + self.out(attended.transpose(1, 2).flatten(2))
        return x + self.feed(self.feed_norm(x))


class Transformer(nn.Module):
    """Token ids and their mask, both (batch, length) -> scores of the tokens (batch, tokens)."""

    def __init__(self, width: int = 32, heads: int = 4, layers: int = 2) -> None:
        super().__init__()
        self.embedding = nn.Embedding(TOKENS + 1, width, padding_idx=PADDING)
        self.layers = nn.ModuleList(Layer(width, heads) for _ in range(layers))
        self.head = nn.Linear(width, TOKENS)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        x, seen = self.embedding(input_ids), attention_mask.bool()
        for layer in self.layers:
            x = layer(x, seen[:, None, None, :])
        weight = attention_mask.unsqueeze(-1).to(x.dtype)
        return self.head((x * weight).sum(dim=1) / weight.sum(dim=1))


def trained(steps: int = 200) -> Transformer:
    """Return a model that has learned the task; a few seconds on the CPU."""
    model = Transformer()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(steps):
        inputs, answers = batch(64, longest=16)
        loss = functional.cross_entropy(model(**inputs), answers)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()
