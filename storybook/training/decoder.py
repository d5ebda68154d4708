"""Stage 5: the decoder alone, once more, now that it is known what it will be given.

Encoder and denoiser stay as they are, so all latents stay valid. Two things change. The latents
that a reader will have decoded come from the denoiser, and are a little off: half of the batch are
drawings' latents that were noised and drawn again by it. And a critic asks that what comes out
looks like a drawing, see :mod:`storybook.training.critic`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler
from torch.nn import functional

from storybook.training import checkpoint, critic
from storybook.training.autoencoder import difference
from storybook.training.critic import Critic
from storybook.training.data import as_floats
from storybook.training.denoiser import DenoiserStage, noise_scheduler
from storybook.training.loop import Stage
from storybook.training.presets import Preset

REDRAWN = 2048
"""So many drawings are noised and drawn again."""
STEPS, FIRST, LAST = 15, 2, 13
"""Of 15 steps some are given the last two, others more: of the last 13, little stays as it was."""
GUIDANCE = 3.0
CRITIC_WEIGHT = 0.5
"""The critic's pull on a picture, in units of the pull of the error."""


@dataclass(frozen=True, slots=True)
class Redrawn:
    """Latents as the denoiser leaves them.

    Args:
        numbers: of the training pictures they were drawn again from, int64, shape (n,).
        latents: float16, shape (n, channels, h, w).
    """

    numbers: torch.Tensor
    latents: torch.Tensor


def version(stage: DenoiserStage, latents: str) -> str:
    """Name what a denoiser, led by its text encoder, draws again from latents of a name."""
    made = f"{latents}/{REDRAWN}/{STEPS}/{FIRST}/{LAST}/{GUIDANCE}"
    return checkpoint.fingerprint(made, stage.model, stage.data.text_encoder)


def redrawn_numbers(pictures: int) -> torch.Tensor:
    """Return which of so many pictures are drawn again: int64, at most :data:`REDRAWN`."""
    return torch.randperm(pictures, generator=torch.Generator().manual_seed(0))[:REDRAWN]


@torch.no_grad()
@torch.compiler.set_stance("force_eager")
def redraw(
    stage: DenoiserStage,
    numbers: torch.Tensor,
    latents: torch.Tensor,
    tokens: torch.Tensor,
    progress: Callable[[int, int], None],
) -> torch.Tensor:
    """Noise some drawings' latents and let the denoiser draw them again, led by their captions.

    Args:
        stage: the denoiser and its text encoder.
        numbers: of the drawings, shape (n,).
        latents: of all training pictures, shape (pictures, channels, h, w), standardised.
        tokens: their captions' token ids, shape (pictures, captions, context).
        progress: told after each batch how many are drawn, and of how many.

    Returns:
        float16, shape (n, channels, h, w), on the CPU.
    """
    device = next(stage.model.parameters()).device
    dice = torch.Generator().manual_seed(0)
    # Without dice on the way: what is amiss then is the denoiser's doing alone.
    scheduler = DDIMScheduler.from_config(noise_scheduler().config, set_alpha_to_one=False)
    scheduler.set_timesteps(STEPS)
    found = []
    for chosen, steps in _batches(numbers, stage.batch_size):
        texts = stage.led_and_free(tokens[chosen.to(tokens.device), 0].to(device).long())
        timesteps = scheduler.timesteps[-steps:]
        clean = latents[chosen.to(latents.device)].to(device).float()
        noise = torch.randn(clean.shape, generator=dice).to(device)
        x = scheduler.add_noise(clean, noise, timesteps[:1].expand(len(clean)))
        for t in timesteps:
            both = torch.cat([x, x]).contiguous(memory_format=torch.channels_last)
            led, free = stage.model(both, t, texts).sample.float().chunk(2)
            x = scheduler.step(free + GUIDANCE * (led - free), t, x).prev_sample
        found.append(x.half().cpu().numpy())
        progress(sum(map(len, found)), len(numbers))
    return torch.from_numpy(np.concatenate(found))


def _batches(numbers: torch.Tensor, size: int) -> Iterator[tuple[torch.Tensor, int]]:
    """Yield the pictures in order, as many for each number of steps, and that number."""
    shares = numbers.tensor_split(LAST - FIRST + 1)
    for steps, share in enumerate(shares, start=FIRST):
        yield from ((batch, steps) for batch in share.split(size) if len(batch))


class DecoderStage(Stage):
    """Whole pictures from drawings' own latents and, as many, from latents drawn again.

    Args:
        vae: whose decoder is trained.
        pictures: uint8, shape (n, size, size, 3).
        latents: of the same pictures, shape (n, channels, h, w), standardised.
        redrawn: what the denoiser made of some of them; None where nothing is trained.
        preset: batch size and rate.
    """

    name = "decoder"
    betas = (0.5, 0.99)

    def __init__(
        self,
        vae: AutoencoderKL,
        pictures: torch.Tensor,
        latents: torch.Tensor,
        redrawn: Redrawn | None,
        preset: Preset,
    ) -> None:
        super().__init__()
        self.model: AutoencoderKL = vae
        for part in (vae.encoder, vae.quant_conv):
            part.requires_grad_(False)
        self.critic = Critic(preset.latent_channels)
        self.batch_size, self.learning_rate = preset.decoder_batch, preset.decoder_rate
        self._pictures, self._latents, self._redrawn = pictures, latents, redrawn

    def forward(self, indices: torch.Tensor) -> torch.Tensor:
        """Return the error of the decoded pictures in ``indices``, and of others drawn again.

        Its gradient is also that of what the critic asks for, and of what the critic learns.
        """
        drawn, latents, agreement = self._batch(indices)
        decoded = self.model.decode(latents).sample
        # A leaf of its own: each pull stops at the picture, where the two can be compared.
        found = decoded.detach().float().requires_grad_()
        # Both are faded alike where the drawing is no longer what the latents show.
        error = difference(agreement * found, agreement * drawn)
        (pull,) = torch.autograd.grad(error, found)
        lesson = critic.teaching(self.critic, found, drawn, latents, agreement)
        (lesson,) = torch.autograd.grad(lesson, found)
        pull = pull + CRITIC_WEIGHT * pull.norm() / (lesson.norm() + 1e-12) * lesson
        carried = (decoded.float() * pull).sum()
        carried = carried + critic.learning(self.critic, found, drawn, latents)
        # Only its gradient: the value stays the error's, which curves can be compared by.
        return error.detach() + (carried - carried.detach())

    def _batch(self, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return drawings from -1 to 1, latents, and how far these still are the drawings'.

        The second half of the latents are redrawn ones.
        """
        device, half, redrawn = indices.device, len(indices) // 2, self._redrawn
        if redrawn is None:
            raise ValueError("there is nothing to train on: no pictures were drawn again")
        again = torch.randint(len(redrawn.numbers), (len(indices) - half,))
        numbers = torch.cat([indices[:half].to("cpu"), redrawn.numbers[again]])
        clean = self._latents[numbers.to(self._latents.device)].to(device).float()
        latents = torch.cat([clean[:half], redrawn.latents[again].to(device).float()])
        agreement = functional.cosine_similarity(latents.flatten(1), clean.flatten(1)).clamp(0, 1)
        drawn = as_floats(self._pictures[numbers.to(self._pictures.device)], device)
        latents = latents.to(memory_format=torch.channels_last)
        return drawn, latents, agreement[:, None, None, None]

    def compile(self) -> None:
        """Leave the networks as they are: they train for too short to repay compiling."""


def belongs(checkpoint_path: Path, vae: AutoencoderKL) -> bool:
    """Tell whether a checkpoint of this stage was trained with the encoder of ``vae``."""
    stored = checkpoint.read(checkpoint_path)["stage"]
    return all(
        # A slim checkpoint holds half precision, and the other may be a whole one.
        torch.equal(stored[f"model.encoder.{name}"].half(), weight.cpu().half())
        for name, weight in vae.encoder.state_dict().items()
    )
