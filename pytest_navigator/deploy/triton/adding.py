"""A model's file and its configuration -> a version in a repository."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_navigator.deploy.triton.files import beside, digest, model_files
from pytest_navigator.deploy.triton.message import config_text
from pytest_navigator.deploy.triton.model_config import ModelConfig
from pytest_navigator.deploy.triton.record import Origin
from pytest_navigator.deploy.triton.repository import Version, add, check_named
from pytest_navigator.deploy.triton.sequences import SequenceBatcher
from pytest_navigator.errors import ConfigError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from pytest_navigator.deploy.triton.files import Files


def add_model(
    model_repository_path: str | os.PathLike[str],
    model_name: str,
    model_path: str | os.PathLike[str],
    config: ModelConfig,
    model_version: int = 1,
    *,
    overwrite: bool = False,
) -> Path:
    """Write a model's file, or folder, with a configuration into a model repository.

    The class of the configuration says what runs it: `ONNXModelConfig`, `TensorRTModelConfig`, `PyTorchModelConfig`
    (TorchScript), `PythonModelConfig` (a `model.py`, or a folder with one) or `TensorFlowModelConfig`.

    Args:
        model_repository_path: the folder that the server is given; it is made if there is none.
        model_name: letters, digits and _ . + -
        model_path: the model; of an ONNX file with external data these are copied too.
        config: what stands in `config.pbtxt`.
        model_version: from 1 on; the other versions stay.
        overwrite: replace this version if it is there, and a configuration of the other versions that is another.

    Returns:
        The model's folder, `model_repository_path/model_name`.

    Raises:
        ConfigError: the name, the version, the file or the configuration is not possible.
        DeploymentError: the version is there, the other versions have another configuration, or the folder cannot be
            written. Nothing of the new version is left then.
    """
    check_named(model_name, model_version)
    if type(config) is ModelConfig or not isinstance(config, ModelConfig):
        valid = ", ".join(kind.__name__ for kind in ModelConfig.__subclasses__())
        raise ConfigError(f"config={config!r}: one of {valid} is needed")
    path = Path(model_path)
    version = Version(
        model_name,
        model_version,
        config_text(model_name, config),
        own_files(path, config),
        shared_files(config),
        Origin(path.name, digest(path) if path.is_file() else ""),
    )
    return add(Path(model_repository_path), version, overwrite=overwrite)


def own_files(path: Path, config: ModelConfig) -> Files:
    """Return the files of a version.

    Raises:
        ConfigError: there are none, or a folder for a `model.py` has none.
    """
    name = config.default_model_filename or config.file
    if not (path.is_dir() and config.file == "model.py"):
        return model_files(path, name)
    found = {each.partition("/")[2]: file for each, file in model_files(path, name).items()}
    if name not in found:
        raise ConfigError(f"model_path={str(path)!r}: the folder has no {name}")
    return found


def shared_files(config: ModelConfig) -> Files:
    """Return the files that a configuration names, as the server looks for them.

    Raises:
        ConfigError: one is missing, or two have one name.
    """
    return {**beside("warmup", _warmup_files(config)), **beside("initial_state", _state_files(config))}


def _warmup_files(config: ModelConfig) -> Iterator[Path]:
    for warmup in config.warmup.values():
        yield from (Path(each.input_data_file) for each in warmup.inputs.values() if each.input_data_file is not None)


def _state_files(config: ModelConfig) -> Iterator[Path]:
    if isinstance(config.batcher, SequenceBatcher):
        states = [initial for state in config.batcher.states for initial in state.initial_states]
        yield from (Path(state.data_file) for state in states if state.data_file is not None)
