"""`nav.contrib.huggingface.torch`: every format of a model of transformers, without samples or names of one's own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_navigator.api.arguments import words
from pytest_navigator.api.keywords import ExportOptions, exported, signed
from pytest_navigator.backends.builtin import known
from pytest_navigator.backends.torch.torchscript import TorchScriptConfig
from pytest_navigator.errors import ConfigError
from pytest_navigator.planning.compiled import compiling

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Unpack

    from transformers import PreTrainedConfig, PreTrainedModel

    from pytest_navigator.api.arguments import Names
    from pytest_navigator.api.package import Package

__all__ = ["export"]

# Keywords of Model Navigator's that have no meaning any more -> why, and what to write instead.
GONE = {
    "dataset_name": "no data set is fetched: load it where you know how it is read, and give dataloader=",
    "dataset_preprocessing_function": "it belongs to dataset_name: preprocess the samples that you give as dataloader=",
    "onnx_config": "transformers.onnx is gone: the inputs come from the model's configuration, their axes from samples",
}


@signed(ExportOptions)
def export(
    model_name_or_model: str | Path | PreTrainedConfig | PreTrainedModel | None = None,
    dataloader: object = None,
    *,
    task: str | None = None,
    use_cache: bool | None = None,
    max_bs: int = 2,
    max_sequence_len: int | None = None,
    padding: bool = True,
    decoding_steps: int = 8,
    jit_options: Names = None,
    precision_mode: str | None = None,
    dataset_name: None = None,
    dataset_preprocessing_function: None = None,
    onnx_config: None = None,
    **options: Unpack[ExportOptions],
) -> Package:
    """Export a model of transformers to every format, check and time each, and return the package.

    Args:
        model_name_or_model: a name on the hub, a folder of `save_pretrained`, a configuration (its model has random
            weights), a model; None: what `model_name` says.
        dataloader: samples; None: random ones of what the model's configuration describes.
        task: what the model is for ("text-classification"); None: what its configuration says.
        use_cache: whether a decoder takes and gives its cache, and is checked step by step; None: a decoder that keeps
            one is.
        max_bs: rows of the largest batch of the random samples; max_sequence_len: their tokens, at most; padding:
            whether a row of them is shorter than the others; decoding_steps: after the prefill of a decoder.
        precision_mode: of TensorRT, `precison_mode` of the other exports.
        options: see `pytest_navigator.api.keywords.ExportOptions`, docs/python-api.md and docs/huggingface.md.

    Raises:
        ConfigError: an argument is wrong, transformers is missing, the model cannot be had, or its configuration does
            not say what it takes.
        SourceError: the model or the loader does not keep its contract.
        PackageError: the results cannot be written.
    """
    _refuse(
        dataset_name=dataset_name,
        dataset_preprocessing_function=dataset_preprocessing_function,
        onnx_config=onnx_config,
    )
    from pytest_navigator.backends.huggingface.inputs import Wishes
    from pytest_navigator.backends.huggingface.models import model_of
    from pytest_navigator.backends.huggingface.samples import Prepared, prepared

    named = model_name_or_model if model_name_or_model is not None else options.get("model_name")
    wishes = Wishes(max_bs, max_sequence_len, padding, use_cache, decoding_steps)
    model = model_of(named, task)
    found = prepared(model, wishes) if dataloader is None else Prepared([])
    said = {"model_name": _name(named, model), "precison_mode": precision_mode, **found.config, **_given(options)}
    if model_name_or_model is None:
        said["model_name"] = _name(named, model)
    more = {name: said.pop(name) for name in ("unbatched", "decoding") if name in said}
    scripts = [TorchScriptConfig(jit_type=words(jit_options))] if jit_options is not None else []  # type: ignore[arg-type]
    # Decoders are compiled anew for the lengths of their steps, which takes minutes.
    compiled = compiling(known().formats["torch"].runner_specs) if more.get("decoding") else frozenset[str]()
    without = frozenset[str]() if said.get("runtimes") else compiled
    return exported("torch", model, found.loader or dataloader, scripts, said, more, without)  # type: ignore[arg-type]


def _given(options: Mapping[str, object]) -> dict[str, Any]:
    """Return what a call says, of what may be None for "not said"."""
    return {name: value for name, value in options.items() if value is not None or name == "batch_dim"}


def _refuse(**given: object) -> None:
    for name, value in given.items():
        if value is not None:
            raise ConfigError(f"{name}={value!r}: {GONE[name]}")


def _name(given: object, model: PreTrainedModel) -> str:
    """Return what a model is called: the last part of its name or folder, else its class."""
    return Path(os.path.abspath(given)).name if isinstance(given, str | os.PathLike) else type(model).__name__
