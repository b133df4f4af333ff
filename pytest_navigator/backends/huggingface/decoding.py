"""A decoder as it is used: a prefill, then one token after another, each with the cache of the step before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_navigator.backends.huggingface.inputs import MAIN, Size, longest, mask, mask_of_prompt, parameters, tokens
from pytest_navigator.errors import ConfigError, SourceError
from pytest_navigator.samples.caches import cache_fields, with_tensors
from pytest_navigator.samples.structure import Call

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

    from pytest_navigator.backends.huggingface.inputs import Wishes

NEAR = 1e-2  # Of the largest score: how far apart the same model is in half precision, and no other sum
PROMPT, MORE = 5, 6  # Tokens of the prefill, and of the second prompt that ends the samples


@dataclass(frozen=True)
class Begun:
    """Where a generation starts.

    Attributes:
        ids: the prompt; cache: what is known before it, nothing of the decoder itself.
        given: what every step gets beside them; masked: whether it gets the mask of all tokens so far.
    """

    ids: torch.Tensor
    cache: object
    given: dict[str, object]
    masked: bool

    def call(self, ids: torch.Tensor, seen: torch.Tensor, cache: object) -> Call:
        """Return a step; a call grows the cache that it gets, so that each has one of its own."""
        return self.uncopied(ids, seen, with_tensors(cache, lambda tensor: tensor.clone()))

    def uncopied(self, ids: torch.Tensor, seen: torch.Tensor, cache: object) -> Call:
        """Return a step that goes on with the very cache; None: it begins one."""
        name = "decoder_input_ids" if self.given else "input_ids"
        masked = {"attention_mask": seen} if self.masked else {}
        return Call(**self.given, **{name: ids}, **masked, past_key_values=cache, use_cache=True)


def chain(model: PreTrainedModel, wishes: Wishes) -> list[Call]:
    """Return the calls of a generation that takes the likeliest token each time, and a second prompt after it.

    The first one has an empty cache: one graph serves for all of them. The last one has more than one token and more
    than none in its cache, which exporters need as an example.

    Raises:
        ConfigError: the model has no positions for that, or a cache of another kind.
    """
    import torch

    _check_room(model, wishes)
    begun = _translation(model, wishes) if model.config.is_encoder_decoder else _continuation(model, wishes)
    ids, cache, kept = begun.ids, begun.cache, None
    calls, seen = [], mask_of_prompt(Size(wishes.max_bs, ids.shape[1]), padding=wishes.padding)
    for _ in range(wishes.decoding_steps + 1):
        calls.append(begun.call(ids, seen, cache))
        found, own = _run(model, begun.call(ids, seen, cache)), _run(model, begun.uncopied(ids, seen, kept))
        _check_same(model, found.logits, own.logits, len(calls) - 1)
        kept = own.past_key_values
        ids, cache = found.logits[:, -1:].argmax(-1), found.past_key_values
        seen = torch.cat([seen, torch.ones_like(seen[:, :1])], 1)
    seen = torch.cat([seen, torch.ones_like(seen[:, : MORE - 1])], 1)
    return [*calls, begun.call(tokens(model.config, Size(wishes.max_bs, MORE)), seen, cache)]


def _check_same(model: PreTrainedModel, found: torch.Tensor, own: torch.Tensor, step: int) -> None:
    """Refuse a cache whose tensors are not all that it knows: one of a sliding window counts tokens beside them."""
    near = NEAR * float(own.abs().max())
    if found.shape != own.shape or float((found - own).abs().max()) > near:
        raise ConfigError(
            f"use_cache: from decoding step {step} on, the cache of this {model.config.model_type} model is not its "
            "tensors alone (a sliding window is full): ask for fewer decoding_steps, or use_cache=False"
        )


def _check_room(model: PreTrainedModel, wishes: Wishes) -> None:
    total = PROMPT + wishes.decoding_steps + MORE
    most = longest(model.config, wishes.max_sequence_len or total)
    if most < total:
        raise ConfigError(
            f"{wishes.decoding_steps} decoding steps need {total} positions, and max_sequence_len is {most}: "
            "ask for fewer decoding_steps, or use_cache=False"
        )


def _continuation(model: PreTrainedModel, wishes: Wishes) -> Begun:
    ids = tokens(model.config, Size(wishes.max_bs, PROMPT))
    cache = _run(model, Call(input_ids=ids, use_cache=True)).past_key_values
    return Begun(ids, _emptied(cache), {}, "attention_mask" in parameters(model))


def _translation(model: PreTrainedModel, wishes: Wishes) -> Begun:
    """Return a start with what the encoder has made of its input, once: every step reads that from the cache."""
    name, size = model.main_input_name, Size(wishes.max_bs, PROMPT)
    if name not in MAIN:
        raise ConfigError(f"use_cache: a {type(model).__name__} takes {name!r}: give samples of it, dataloader=")
    inputs = {name: MAIN[name][0](model.config, Size(size.rows, size.length + 2))}
    hidden = _run(model.get_encoder(), Call(**inputs)).last_hidden_state
    given: dict[str, object] = {"encoder_outputs": (hidden,)}
    if name == "input_ids":
        given["attention_mask"] = mask(Size(size.rows, size.length + 2), padding=wishes.padding)
    ids = tokens(model.config, size)
    cache = _run(model, Call(**given, decoder_input_ids=ids, use_cache=True)).past_key_values
    parts = {field: part for field, _, part in cache_fields(cache) or ()}
    own, cross = parts["self_attention_cache"], parts["cross_attention_cache"]
    return Begun(ids, type(cache)(_emptied(own), cross), given, masked=False)


def _run(model: Any, call: Call) -> Any:
    import torch

    def moved(value: object) -> object:
        return value.to(model.device) if isinstance(value, torch.Tensor) else value

    with torch.no_grad():
        return model(**{name: moved(value) for name, value in call.kwargs.items()})


def _emptied(cache: object) -> object:
    try:
        return with_tensors(cache, lambda tensor: tensor[:, :, :0].clone())
    except SourceError as error:
        raise ConfigError(f"use_cache: the model keeps {error}") from None
