"""The task: which token is the most frequent one in a sequence? Shorter sequences of a batch are padded."""

import torch
from torch.nn import functional

PADDING = 0
TOKENS = 8


def batch(size: int, longest: int) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """Return random sequences with their mask, and the answers; of equally frequent tokens the smallest one counts."""
    lengths = torch.randint(longest // 2, longest + 1, (size, 1))
    mask = (torch.arange(longest) < lengths).long()
    ids = torch.randint(1, TOKENS + 1, (size, longest)) * mask
    counts = functional.one_hot(ids, TOKENS + 1).sum(dim=1)[:, 1:]
    return {"input_ids": ids, "attention_mask": mask}, counts.argmax(dim=1)
