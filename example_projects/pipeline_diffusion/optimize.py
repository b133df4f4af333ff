"""Make formats of the pipeline's modules, swap them in, and draw with them."""

from __future__ import annotations

from pipeline import images, tiny_pipeline

import pytest_navigator as nav

pipeline = tiny_pipeline()
nav.wrap(pipeline, ["text_encoder", "unet", "vae.decoder"])


def draw(prompt: str | list[str]) -> object:
    """Run the whole pipeline."""
    return images(pipeline, prompt)


if __name__ == "__main__":
    quick = nav.OptimizeConfig(target_formats="onnx", optimization_profile=nav.OptimizationProfile(window_size=5))
    nav.optimize(draw, [(1, "a cat"), (2, ["a cat", "a dog"])], quick)
    print(nav.load_optimized())
    print(draw("a horse on mars").shape)
