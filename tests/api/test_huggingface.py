"""`nav.contrib.huggingface.torch.export`: what a model's configuration says is enough to export and check it."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import pytest_navigator as nav
from pytest_navigator.api.contrib.huggingface import torch as huggingface
from pytest_navigator.api.keywords import ExportOptions
from pytest_navigator.backends.huggingface.inputs import Wishes
from pytest_navigator.backends.huggingface.models import model_of
from pytest_navigator.backends.huggingface.samples import prepared
from pytest_navigator.errors import ConfigError, SourceError

if TYPE_CHECKING:
    from pytest_navigator.api.package import Package

transformers = pytest.importorskip("transformers")
DOCUMENT = (Path(__file__).parents[2] / "docs" / "huggingface.md").read_text(encoding="utf-8")
SIZES: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
}
BERT = transformers.BertConfig(**SIZES, architectures=["BertForMaskedLM"])


def exported(tmp_path: Path, model: object, **options: Any) -> Package:
    usual: dict[str, Any] = {"target_formats": "onnx", "runtimes": "cpu", "run_profiling": False}
    return nav.contrib.huggingface.torch.export(model, workdir=tmp_path / "work", **usual | options)


def inputs_of(package: Package) -> dict[str, list[str]]:
    """The inputs in a package, with the names of their dynamic axes."""
    signature = package.results.signature
    assert signature is not None
    return {spec.name: list(spec.axes.values()) for spec in signature.inputs}


def test_an_encoder_is_exported_by_what_its_configuration_says(tmp_path: Path) -> None:
    package = exported(tmp_path, BERT)
    assert package.get_status("onnx", "OnnxCPU")
    known = ("input_ids", "attention_mask", "token_type_ids")
    assert inputs_of(package) == {name: ["batch", "sequence"] for name in known}


VISION: dict[str, Any] = {**SIZES, "image_size": 16, "patch_size": 8}
LLAMA = transformers.LlamaConfig(
    **SIZES, num_key_value_heads=1, max_position_embeddings=32, architectures=["LlamaForCausalLM"]
)
MIXTRAL = transformers.MixtralConfig(
    **SIZES,
    num_local_experts=2,
    num_key_value_heads=1,
    max_position_embeddings=32,
    architectures=["MixtralForCausalLM"],
)
T5 = transformers.T5Config(
    vocab_size=64, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2, architectures=["T5ForConditionalGeneration"]
)
WHISPER = transformers.WhisperConfig(
    vocab_size=64,
    d_model=16,
    max_source_positions=12,
    max_target_positions=32,
    num_mel_bins=8,
    **{f"{side}_{what}": 2 for side in ("encoder", "decoder") for what in ("layers", "attention_heads", "ffn_dim")},
    pad_token_id=0,
    bos_token_id=1,
    eos_token_id=2,
    decoder_start_token_id=1,
    architectures=["WhisperForConditionalGeneration"],
)
CLIP = transformers.CLIPConfig(
    text_config={**SIZES, "max_position_embeddings": 20, "bos_token_id": 1, "eos_token_id": 2},
    vision_config=VISION,
    projection_dim=8,
)
GPT2 = transformers.GPT2Config(
    vocab_size=64, n_positions=32, n_embd=8, n_layer=1, n_head=2, bos_token_id=1, eos_token_id=1
)
BATCH, TEXT, DECODED = ["batch"], ["batch", "sequence"], ["batch", "decoder_sequence"]
PAST, CROSS, TEXTS = ["batch", "past_sequence"], ["batch"], ["texts", "sequence"]
CACHE = ("past_key_values__0__key", "past_key_values__0__value")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "format", "options", "inputs"),
    [
        pytest.param(
            LLAMA,
            "onnx",
            {},
            {"input_ids": TEXT, "attention_mask": ["batch", "total_sequence"], **dict.fromkeys(CACHE, PAST)},
            id="decoder with its cache",
        ),
        pytest.param(
            GPT2,
            "torchscript",
            {"task": "text-generation", "use_cache": False},
            {"input_ids": TEXT, "attention_mask": TEXT},
            id="decoder without a cache",
        ),
        pytest.param(
            MIXTRAL,
            "onnx",
            {"use_cache": False},
            {"input_ids": TEXT, "attention_mask": TEXT},
            id="experts, whose operator transformers translates",
        ),
        pytest.param(
            T5,
            "onnx",
            {},
            {"input_ids": TEXT, "attention_mask": TEXT, "decoder_input_ids": DECODED},
            id="encoder and decoder",
        ),
        pytest.param(
            T5,
            "torch-exportedprogram",
            {"use_cache": True, "decoding_steps": 3},
            {
                "encoder_outputs__0": BATCH,
                "attention_mask": BATCH,
                "decoder_input_ids": DECODED,
                **{f"past_key_values__self__0__{part}": PAST for part in ("key", "value")},
                **{f"past_key_values__cross__0__{part}": CROSS for part in ("key", "value")},
            },
            id="encoder and decoder with its cache",
        ),
        pytest.param(
            transformers.ViTConfig(**VISION),
            "onnx",
            {"task": "image-classification"},
            {"pixel_values": BATCH},
            id="vision",
        ),
        pytest.param(WHISPER, "torchscript", {}, {"input_features": BATCH, "decoder_input_ids": DECODED}, id="speech"),
        pytest.param(
            CLIP,
            "onnx",
            {},
            {"pixel_values": BATCH, "input_ids": TEXTS, "attention_mask": TEXTS},
            id="two towers",
        ),
    ],
)
def test_each_family_has_the_inputs_axes_and_samples_that_it_needs(
    tmp_path: Path, model: object, format: str, options: dict[str, Any], inputs: dict[str, list[str]]
) -> None:
    package = exported(tmp_path, model, target_formats=format, jit_options="trace", **options)
    assert inputs_of(package) == inputs
    key = "torchscript-trace" if format == "torchscript" else format
    checked = [outcome for outcome in package.results.outcomes if outcome.key == key]
    decodes = any(name.startswith("past_key_values") for name in inputs)
    assert [(outcome.step, outcome.passed) for outcome in checked] == [
        (step, True) for step in ("export", "correctness", *["decoding"] * decodes)
    ]


@pytest.mark.slow
def test_torch_compile_of_a_decoder_is_left_out_unless_it_is_named(tmp_path: Path) -> None:
    package = exported(tmp_path, GPT2, runtimes=None, task="text-generation", decoding_steps=1)
    assert package.get_status("onnx", "OnnxCPU")
    assert "TorchCompileCPU" not in package.results.suite.runners


@pytest.mark.parametrize("window", [8, 64])
def test_a_cache_that_is_more_than_its_tensors_is_refused_where_that_begins(window: int) -> None:
    config = transformers.MistralConfig(
        **SIZES, num_key_value_heads=1, sliding_window=window, architectures=["MistralForCausalLM"]
    )
    model = model_of(config)
    if window > 8:
        assert len(prepared(model, Wishes()).loader) == 10
        return
    with pytest.raises(
        ConfigError, match="from decoding step 4 on, the cache of this mistral model is not its tensors"
    ):
        prepared(model, Wishes())


def test_the_document_says_of_every_keyword_what_it_does() -> None:
    (table,) = re.findall(r"<!-- export -->\n(.*?)\n\n", DOCUMENT, re.DOTALL)
    documented = {name for row in table.splitlines() for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    own = set(inspect.signature(huggingface.export).parameters)
    assert own - set(ExportOptions.__annotations__) <= documented
    assert documented <= own


@pytest.mark.parametrize("name", list(huggingface.GONE))
def test_a_keyword_that_has_no_meaning_any_more_says_what_to_write(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{name}='squad': "):
        huggingface.export(BERT, **{name: "squad"})


def test_a_name_without_a_network_is_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ConfigError, match=r"^there is no folder .*/no-such/bert, and the hub cannot be reached; where"):
        huggingface.export("no-such/bert")
    with pytest.raises(ConfigError, match="no-such/gpt2, and the hub"):
        huggingface.export(model_name="no-such/gpt2")  # the original's keyword


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        (BERT, {"task": "fill-masks"}, "unknown task 'fill-masks'; did you mean 'fill-mask'?"),
        (BERT, {"max_bs": 0}, "max_bs=0: a number from 1 on is needed"),
        (BERT, {"max_sequence_len": 1000}, "max_sequence_len=1000: 2 to 512 tokens are possible for this bert model"),
        (BERT, {"use_cache": True, "task": "feature-extraction"}, "use_cache=True: a BertModel keeps no cache that"),
        ({}, {}, "model_name_or_model is a dict: a name on the hub, a folder"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(
    given: object, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match="^" + re.escape(message)):
        huggingface.export(given, **options)


@pytest.mark.parametrize("part", ["", "encoder"])
def test_a_live_model_in_training_mode_is_refused_and_stays_so(tmp_path: Path, part: str) -> None:
    model = model_of(transformers.BertConfig(**SIZES))
    model.get_submodule(part).train()
    with pytest.raises(SourceError, match=rf"^the BertModel is in training mode.*{part}.*; call model\.eval\(\)$"):
        exported(tmp_path, model)
    assert model.get_submodule(part).training


def test_a_folder_without_a_model_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"has no config\.json: name one that model\.save_pretrained"):
        huggingface.export(tmp_path)


def test_frameworks_that_transformers_has_left_say_what_to_use() -> None:
    with pytest.raises(AttributeError, match="has models of PyTorch only; a Keras or JAX model of your own goes to"):
        nav.contrib.huggingface.tensorflow  # noqa: B018
