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
from pytest_navigator.errors import ConfigError

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


def inputs_of(package: Package) -> dict[str, list[str | int]]:
    """The inputs of the ONNX file that a package has, with their axes."""
    import onnx

    graph = onnx.load(package.get_path("onnx"), load_external_data=False).graph
    sizes = {value.name: value.type.tensor_type.shape.dim for value in graph.input}
    return {name: [axis.dim_param or axis.dim_value for axis in axes] for name, axes in sizes.items()}


def test_an_encoder_is_exported_by_what_its_configuration_says(tmp_path: Path) -> None:
    package = exported(tmp_path, BERT)
    assert package.get_status("onnx", "OnnxCPU")
    known = ("input_ids", "attention_mask", "token_type_ids")
    assert inputs_of(package) == {name: ["batch", "sequence"] for name in known}


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


def test_a_folder_without_a_model_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"has no config\.json: name one that model\.save_pretrained"):
        huggingface.export(tmp_path)


def test_frameworks_that_transformers_has_left_say_what_to_use() -> None:
    with pytest.raises(AttributeError, match="has models of PyTorch only; a Keras or JAX model of your own goes to"):
        nav.contrib.huggingface.tensorflow  # noqa: B018
