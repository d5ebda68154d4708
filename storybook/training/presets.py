"""How large each model is and how it is trained: for two cores, for one GPU, for a rehearsal."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Preset:
    """One complete recipe. Sizes are in pixels or channels; rates are AdamW learning rates."""

    size: int
    pictures: int
    latent_channels: int
    vae_channels: tuple[int, ...]
    vae_layers: int
    vae_crop: int
    vae_batch: int
    vae_rate: float
    clip_width: int
    text_layers: int
    vision_layers: int
    patch: int
    projection: int
    vocabulary: int
    clip_batch: int
    clip_rate: float
    unet_channels: tuple[int, ...]
    unet_layers: int
    unet_heads: int
    unet_batch: int
    unet_rate: float
    perception_steps: int
    distillation_batch: int
    decoder_batch: int
    reading_batch: int
    reading_led_batch: int
    distillation_rate: float = 2e-4
    reading_rate: float = 5e-4
    wordings_per_picture: int = 16
    decoder_rate: float = 2e-4
    captions_per_picture: int = 4


CPU_128 = Preset(
    size=128,
    pictures=60_000,
    latent_channels=16,
    vae_channels=(24, 48, 96, 128),
    vae_layers=1,
    vae_crop=64,
    vae_batch=8,
    vae_rate=1e-3,
    clip_width=192,
    text_layers=4,
    vision_layers=3,
    patch=16,
    projection=192,
    vocabulary=1024,
    clip_batch=128,
    clip_rate=1e-3,
    unet_channels=(96, 192),
    unet_layers=2,
    unet_heads=4,
    unet_batch=32,
    unet_rate=5e-4,
    perception_steps=2000,
    distillation_batch=16,
    decoder_batch=16,
    reading_batch=64,
    reading_led_batch=4,
)
GPU_128 = replace(
    CPU_128,
    vae_batch=64,
    clip_batch=1024,
    unet_batch=256,
    unet_rate=8e-4,
    distillation_batch=128,
    decoder_batch=128,
    reading_batch=1024,
    reading_led_batch=128,
)
"""The same model in the batches that fill a GPU."""
GPU_256 = Preset(
    size=256,
    pictures=40_000,
    latent_channels=8,
    vae_channels=(32, 64, 96, 128),
    vae_layers=1,
    vae_crop=128,
    vae_batch=64,
    vae_rate=1e-3,
    clip_width=192,
    text_layers=4,
    vision_layers=3,
    patch=16,
    projection=192,
    vocabulary=1024,
    clip_batch=1024,
    clip_rate=1e-3,
    unet_channels=(64, 128, 192),
    unet_layers=1,
    unet_heads=4,
    unet_batch=256,
    unet_rate=8e-4,
    perception_steps=1300,
    distillation_batch=128,
    decoder_batch=64,
    reading_batch=1024,
    reading_led_batch=64,
)
REHEARSAL = Preset(
    size=64,
    pictures=64,
    latent_channels=4,
    vae_channels=(8, 8, 16, 16),
    vae_layers=1,
    vae_crop=32,
    vae_batch=4,
    vae_rate=1e-3,
    clip_width=32,
    text_layers=1,
    vision_layers=1,
    patch=16,
    projection=16,
    vocabulary=700,
    clip_batch=8,
    clip_rate=1e-3,
    unet_channels=(16, 16, 32),
    unet_layers=1,
    unet_heads=2,
    unet_batch=8,
    unet_rate=1e-3,
    perception_steps=2,
    distillation_batch=4,
    decoder_batch=4,
    reading_batch=4,
    reading_led_batch=2,
)
PRESETS = {"128": CPU_128, "128-gpu": GPU_128, "256": GPU_256, "rehearsal": REHEARSAL}
