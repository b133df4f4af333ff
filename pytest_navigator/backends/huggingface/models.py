"""A model of transformers: by a name, from a folder, from a configuration, or the live one."""

from __future__ import annotations

import os
import socket
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit
from urllib.request import getproxies

from pytest_navigator.errors import ConfigError, SourceError, unknown
from pytest_navigator.isolation.causes import error_line

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

INSTALL = "transformers is not installed: pip install 'pytest-navigator[huggingface]'"
CONFIG = "config.json"

# Task, as pipelines call it -> the class that finds the architecture for it.
TASKS = {
    "feature-extraction": "AutoModel",
    "fill-mask": "AutoModelForMaskedLM",
    "text-classification": "AutoModelForSequenceClassification",
    "token-classification": "AutoModelForTokenClassification",
    "question-answering": "AutoModelForQuestionAnswering",
    "text-generation": "AutoModelForCausalLM",
    "text2text-generation": "AutoModelForSeq2SeqLM",
    "image-classification": "AutoModelForImageClassification",
    "image-segmentation": "AutoModelForSemanticSegmentation",
    "object-detection": "AutoModelForObjectDetection",
    "depth-estimation": "AutoModelForDepthEstimation",
    "zero-shot-image-classification": "AutoModelForZeroShotImageClassification",
    "audio-classification": "AutoModelForAudioClassification",
    "ctc": "AutoModelForCTC",
    "automatic-speech-recognition": "AutoModelForSpeechSeq2Seq",
}


def model_of(given: object, task: str | None = None) -> PreTrainedModel:
    """Return a model in evaluation mode.

    Args:
        given: a live model; a configuration, whose model has random weights; a folder that `save_pretrained` has
            written; a name on the hub.
        task: one of `TASKS`; None: the architecture that the configuration names.

    Raises:
        ConfigError: transformers is missing, there is no such task, or the model cannot be had.
        SourceError: the live model, or a part of it, is in training mode; it is left as it is.
    """
    transformers = library()
    if task is not None and task not in TASKS:
        raise unknown("task", task, TASKS)
    if isinstance(given, transformers.PreTrainedModel):
        if task is not None:
            raise ConfigError(f"task={task!r} is for a name, a folder or a configuration; the model is at hand")
        return _ready(given)
    if isinstance(given, transformers.PreTrainedConfig):
        made = _class_of(given)._from_config(given) if task is None else _auto(task).from_config(given)
        return cast("PreTrainedModel", made.eval())
    if not isinstance(given, str | os.PathLike):
        raise ConfigError(
            f"model_name_or_model is a {type(given).__name__}: a name on the hub, a folder that save_pretrained wrote, "
            "a configuration or a model of transformers is needed"
        )
    return _stored(os.fspath(given), task)


def _ready(model: PreTrainedModel) -> PreTrainedModel:
    training = [name for name, part in model.named_modules() if part.training]
    if training:
        where = f": {training[0]!r}" if training[0] else ""  # the model itself comes first, as ""
        raise SourceError(f"the {type(model).__name__} is in training mode{where}; call model.eval()")
    return model


def library() -> Any:
    """Return transformers.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        import transformers
    except ImportError:
        raise ConfigError(INSTALL) from None
    return transformers


def configuration_at(place: str) -> tuple[Path, PreTrainedConfig, type[PreTrainedModel]]:
    """Return the file of a stored model's configuration, what is in it, and the class that it names.

    Args:
        place: a folder, or a name on the hub.

    Raises:
        ConfigError: there is none, or it cannot be read.
    """
    transformers, folder = library(), Path(place)
    if folder.is_dir() and not (folder / CONFIG).is_file():
        raise ConfigError(f"the folder {place} has no {CONFIG}: name one that model.save_pretrained(folder) wrote")
    file = folder / CONFIG if folder.is_dir() else config_file(place)
    try:
        config = transformers.AutoConfig.from_pretrained(file)
    except Exception as error:
        raise ConfigError(f"the configuration {file} cannot be read: {error_line(error)}") from error
    return file, config, _class_of(config)


def is_decoder(kind: type[PreTrainedModel], config: PreTrainedConfig) -> bool:
    """Whether models of a class go on with a text, and keep a cache for that."""
    keeps = "past_key_values" in signature(kind.forward).parameters and getattr(config, "use_cache", True)
    return bool(keeps) and kind.can_generate() and not config.is_encoder_decoder


def config_file(name: str) -> Path:
    """Return the configuration of a model on the hub, which is fetched if it is not here yet.

    Raises:
        ConfigError: there is none, or the hub is not reached.
    """
    library()
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download(name, CONFIG, local_files_only=not _hub_is_reached()))
    except Exception as error:
        found = "cannot be reached" if not _hub_is_reached() else f"gave no such model: {error_line(error)}"
        raise ConfigError(
            f"there is no folder {os.path.abspath(name)}, and the hub {found}; where there is a network, write "
            "model.save_pretrained(folder), and name that folder here"
        ) from None


def _hub_is_reached() -> bool:
    """Whether the hub has an address here: its own client asks again and again for half a minute."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    try:
        return bool(getproxies() or socket.getaddrinfo(urlsplit(constants.ENDPOINT).hostname, 443))
    except OSError:
        return False


def _stored(place: str, task: str | None) -> PreTrainedModel:
    found = configuration_at(place)[2] if task is None else _auto(task)
    try:
        return cast("PreTrainedModel", found.from_pretrained(place).eval())
    except Exception as error:
        raise ConfigError(f"the model in {place} cannot be loaded: {error_line(error)}") from error


def _auto(task: str) -> Any:
    return getattr(library(), TASKS[task])


def _class_of(config: PreTrainedConfig) -> Any:
    """Return the class that a configuration names, else the bare model of its type."""
    transformers = library()
    named = [getattr(transformers, name, None) for name in config.architectures or ()]
    if found := next(filter(None, named), None):
        return found
    try:
        return transformers.MODEL_MAPPING[type(config)]
    except KeyError:
        raise ConfigError(
            f"the configuration of {config.model_type!r} names no architecture that this transformers has: say what "
            f"the model is for, task= one of {', '.join(TASKS)}"
        ) from None
