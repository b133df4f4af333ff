"""Models as libraries give them: layers that capture state and constants, default caches, masks of integers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from blackbox import member, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from blackbox import Nav

pytestmark = pytest.mark.slow

CAPTURING = """
import keras, numpy as np, pytest

@pytest.fixture(scope="session")
def nav_model() -> keras.Model:
    keras.utils.set_random_seed(3)
    layers = keras.layers
    normalized = layers.Normalization(mean=[0.4, 0.2], variance=[0.2, 0.1])
    inner = [layers.RandomFlip(), normalized, layers.Flatten(), layers.Dense(2)]
    return keras.Sequential([keras.Input((4, 4, 2)), *inner])

@pytest.fixture(scope="session")
def nav_dataloader():
    return [np.random.rand(batch, 4, 4, 2).astype("float32") for batch in (1, 3)]
"""


def test_keras_layers_that_capture_state_and_constants_have_every_format(pytester: pytest.Pytester, nav: Nav) -> None:
    for package in ("tensorflow", "tf2onnx"):
        pytest.importorskip(package)
    pytester.makeconftest(CAPTURING)
    result = nav("-v", "--nav-device=cpu", formats="tf-savedmodel,onnx", subprocess=True)
    assert result.ret == 0
    found = words(result)
    assert (found["test_correctness[tf-savedmodel-cpu]"], found["test_correctness[onnx-cpu]"]) == ("PASSED", "PASSED")


MASKED = """
class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(4, 4)

    def forward(self, hidden, mask):
        bias = (1.0 - mask) * -1e4
        weights = torch.softmax(self.fc(hidden).mean(-1) + bias, dim=-1)
        return (hidden * weights.unsqueeze(-1)).sum(1)
"""


def test_an_additive_bias_of_an_integer_mask_becomes_onnx(project: Callable[..., None], nav: Nav) -> None:
    masks = "(torch.randn(rows, size, 4), torch.ones(rows, size, dtype=torch.int64).tril())"
    project(MASKED, loader=f"[{masks} for rows, size in ((1, 5), (3, 8))]")
    result = nav("-v", formats="onnx")
    assert result.ret == 0
    assert words(result)["test_correctness[onnx-cpu]"] == "PASSED"


SIZES = "vocab_size=32, num_hidden_layers=1, hidden_size=8, intermediate_size=8, num_attention_heads=2"
LLAMA = f"LlamaForCausalLM(LlamaConfig({SIZES})).eval()"
T5 = "T5ForConditionalGeneration(T5Config(vocab_size=32, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2)).eval()"


@pytest.mark.parametrize(
    ("model", "inputs", "outputs"),
    [
        (LLAMA, ("input_ids", "attention_mask"), ("past_key_values__0__key", "past_key_values__0__value")),
        (
            T5,
            ("input_ids", "decoder_input_ids"),
            ("past_key_values__self__0__key", "past_key_values__cross__0__value", "encoder_last_hidden_state"),
        ),
    ],
    ids=["llama", "t5"],
)
def test_a_model_of_transformers_is_checked_with_its_default_cache(
    project: Callable[..., None],
    pytester: pytest.Pytester,
    nav: Nav,
    model: str,
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
) -> None:
    pytest.importorskip("transformers")
    ones = ", ".join(f"{name!r}: torch.ones(rows, size, dtype=torch.int64)" for name in inputs)
    project("from transformers import *", made=model, loader=f"[{{{ones}}} for rows, size in ((1, 5), (3, 8))]")
    result = nav("-v", "--nav-package=o.nav", formats="torchscript-trace")
    assert result.ret == 0
    assert words(result)["test_correctness[torchscript-trace-cpu]"] == "PASSED"
    status = member(pytester.path / "o.nav", "status.yaml")
    assert all(name in status for name in outputs)
