"""Key-value caches of transformers: named like nested lists of keys and values, and built again from them."""

from __future__ import annotations

import pytest
import torch

from pytest_navigator.backends.torch.source import TorchFramework
from pytest_navigator.errors import SourceError
from pytest_navigator.reproduce.code import call_arguments, imports_of, paths
from pytest_navigator.runners.outputs import leaves
from pytest_navigator.samples.structure import Call, flatten_call, flatten_output, unflatten_call

transformers = pytest.importorskip("transformers")
FRAMEWORK = TorchFramework()
NAMES = [f"past_key_values__{layer}__{part}" for layer in (0, 1) for part in ("key", "value")]


def cache(layers: int = 2, start: int = 0) -> transformers.DynamicCache:
    tensors = [torch.full((2, 1, 3, 4), float(start + i)) for i in range(2 * layers)]
    return transformers.DynamicCache(list(zip(tensors[::2], tensors[1::2], strict=True)))


def test_a_cache_in_the_output_is_named_by_layer_key_and_value() -> None:
    value = {"logits": torch.ones(2, 3), "past_key_values": cache()}
    tree, arrays = flatten_output(value, None, FRAMEWORK)
    assert list(arrays) == ["logits", *NAMES]
    assert [float(arrays[name].max()) for name in NAMES] == [0.0, 1.0, 2.0, 3.0]
    assert [name for name, _ in leaves(tree, value)] == ["logits", *NAMES]
    assert paths(tree, "y")[NAMES[2]] == "y['past_key_values'].layers[1].keys"


def test_the_cache_of_an_encoder_and_decoder_has_both_parts() -> None:
    both = transformers.EncoderDecoderCache(cache(1), cache(1, start=5))
    _, arrays = flatten_output({"past": both}, None, FRAMEWORK)
    assert list(arrays) == [f"past__{side}__0__{part}" for side in ("self", "cross") for part in ("key", "value")]


def test_a_cache_as_an_input_is_another_one_in_each_call() -> None:
    tree, arrays = flatten_call(Call(past_key_values=cache()), ["x"], None, FRAMEWORK)
    assert list(arrays) == NAMES
    tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
    first, second = (unflatten_call(tree, tensors).kwargs["past_key_values"] for _ in range(2))
    first.update(torch.ones(2, 1, 1, 4), torch.ones(2, 1, 1, 4), 0)
    assert (first.get_seq_length(), second.get_seq_length()) == (4, 3)
    assert type(second) is transformers.DynamicCache


def test_an_empty_cache_of_a_first_step_is_an_input() -> None:
    call = Call(torch.ones(2, 3), past_key_values=transformers.DynamicCache())
    tree, arrays = flatten_call(call, ["x"], None, FRAMEWORK)
    assert list(arrays) == ["x"]
    assert unflatten_call(tree, arrays).kwargs["past_key_values"].get_seq_length() == 0


class Passing(torch.nn.Module):
    """Gives back what it was given, from the device that it is on."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(1, device="meta"))

    def forward(self, nested: object, past: object) -> object:
        return nested, past


def test_caches_follow_the_model_to_its_device_like_nested_tensors() -> None:
    given = cache(1)
    both = transformers.EncoderDecoderCache(cache(2), given)
    (nested, plain), past = FRAMEWORK.source(Passing(), {}).call([([given], torch.ones(1))], {"past": both})
    assert plain.device.type == "meta"
    for found in (nested[0], past.self_attention_cache, past.cross_attention_cache):
        assert type(found) is transformers.DynamicCache
        assert {part.device.type for layer in found.layers for part in (layer.keys, layer.values)} == {"meta"}
        assert found.get_seq_length() == 3
    assert len(past.self_attention_cache.layers) == 2
    assert given.layers[0].keys.device.type == "cpu"


def test_a_script_builds_the_cache_by_its_library() -> None:
    tree, _ = flatten_call(Call(past=cache(1)), [], None, FRAMEWORK)
    text = call_arguments(tree, lambda name: f"x[{name!r}]")
    assert text == "past=transformers.cache_utils.DynamicCache([(x['past__0__key'], x['past__0__value'])])"
    assert imports_of(tree) == ["import transformers.cache_utils"]


def test_a_cache_that_does_not_grow_is_refused_with_what_to_write() -> None:
    config = transformers.LlamaConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1)
    static = transformers.StaticCache(config=config, max_cache_len=4)
    with pytest.raises(SourceError, match=r"^output\[\"past\"\] is a .*StaticCache: .*use_cache=False"):
        flatten_output({"past": static}, None, FRAMEWORK)
