"""Small PyTorch models, one for each way in which a real one differs from another, and their signatures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import subjects
import torch

from pytest_navigator.backends.torch.source import TorchFramework

if TYPE_CHECKING:
    from pytest_navigator.frameworks.base import Framework

PLAIN: dict[str, Any] = {}


class Subject(subjects.Subject):
    framework: ClassVar[Framework] = TorchFramework()

    def __post_init__(self) -> None:
        torch.manual_seed(0)
        super().__post_init__()


class Residual(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Conv2d(3, 4, 3, padding=1)
        self.norm = torch.nn.BatchNorm2d(4)
        self.last = torch.nn.Linear(4, 5)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        features = torch.relu(self.norm(self.first(image)))
        return self.last((features + self.first(image)).mean((2, 3)))


class Heads(torch.nn.Module):
    """Returns a dict whose keys are not in alphabetical order."""

    def __init__(self) -> None:
        super().__init__()
        self.body = torch.nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        features = self.body(x)
        return {"scores": features.softmax(-1), "best": features.argmax(-1)}


class Nested(torch.nn.Module):
    def forward(
        self, pair: tuple[torch.Tensor, torch.Tensor], scale: torch.Tensor
    ) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
        first, second = pair
        return first + second, (first * scale, second - scale)


class KeywordOnly(torch.nn.Module):
    def forward(self, *, query: torch.Tensor, factor: float = 1.0, key: torch.Tensor) -> torch.Tensor:
        return (query * key * factor).sum(-1)


class Branching(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.sum() > 0:
            return x * 2
        return x - 1


class BakedBatch(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.reshape(int(x.shape[0]), -1) * 2


class Recurrent(torch.nn.Module):
    """torch.export takes the length of what a recurrent layer reads for a constant."""

    def __init__(self, layer: type[torch.nn.RNNBase]) -> None:
        super().__init__()
        self.layer = layer(4, 6, batch_first=True)  # type: ignore[call-arg]  # RNNBase takes the mode first

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x)[0].sum(1)


class ScaledByBatch(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * x.shape[0]


class IgnoresMask(torch.nn.Module):
    def forward(self, x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return x + 1


class Halves(torch.nn.Module):
    """Takes even lengths only."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.view(x.shape[0], 2, x.shape[1] // 2).sum(1)


class Numbers(torch.nn.Module):
    """Returns Python numbers, one of which is the batch size, and nothing in one field."""

    def forward(self, x: torch.Tensor) -> dict[str, object]:
        return {"y": x * 2, "size": x.shape[0], "constant": 3.5, "nothing": None}


class Constants(torch.nn.Module):
    """Returns tensors and Python numbers in a tuple."""

    def forward(self, x: torch.Tensor) -> tuple[object, ...]:
        return x * 2, 3, 0.5, True, x.shape[0]


class Texts(torch.nn.Module):
    """Returns a text."""

    def forward(self, x: torch.Tensor) -> dict[str, object]:
        return {"y": x * 2, "label": "cat"}


def linear() -> Subject:
    return Subject(torch.nn.Linear(5, 7).eval(), lambda n: torch.randn(n, 5))


def residual() -> Subject:
    return Subject(Residual().eval(), lambda n: torch.randn(n, 3, 8, 8))


def heads() -> Subject:
    return Subject(Heads().eval(), lambda n: (torch.randn(n, 4),))


def nested() -> Subject:
    return Subject(Nested().eval(), lambda n: ((torch.randn(n, 3), torch.randn(n, 3)), torch.randn(n, 1)))


def keyword_only() -> Subject:
    return Subject(
        KeywordOnly().eval(), lambda n: {"query": torch.randn(n, 4), "factor": 2.0, "key": torch.randn(n, 4)}
    )


def half_precision() -> Subject:
    return Subject(torch.nn.Linear(5, 7).eval().bfloat16(), lambda n: torch.randn(n, 5).bfloat16())


def branching() -> Subject:
    return Subject(Branching().eval(), lambda n: torch.rand(n, 4))


def baked() -> Subject:
    return Subject(BakedBatch().eval(), lambda n: torch.randn(n, 4))


def recurrent(layer: type[torch.nn.RNNBase]) -> Subject:
    return Subject(Recurrent(layer).eval(), lambda n: torch.randn(n, n + 3, 4), {"x": {0: "batch", 1: "length"}})


def halves() -> Subject:
    return Subject(
        Halves().eval(),
        lambda n: torch.randn(n, 6),
        {"x": {0: "batch", 1: "length"}, "output__0": {0: "batch", 1: "half"}},
    )


def tokens(size: int, length: int) -> dict[str, torch.Tensor]:
    mask = torch.ones(size, length, dtype=torch.int64)
    # Never a whole row: what attention gives there is nobody's business, and differs.
    mask[0, 1 + length // 2 :] = 0
    return {"input_ids": torch.randint(0, 50, (size, length)), "attention_mask": mask}


def numbers() -> Subject:
    return Subject(Numbers().eval(), lambda n: torch.randn(n, 3))


def constants() -> Subject:
    return Subject(Constants().eval(), lambda n: torch.randn(n, 3))


def texts() -> Subject:
    return Subject(Texts().eval(), lambda n: torch.randn(n, 3))


def bert() -> Subject:
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=32,
    )  # fmt: skip
    both = {0: "batch", 1: "length"}
    axes = {"input_ids": both, "attention_mask": both, "last_hidden_state": both}
    return Subject(BertModel(config).eval(), lambda n: tokens(n, 7), axes)
