"""Stages on random data: to compile a network before its turn comes, and to time its steps.

torch keeps on disk what it has compiled, so that a process beside the training can spare it the
wait. Weights and data are random, for the code that comes of it is the same.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch
from transformers import CLIPTokenizer

from storybook.training import (
    autoencoder,
    clip,
    decoder,
    denoiser,
    devices,
    distillation,
    export,
    naming,
    reading,
)
from storybook.training.loop import Trainer
from storybook.training.perception import Perception
from storybook.training.presets import Preset

DATA = 512
"""So many random pictures or latents."""


def autoencoder_stage(preset: Preset, device: torch.device) -> autoencoder.AutoencoderStage:
    """Return an untrained autoencoder's stage on random pictures."""
    shape = (DATA, preset.size, preset.size, 3)
    pictures = torch.randint(0, 256, shape, dtype=torch.uint8, device=device)
    vae = autoencoder.build(preset).to(memory_format=torch.channels_last)
    return autoencoder.AutoencoderStage(vae, pictures, preset)


def decoder_stage(preset: Preset, device: torch.device) -> decoder.DecoderStage:
    """Return an untrained decoder's last stage on random pictures and latents."""
    first = autoencoder_stage(preset, device)
    side = preset.size // autoencoder.FACTOR
    latents = torch.randn(DATA, preset.latent_channels, side, side).half()
    redrawn = decoder.Redrawn(torch.arange(DATA), latents)
    counts = torch.ones(DATA, side, side, device=device).half()
    return decoder.DecoderStage(
        first.model, first.pictures, latents.to(device), redrawn, counts, preset
    )


def denoiser_stage(
    preset: Preset, words: CLIPTokenizer, device: torch.device
) -> denoiser.DenoiserStage:
    """Return an untrained denoiser's stage on random latents and captions."""
    channels, side = preset.latent_channels, preset.size // autoencoder.FACTOR
    pair = clip.build(preset, words)
    shape = (DATA, preset.captions_per_picture, pair.config.text_config.max_position_embeddings)
    tokens = torch.randint(0, len(words), shape, dtype=torch.int16, device=device)
    return denoiser.DenoiserStage(
        denoiser.build(preset).to(device, memory_format=torch.channels_last),
        denoiser.Captioned(
            torch.randn(DATA, channels, side, side, device=device).half(),
            tokens,
            tokens[0, 0],
            export.text_encoder(pair).to(device),
        ),
        preset,
        emphasis=torch.ones(DATA, side, side, device=device).half(),
        perception=Perception(channels).to(device),
    )


def distillation_stage(
    preset: Preset, words: CLIPTokenizer, device: torch.device
) -> distillation.DistillationStage:
    """Return an untrained denoiser's stage of learning from itself, on random data."""
    return distillation.DistillationStage(denoiser_stage(preset, words, device), preset)


def reading_stage(
    preset: Preset, words: CLIPTokenizer, device: torch.device
) -> reading.ReadingStage:
    """Return an untrained text encoder's stage of everyday words, on random ones."""
    leading = denoiser_stage(preset, words, device)
    encoder = export.projected_text_encoder(clip.build(preset, words)).to(device)
    tokens = leading.data.tokens.clone()
    tokens[..., tokens.shape[-1] // 2 :] = encoder.config.eos_token_id
    pairs = torch.stack([tokens, tokens.flip(1)], 2)
    names = torch.zeros(*tokens.shape[:2], len(naming.ATTRIBUTES), dtype=torch.int64, device=device)
    return reading.ReadingStage(encoder, leading, reading.Wordings(pairs, names), preset)


def compile_denoiser(preset: Preset, tokenizer: Path) -> None:
    """Compile the denoiser as :class:`~storybook.training.recipe.Recipe` will, for one step."""
    accelerator = devices.accelerator()
    words = CLIPTokenizer.from_pretrained(tokenizer)
    stage = denoiser_stage(preset, words, accelerator.device)
    stage.compile()
    with tempfile.TemporaryDirectory() as empty:
        Trainer(stage, Path(empty), accelerator).step(DATA, rate=1.0)
