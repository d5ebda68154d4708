"""Stage 1: the KL autoencoder (Rombach et al. 2022, section 3.1), factor 8."""

from __future__ import annotations

import math

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch.nn import functional

from storybook.training import checkpoint, texture
from storybook.training.data import as_floats
from storybook.training.loop import Stage
from storybook.training.presets import Preset
from storybook.world import WORLD_VERSION

FACTOR = 8
"""So many pixels, each way, share one place of the latents."""
START_LOGVAR = -6.0
"""The posterior starts nearly deterministic: full noise would waste the first thousand steps."""
KL_WEIGHT = 1e-6
TEXTURE_WEIGHT = 0.25
STANDARD = 0.02
"""So far from mean 0 and deviation 1 latents still count as standardised."""


def build(preset: Preset) -> AutoencoderKL:
    """Return an untrained autoencoder whose latents are 8 times smaller than the picture."""
    channels = preset.vae_channels
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * len(channels),
        up_block_types=("UpDecoderBlock2D",) * len(channels),
        block_out_channels=channels,
        layers_per_block=preset.vae_layers,
        latent_channels=preset.latent_channels,
        norm_num_groups=8,
        sample_size=preset.size,
        scaling_factor=1.0,
        mid_block_add_attention=False,
    )
    with torch.no_grad():
        vae.quant_conv.bias[preset.latent_channels :] = START_LOGVAR
        vae.quant_conv.weight[preset.latent_channels :] = 0.0
    return vae


class AutoencoderStage(Stage):
    """Reconstruction of random crops: error of pixels and of textures, and a little KL.

    Crops begin where latents do, as whole pictures do. Elsewhere a pattern that is tied to the
    page, such as pixel art's blocks of two, would lie differently in every crop.

    Args:
        vae: the autoencoder.
        pictures: uint8, shape (n, size, size, 3).
        preset: crop, batch size and rate.
    """

    name = "autoencoder"

    def __init__(self, vae: AutoencoderKL, pictures: torch.Tensor, preset: Preset) -> None:
        super().__init__()
        self.model: AutoencoderKL = vae
        self.batch_size, self.learning_rate = preset.vae_batch, preset.vae_rate
        self.pictures, self._crop = pictures, preset.vae_crop

    def forward(self, indices: torch.Tensor) -> torch.Tensor:
        """Return the loss on a crop of each picture in ``indices``."""
        target = as_floats(self._cropped(indices), indices.device)
        posterior = self.model.encode(target).latent_dist
        found = self.model.decode(posterior.sample()).sample
        return difference(found, target) + KL_WEIGHT * posterior.kl().mean()

    def _cropped(self, indices: torch.Tensor) -> torch.Tensor:
        device, crop = self.pictures.device, self._crop
        room = (self.pictures.shape[1] - crop) // FACTOR
        corners = FACTOR * torch.randint(0, room + 1, (2, len(indices), 1), device=device)
        rows, columns = corners + torch.arange(crop, device=device)
        return self.pictures[indices.to(device)[:, None, None], rows[:, :, None], columns[:, None]]

    def compile(self) -> None:
        """Compile the two networks in place."""
        self.model.encoder.compile()
        self.model.decoder.compile()


def difference(found: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return how far decoded pictures are from the drawings, by pixels and textures: shape ().

    Args:
        found: shape (n, 3, height, width).
        target: from -1 to 1, same shape.
    """
    found = found.float()
    error = functional.l1_loss(found, target) + functional.mse_loss(found, target)
    return error + TEXTURE_WEIGHT * texture.difference(found, target)


def fingerprint(vae: AutoencoderKL, pictures: int) -> str:
    """Name the latents of so many pictures by the weights that they depend on."""
    return checkpoint.fingerprint(f"{WORLD_VERSION}/{pictures}", vae.encoder, vae.quant_conv)


@torch.no_grad()
def encode_all(
    vae: AutoencoderKL, pictures: torch.Tensor, device: torch.device, batch: int = 64
) -> torch.Tensor:
    """Return the mean latents of all pictures: float16, shape (n, channels, h, w), on the CPU."""
    vae.eval()
    parts = []
    with torch.compiler.set_stance("force_eager"):  # one pass does not repay compiling
        for start in range(0, len(pictures), batch):
            shown = as_floats(pictures[start : start + batch], device)
            parts.append(vae.encode(shown).latent_dist.mean.half().cpu().numpy())
    return torch.from_numpy(np.concatenate(parts))


@torch.no_grad()
def standardise(vae: AutoencoderKL, latents: torch.Tensor) -> torch.Tensor:
    """Give every latent channel mean 0 and variance 1, inside the autoencoder's own weights.

    The 1×1 convolutions around the latents absorb the change, so that pictures stay the same
    and the scaling factor is 1.

    Args:
        vae: changed in place.
        latents: the old mean latents, shape (n, channels, h, w).

    Returns:
        The new latents, same shape and dtype.
    """
    mean = latents.float().mean((0, 2, 3))
    scale = latents.float().std((0, 2, 3)).clamp_min(1e-4)
    if mean.abs().max() < STANDARD and (scale - 1).abs().max() < STANDARD:
        return latents  # of a finished model: other pictures are no reason for other weights
    channels, device = len(mean), vae.quant_conv.weight.device
    mean_, scale_ = mean.to(device), scale.to(device)
    vae.quant_conv.weight[:channels] /= scale_[:, None, None, None]
    vae.quant_conv.bias[:channels] = (vae.quant_conv.bias[:channels] - mean_) / scale_
    vae.quant_conv.bias[channels:] -= 2 * scale_.log()
    weight = vae.post_quant_conv.weight
    vae.post_quant_conv.bias += (weight[..., 0, 0] * mean_).sum(1)
    vae.post_quant_conv.weight *= scale_[None, :, None, None]
    return ((latents.float() - mean[:, None, None]) / scale[:, None, None]).to(latents.dtype)


@torch.no_grad()
@torch.compiler.set_stance("force_eager")
def psnr(vae: AutoencoderKL, pictures: np.ndarray) -> float:
    """Return the mean peak signal-to-noise ratio in dB over pictures sent there and back."""
    device = next(vae.parameters()).device
    values = []
    for picture in pictures:
        target = as_floats(torch.from_numpy(picture[None]), device)
        found = vae.decode(vae.encode(target).latent_dist.mode()).sample.clamp(-1, 1)
        error = functional.mse_loss((found + 1) / 2, (target + 1) / 2).item()
        values.append(-10 * math.log10(max(error, 1e-10)))
    return float(np.mean(values))
