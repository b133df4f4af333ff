"""The pipeline, the modules of it that get formats, and what it is called with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pipeline import images, tiny_pipeline

if TYPE_CHECKING:
    from collections.abc import Callable

    from diffusers import StableDiffusionPipeline

nav_modules = ("text_encoder", "unet", "vae.decoder")


@pytest.fixture(scope="session")
def nav_pipeline() -> tuple[Callable[..., object], StableDiffusionPipeline]:
    """Return what runs the whole pipeline, and what has its modules."""
    pipeline = tiny_pipeline()
    return lambda prompt: images(pipeline, prompt), pipeline


@pytest.fixture(scope="session")
def nav_dataloader() -> list[tuple[int, object]]:
    """Return batch sizes with prompts: one, and two at once."""
    return [(1, "a cat"), (2, ["a cat", "a dog"])]
