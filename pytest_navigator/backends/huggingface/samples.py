"""Samples of a model of transformers, made from its configuration, and what a suite has to know of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pytest_navigator.backends.huggingface.decoding import chain
from pytest_navigator.backends.huggingface.inputs import MAIN, Size, longest, mask, parameters, tokens
from pytest_navigator.backends.huggingface.models import is_decoder
from pytest_navigator.backends.torch.source import TorchFramework
from pytest_navigator.errors import ConfigError
from pytest_navigator.frameworks.seeding import seeded
from pytest_navigator.samples.structure import Call, flatten_call

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from transformers import PreTrainedModel

    from pytest_navigator.backends.huggingface.inputs import Wishes

# What an axis of an input is called, by the input and the axis; one that always has the size of an earlier one is that.
SYMBOLS = {
    "input_ids": "sequence",
    "input_values": "samples",
    "input_features": "frames",
    "decoder_input_ids": "decoder_sequence",
    "attention_mask": "total_sequence",
    "past_key_values": "past_sequence",
}
EXPERTS = "transformers.integrations.moe"  # What has the operators of mixtures of experts, where a program of one runs
TEXT_OF_TWO = ("input_ids", "attention_mask", "position_ids", "token_type_ids")


@dataclass(frozen=True)
class Prepared:
    """What a model is checked on.

    Attributes:
        loader: its samples.
        config: fields of NavConfig that belong to them.
    """

    loader: list[Call]
    config: dict[str, Any] = field(default_factory=dict)


def prepared(model: PreTrainedModel, wishes: Wishes, seed: int = 0) -> Prepared:
    """Return random samples of what the model takes; a decoder with a cache gets the steps of a generation.

    Raises:
        ConfigError: its configuration does not say what it takes, or it cannot be what is wished.
    """
    with seeded(seed, [TorchFramework()]):
        make = _decoder if decodes(model, wishes) else _pair if is_pair(model) else _plain
        found = make(model, wishes)
    experts = model._can_set_experts_implementation()
    return Prepared(found.loader, {**found.config, **({"child_imports": [EXPERTS]} if experts else {})})


def decodes(model: PreTrainedModel, wishes: Wishes) -> bool:
    """Whether a model is checked as a decoder that keeps a cache.

    Raises:
        ConfigError: that is wished of a model that has none.
    """
    has = "past_key_values" in parameters(model) and model.can_generate()
    if wishes.use_cache and not has:
        raise ConfigError(f"use_cache=True: a {type(model).__name__} keeps no cache that it would generate with")
    return has and (is_decoder(type(model), model.config) if wishes.use_cache is None else wishes.use_cache)


def is_pair(model: PreTrainedModel) -> bool:
    """Whether a model compares texts with images or sounds, each with a batch of its own."""
    towers = {"pixel_values", "input_features", "input_values"} & parameters(model)
    return "input_ids" in parameters(model) and bool(towers) and not model.can_generate()


def _decoder(model: PreTrainedModel, wishes: Wishes) -> Prepared:
    loader = chain(model, wishes)
    return Prepared(loader, {"dynamic_axes": axes(loader), "decoding": wishes.decoding_steps})


def _pair(model: PreTrainedModel, wishes: Wishes) -> Prepared:
    """Batches of images or sounds, which come first and so tell the batch, and other numbers of texts."""
    other = next(name for name in ("pixel_values", "input_features", "input_values") if name in parameters(model))
    make, config = MAIN[other][0], getattr(model.config, "audio_config", model.config)
    loader = [
        Call(**{other: make(config, size)}, **_texts(model, Size(3 + size.rows, size.length), wishes))
        for size in _sizes(model, wishes)
    ]
    unbatched = [name for name in TEXT_OF_TWO if name in loader[0].kwargs]
    return Prepared(loader, {"dynamic_axes": axes(loader, unbatched), "unbatched": unbatched})


def _plain(model: PreTrainedModel, wishes: Wishes) -> Prepared:
    loader = [Call(**_inputs(model, size, wishes)) for size in _sizes(model, wishes)]
    return Prepared(loader, {"dynamic_axes": axes(loader)})


def _sizes(model: PreTrainedModel, wishes: Wishes) -> Iterator[Size]:
    most = longest(model.config, wishes.max_sequence_len)
    yield Size(1, max(2, most // 2))
    yield Size(wishes.max_bs, most)


def _inputs(model: PreTrainedModel, size: Size, wishes: Wishes) -> dict[str, object]:
    name, known = model.main_input_name, parameters(model)
    if name == "input_ids":
        found = _texts(model, size, wishes)
    elif name in MAIN:
        found = {name: MAIN[name][0](model.config, size)}
    else:
        raise ConfigError(
            f"a {type(model).__name__} takes {name!r}, which its configuration does not describe: give samples of it, "
            "dataloader= (nav_dataloader beside --nav-model)"
        )
    if model.config.is_encoder_decoder and "decoder_input_ids" in known:
        found["decoder_input_ids"] = tokens(model.config, Size(size.rows, size.length // 2 + 1))
    return found | ({"use_cache": False} if "use_cache" in known else {})


def _texts(model: PreTrainedModel, size: Size, wishes: Wishes) -> dict[str, object]:
    import torch

    config, known = model.config, parameters(model)
    found: dict[str, object] = {"input_ids": tokens(config, size)}
    if "attention_mask" in known:
        found["attention_mask"] = mask(size, padding=wishes.padding)
    if "token_type_ids" in known and getattr(config, "type_vocab_size", 0) > 1:
        found["token_type_ids"] = torch.zeros(tuple(size), dtype=torch.int64)
    return found


def axes(loader: Sequence[Call], unbatched: Sequence[str] = ()) -> dict[str, dict[int, str]]:
    """Return the dynamic axes of samples, beside the batch: those whose sizes differ, by the names of the arrays."""
    flat = [flatten_call(call, [], None, TorchFramework())[1] for call in loader]
    found: dict[str, dict[int, str]] = {}
    known: dict[tuple[int, ...], str] = {}
    for name, first in flat[0].items():
        for axis in range(0 if name in unbatched else 1, first.ndim):
            sizes = tuple(arrays[name].shape[axis] for arrays in flat)
            if len(set(sizes)) > 1:
                found.setdefault(name, {})[axis] = known.setdefault(sizes, _symbol(name, axis))
    return found


def _symbol(name: str, axis: int) -> str:
    if axis == 0:
        return "texts"
    return SYMBOLS.get(name.partition("__")[0], f"{name}_{axis}")
