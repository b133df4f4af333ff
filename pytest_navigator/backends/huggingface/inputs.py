"""What a model of transformers takes, as its configuration says: random tensors by the name of the input."""

from __future__ import annotations

from dataclasses import dataclass
from inspect import signature
from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from transformers import PreTrainedModel

STEPS = 8  # Of decoding, unless somebody says otherwise
LONGEST = 16  # Tokens of a sample, unless somebody says otherwise: enough for what varies to vary


class Size(NamedTuple):
    """How large a sample is: rows of a batch, and tokens or frames where their number is free."""

    rows: int
    length: int


@dataclass(frozen=True)
class Wishes:
    """How samples are to be.

    Attributes:
        max_bs: rows of the largest batch.
        max_sequence_len: tokens of the longest sample; None: 16, or what the model has positions for.
        padding: whether a row of the largest batch is shorter than the others.
        use_cache: whether a decoder takes and gives its cache; None: a decoder that keeps one does.
        decoding_steps: after the prefill.
    """

    max_bs: int = 2
    max_sequence_len: int | None = None
    padding: bool = True
    use_cache: bool | None = None
    decoding_steps: int = STEPS

    def __post_init__(self) -> None:
        """Refuse what no sample can have."""
        for name in ("max_bs", "decoding_steps"):
            if type(value := getattr(self, name)) is not int or value < 1:
                raise ConfigError(f"{name}={value!r}: a number from 1 on is needed")


def longest(config: Any, asked: int | None = None) -> int:
    """Return the length of the longest sample, in tokens.

    Raises:
        ConfigError: less than 2, or more than the model has positions for.
    """
    text = config.get_text_config()
    limits = (getattr(text, name, None) for name in ("max_position_embeddings", "n_positions", "max_target_positions"))
    # Some models count positions from behind the padding's.
    room = min((limit - 2 for limit in limits if isinstance(limit, int)), default=None)
    found = asked if asked is not None else min(LONGEST, room or LONGEST)
    if found < 2 or (room is not None and found > room + 2):
        most = f"2 to {room + 2}" if room is not None else "at least 2"
        raise ConfigError(f"max_sequence_len={found}: {most} tokens are possible for this {config.model_type} model")
    return found


def parameters(model: PreTrainedModel) -> set[str]:
    """Return the names that the model's forward takes."""
    return set(signature(model.forward).parameters)


def tokens(config: Any, size: Size) -> torch.Tensor:
    """Return ids of tokens, none of them one that has a meaning of its own."""
    import torch

    text = config.get_text_config()
    special = {getattr(text, f"{name}_token_id", None) for name in ("pad", "bos", "eos", "decoder_start")}
    # A list of ids is possible too; in a vocabulary of a few tokens, every one may be special.
    usual = [id for id in range(text.vocab_size) if id not in special] or [0]
    return torch.tensor(usual)[torch.randint(len(usual), tuple(size))]


def mask(size: Size, *, padding: bool) -> torch.Tensor:
    """Return the mask of a batch; with padding, the last row of several is shorter than the others."""
    import torch

    found = torch.ones(tuple(size), dtype=torch.int64)
    if padding and size.rows > 1:
        found[-1, size.length - size.length // 2 :] = 0
    return found


def mask_of_prompt(size: Size, *, padding: bool) -> torch.Tensor:
    """Return the mask of a decoder's prompt; with padding, the last row of several has a token that nobody looks at.

    Not the first one, as where rows are padded on the left: what such a position gives, which sees nothing at all, is
    whatever a runtime makes of it.
    """
    import torch

    found = torch.ones(tuple(size), dtype=torch.int64)
    if padding and size.rows > 1:
        found[-1, 1] = 0
    return found


def pixels(config: Any, size: Size) -> torch.Tensor:
    """Return images of the size that the configuration names, else of 224 x 224."""
    import torch

    vision = getattr(config, "vision_config", config)
    sides = getattr(vision, "image_size", 224)
    height, width = sides if isinstance(sides, list | tuple) else (sides, sides)
    return torch.randn(size.rows, getattr(vision, "num_channels", 3), height, width)


def waves(config: Any, size: Size) -> torch.Tensor:
    """Return sound as such, long enough for a frame a token; or a spectrogram of the configuration's own size."""
    import torch

    if hasattr(config, "conv_stride"):
        return torch.randn(size.rows, prod(config.conv_stride) * (size.length + 2))
    return torch.randn(size.rows, config.max_length, config.num_mel_bins)


def features(config: Any, size: Size) -> torch.Tensor:
    """Return spectrograms: of the one length that Whisper takes, else of any."""
    import torch

    if hasattr(config, "num_mel_bins") and hasattr(config, "max_source_positions") and config.model_type == "whisper":
        return torch.randn(size.rows, config.num_mel_bins, 2 * config.max_source_positions)
    width = getattr(config, "input_feat_per_channel", None) or config.feature_projection_input_dim
    return torch.randn(size.rows, 4 * size.length, width)


# The main input of a model -> what makes it, and its axes whose size is free, beside the batch.
MAIN: dict[str, tuple[Callable[[Any, Size], torch.Tensor], dict[int, str]]] = {
    "input_ids": (tokens, {1: "sequence"}),
    "pixel_values": (pixels, {}),
    "input_values": (waves, {1: "samples"}),
    "input_features": (features, {}),
}
