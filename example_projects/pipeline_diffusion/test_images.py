"""What the pipeline is for must hold with formats in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch


def verify_images_follow_the_prompt(nav_pipeline_runner: Callable[..., torch.Tensor]) -> None:
    cat, dog = nav_pipeline_runner(["a cat", "a dog"])

    assert (cat - dog).abs().max() > 1e-3
    assert ((cat >= 0) & (cat <= 1)).all()
