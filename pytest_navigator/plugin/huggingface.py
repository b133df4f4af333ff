"""`--nav-model=hf:PATH`: a model of transformers, with samples of what its configuration describes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.errors import ConfigError, SourceError
from pytest_navigator.plugin.spec import MODEL_OPTION, Spec

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from pytest_navigator.backends.huggingface.samples import Prepared

PREFIX = "hf:"


@dataclass(frozen=True)
class HuggingFaceSpec(Spec):
    """A folder that `save_pretrained` has written, or a model on the hub.

    Attributes:
        place: the folder, or the name on the hub.
        decoding: steps that the model is used for as a decoder with a cache; None: it is none.
    """

    place: str
    decoding: int | None

    @property
    def framework(self) -> str:
        """Transformers has models of PyTorch only."""
        return "torch"

    @property
    def name(self) -> str:
        """The name of the folder, or of the model on the hub without its owner."""
        return Path(self.place).name

    @property
    def title(self) -> str:
        """What people call it."""
        return "a model of transformers"

    @property
    def file(self) -> Path:
        """The model's configuration."""
        return self.path

    def model(self) -> PreTrainedModel:
        """Load the model (once).

        Raises:
            SourceError: it cannot be loaded.
        """
        return self._model

    def loader(self) -> object:
        """Return samples of what the configuration describes.

        Raises:
            SourceError: it does not describe the model's inputs.
        """
        return self._prepared.loader

    @cached_property
    def _model(self) -> PreTrainedModel:
        from pytest_navigator.backends.huggingface.models import model_of

        try:
            return model_of(self.place)
        except ConfigError as error:
            raise SourceError(f"{MODEL_OPTION}={self.text}: {error}") from error

    @cached_property
    def _prepared(self) -> Prepared:
        from pytest_navigator.backends.huggingface.inputs import Wishes
        from pytest_navigator.backends.huggingface.samples import prepared

        try:
            return prepared(self.model(), Wishes())
        except ConfigError as error:
            raise SourceError(f"{MODEL_OPTION}={self.text}: {error}") from error


def huggingface_spec(text: str, folder: Path) -> HuggingFaceSpec:
    """Return what `hf:PATH` or `hf:NAME` means. The configuration is read, and the library that knows its class.

    Args:
        folder: what a relative path starts from.

    Raises:
        ConfigError: transformers is missing; there is no such folder and no such model on the hub, or that is not
            reached; its configuration cannot be read.
    """
    from pytest_navigator.backends.huggingface.inputs import STEPS
    from pytest_navigator.backends.huggingface.models import configuration_at, is_decoder

    name = text.removeprefix(PREFIX)
    local = Path(os.path.abspath(folder / name))
    place = str(local) if local.is_dir() else name
    try:
        file, config, kind = configuration_at(place)
    except ConfigError as error:
        raise ConfigError(f"{MODEL_OPTION}={text}: {error}") from None
    return HuggingFaceSpec(text, file, place, STEPS if is_decoder(kind, config) else None)
