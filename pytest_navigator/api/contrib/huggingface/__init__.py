"""`nav.contrib.huggingface`: models of transformers, by name, folder, configuration or as they are."""

from __future__ import annotations

from pytest_navigator.api.contrib.huggingface import torch as torch


def __getattr__(name: str) -> object:
    if name in ("tensorflow", "jax"):
        raise AttributeError(
            f"nav.contrib.huggingface.{name}: transformers 5 has models of PyTorch only; a Keras or JAX model of your "
            f"own goes to nav.{name}.export"
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
