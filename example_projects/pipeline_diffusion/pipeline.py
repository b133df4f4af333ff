"""A Stable Diffusion pipeline of a toy's size with random weights: nothing is downloaded, it takes a second."""

from __future__ import annotations

import string

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

WIDTH = 32  # Of the text encoder's states, which the UNet attends to


def tokenizer() -> CLIPTokenizer:
    """Return one that knows letters only: each is a token, at the end of a word or not."""
    letters = string.ascii_lowercase + string.digits
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: number for number, word in enumerate(words)}
    return CLIPTokenizer(vocab=vocabulary, merges=[], model_max_length=16)


def text_encoder(known: CLIPTokenizer) -> CLIPTextModel:
    """Return a text encoder of two layers."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(known),
            hidden_size=WIDTH,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=known.model_max_length,
            bos_token_id=known.bos_token_id,
            eos_token_id=known.eos_token_id,
            pad_token_id=known.pad_token_id,
        )
    )


def unet() -> UNet2DConditionModel:
    """Return a UNet of two levels; the lower one attends to the text."""
    return UNet2DConditionModel(
        sample_size=8,
        in_channels=4,
        out_channels=4,
        layers_per_block=1,
        block_out_channels=(32, 64),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=8,
        norm_num_groups=8,
    )


def vae() -> AutoencoderKL:
    """Return an autoencoder that halves an image once."""
    return AutoencoderKL(
        block_out_channels=(16, 32),
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        norm_num_groups=8,
        sample_size=16,
    )


def tiny_pipeline() -> StableDiffusionPipeline:
    """Return the pipeline, with the same weights each time."""
    torch.manual_seed(0)
    words = tokenizer()
    pipeline = StableDiffusionPipeline(
        vae=vae().eval(),
        text_encoder=text_encoder(words).eval(),
        tokenizer=words,
        unet=unet().eval(),
        scheduler=DDIMScheduler(num_train_timesteps=1000, clip_sample=False, steps_offset=1),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def images(pipeline: StableDiffusionPipeline, prompt: str | list[str]) -> torch.Tensor:
    """Return images of 16 x 16 points as the pipeline draws them in four steps; equal prompts give equal images."""
    generator = torch.Generator().manual_seed(0)
    return pipeline(prompt, num_inference_steps=4, height=16, width=16, generator=generator, output_type="pt").images
