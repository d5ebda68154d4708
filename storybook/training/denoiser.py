"""Stage 3: the UNet that predicts the noise in a noisy latent, led by the caption."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
from diffusers.models.attention_processor import AttnProcessor
from diffusers.training_utils import compute_snr
from transformers import CLIPModel, CLIPTextModel

from storybook.training import checkpoint
from storybook.training.autoencoder import FACTOR
from storybook.training.data import chosen
from storybook.training.loop import Stage
from storybook.training.perception import Perception
from storybook.training.presets import Preset

DROP_CAPTION = 0.1
"""Share of captions replaced by the empty one (Ho and Salimans 2022, section 3.2)."""
SNR_FLOOR, SNR_CAP = 0.25, 5.0
"""The picture's error weighs SNR + 0.25, at most 5 (the cap: Hang et al. 2023).

Without a floor, nothing is learned from pictures lost in noise, where the text alone can tell what
they show: the first steps of a run, which decide who and where, then came out worse than grey.
"""
MOST_WEIGHT = 25.0
"""No noise error weighs more: in all but pure noise it says too little about the picture."""
MIDDLE = 0.5
"""How unevenly timesteps are drawn: at 0.5 the middle ones twice as often as evenly, the outer ones
two thirds as often. Before them a guess is vague, after them it is settled what is where."""
PERCEPTION_WEIGHT = 0.4
"""How much it counts whether the picture that a guess implies looks like the true one."""
MOST_LATENT = 6.0
"""No latent goes further from 0; a guess in pure noise may imply one that does."""

_SCHEDULE = {
    "num_train_timesteps": 1000,
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    # Higher than in Stable Diffusion: a small latent is hidden by less noise, yet the last
    # timestep must hide it whole, or night scenes come out grey.
    "beta_end": 0.02,
    "prediction_type": "epsilon",
}


def noise_scheduler() -> DDPMScheduler:
    """Return the schedule that training adds noise by, and that the pipeline samples by.

    Sampling starts from pure noise, however few its steps are.
    """
    return DDPMScheduler(
        **_SCHEDULE,
        clip_sample=False,
        timestep_spacing="trailing",
        steps_offset=1,  # unused by this spacing, but Stable Diffusion pipelines insist on it
    )


def build(preset: Preset) -> UNet2DConditionModel:
    """Return an untrained UNet with cross-attention at every size, the smallest's in the middle."""
    channels = preset.unet_channels
    down = ("CrossAttnDownBlock2D",) * (len(channels) - 1) + ("DownBlock2D",)
    return UNet2DConditionModel(
        sample_size=preset.size // FACTOR,
        in_channels=preset.latent_channels,
        out_channels=preset.latent_channels,
        block_out_channels=channels,
        layers_per_block=preset.unet_layers,
        down_block_types=down,
        up_block_types=tuple(block.replace("Down", "Up") for block in reversed(down)),
        cross_attention_dim=preset.clip_width,
        # diffusers' name misleads: this is the number of heads.
        attention_head_dim=preset.unet_heads,
        norm_num_groups=16,
    )


def origin(vae: AutoencoderKL, pair: CLIPModel) -> str:
    """Name the encoders of pictures and of texts, whose outputs mean nothing to other denoisers.

    Standardising the latents leaves the name as it is.
    """
    return checkpoint.fingerprint("denoiser", vae.encoder, pair.text_model, halved=True)


def loss_weight(snr: torch.Tensor) -> torch.Tensor:
    """Return the weight of the squared noise error at a signal-to-noise ratio, same shape."""
    return ((snr + SNR_FLOOR).clamp(max=SNR_CAP) / snr).clamp(max=MOST_WEIGHT)


def implied(
    scheduler: DDPMScheduler,
    noisy: torch.Tensor,
    noise: torch.Tensor,
    timesteps: torch.Tensor,
) -> torch.Tensor:
    """Return the clean latents that a guess at the noise implies (Ho et al. 2020, eq. 15).

    Args:
        scheduler: how much signal is left at each timestep.
        noisy: shape (n, channels, h, w).
        noise: the guess, same shape.
        timesteps: shape (n,).

    Returns:
        Same shape, bounded by :data:`MOST_LATENT`.
    """
    signal = scheduler.alphas_cumprod.to(noisy.device)[timesteps].view(-1, 1, 1, 1)
    clean = (noisy - (1 - signal).sqrt() * noise) / signal.sqrt()
    return clean.clamp(-MOST_LATENT, MOST_LATENT)


@dataclass(frozen=True, slots=True)
class Captioned:
    """Latents with their captions, and who reads these.

    Args:
        latents: shape (n, channels, h, w), standardised.
        tokens: token ids, shape (n, captions, context).
        empty: token ids of the empty prompt, shape (context,).
        text_encoder: frozen here; no stage that holds it so trains or saves it.
    """

    latents: torch.Tensor
    tokens: torch.Tensor
    empty: torch.Tensor
    text_encoder: CLIPTextModel

    def __post_init__(self) -> None:
        self.text_encoder.requires_grad_(False).eval()


class DenoiserStage(Stage):
    """Noise is added to latents at random timesteps; the UNet says which.

    Args:
        unet: the denoiser.
        data: what it learns from.
        preset: batch size and rate.
        emphasis: if given, how much each place of each latent counts, shape (n, h, w), of mean 1.
        perception: if given, it counts too how far from the true picture the implied one looks.
        show: called with the step at snapshots.
        origin: names the encoders, see :func:`origin`.
    """

    name = "denoiser"

    def __init__(
        self,
        unet: UNet2DConditionModel,
        data: Captioned,
        preset: Preset,
        *,
        emphasis: torch.Tensor | None = None,
        perception: Perception | None = None,
        show: Callable[[int], None] | None = None,
        origin: str | None = None,
    ) -> None:
        super().__init__()
        self.model: UNet2DConditionModel = unet
        self.batch_size, self.learning_rate = preset.unet_batch, preset.unet_rate
        self._scheduler = noise_scheduler()
        self._emphasis = emphasis
        self._difference = perception.requires_grad_(False).difference if perception else None
        self.data = data
        self._show, self.origin = show, origin
        if data.text_encoder.device.type == "cpu":
            # Measured on two cores: the eager processor trains faster than fused attention.
            unet.set_attn_processor(AttnProcessor())

    def forward(self, indices: torch.Tensor) -> torch.Tensor:
        """Return the squared error of the predicted noise, weighted by timestep.

        Its gradient is that of the error weighted by place, too, see
        :mod:`storybook.training.emphasis`, and of how the picture behind it looks, see
        :mod:`storybook.training.perception`.
        """
        clean, noise, noisy, timesteps = self.noised(indices)
        texts, _ = self._texts(indices)
        found = self.model(noisy, timesteps, texts).sample.float()
        snr = compute_snr(self._scheduler, timesteps)
        errors = (found - noise).square().mean(1)
        plain = (errors.mean((1, 2)) * loss_weight(snr)).mean()
        asked = plain
        if self._emphasis is not None:
            counts = self._emphasis[indices.to(self._emphasis.device)].to(errors)
            asked = ((errors * counts).mean((1, 2)) * loss_weight(snr)).mean()
        if self._difference is not None:
            seems = implied(self._scheduler, noisy, found, timesteps)
            # Where the picture is lost in noise, how it looks is a guess that nobody can get right.
            seen = (self._difference(seems, clean) * snr / (snr + SNR_FLOOR)).mean()
            asked = asked + PERCEPTION_WEIGHT * seen
        # Only their gradient: the value stays the noise error's. Curves can be compared by it, if
        # their timesteps were drawn alike.
        return plain.detach() + (asked - asked.detach())

    def noised(self, indices: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return clean latents, noise, the one in the other, each at its timestep, and these."""
        device = indices.device
        latents = self.data.latents
        clean = latents[indices.to(latents.device)].to(device).float()
        clean = clean.to(memory_format=torch.channels_last)
        noise = torch.randn_like(clean)
        timesteps = self._timesteps(len(clean), device)
        return clean, noise, self._scheduler.add_noise(clean, noise, timesteps), timesteps

    def weights(self, timesteps: torch.Tensor) -> torch.Tensor:
        """Return how much a squared error counts at each timestep, same shape."""
        return loss_weight(compute_snr(self._scheduler, timesteps))

    def _timesteps(self, count: int, device: torch.device) -> torch.Tensor:
        """Draw timesteps all over the schedule, those in the middle more often."""
        even = self._evenly(count, device)
        crowded = even + MIDDLE / (2 * math.pi) * torch.sin(2 * math.pi * even)
        return (crowded * self._scheduler.config.num_train_timesteps).long()

    def _evenly(self, count: int, device: torch.device) -> torch.Tensor:
        """Draw numbers from 0 to 1, equally far apart: that steadies the loss of a small batch."""
        return (torch.arange(count, device=device) / count + torch.rand((), device=device)) % 1

    def _texts(self, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the captions' states, and which captions were left out, shape (n,)."""
        tokens = chosen(self.data.tokens, indices)
        dropped = torch.rand(len(tokens), 1, device=tokens.device) < DROP_CAPTION
        # Chosen by where, not by an index: that would make a GPU wait for the processor.
        tokens = torch.where(dropped, self.data.empty.to(tokens), tokens)
        return self._states(tokens), dropped[:, 0]

    def led_and_free(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the states that guide a batch: of its captions, then of as many empty ones.

        Args:
            tokens: token ids, shape (n, context).

        Returns:
            Shape (2n, context, width).
        """
        empty = self.data.empty.to(tokens).expand_as(tokens)
        return self._states(torch.cat([tokens, empty]))

    @torch.no_grad()
    def _states(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.data.text_encoder(tokens).last_hidden_state

    def compile(self) -> None:
        """Compile the UNet in place, and the look at what it implies."""
        self.model.compile()
        if self._difference is not None:
            self._difference = torch.compile(self._difference)

    def snapshot(self, step: int) -> None:
        """Let the caller look at the model as it is now."""
        if self._show:
            self._show(step)
