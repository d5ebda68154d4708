"""Stage 6: the decoder alone, once more, now that it is known what it will be given.

Encoder and denoiser stay as they are, so all latents stay valid. Three things change. The latents
that a reader will have decoded come from the denoiser, and are a little off: half of the batch are
drawings' latents that were noised and drawn again by it. A critic asks that what comes out looks
like a drawing, see :mod:`storybook.training.critic`. And figures count more than the scenery,
their heads the most, see :mod:`storybook.training.emphasis`: an eye is about as wide as a cell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch.nn import functional

from storybook.training import checkpoint, critic
from storybook.training.autoencoder import FACTOR, difference
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
CRITIC_WEIGHT = 0.25
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
    sampler = type(noise_scheduler()).__name__
    made = f"{latents}/{sampler}/{REDRAWN}/{STEPS}/{FIRST}/{LAST}/{GUIDANCE}"
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
    # The sampler that a reader's pictures come from, too: it throws new dice on the way.
    scheduler = noise_scheduler()
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
            guess = free + GUIDANCE * (led - free)
            x = scheduler.step(guess, t, x, generator=dice).prev_sample
        found.append(x.half().cpu().numpy())
        progress(sum(map(len, found)), len(numbers))
    return torch.from_numpy(np.concatenate(found))


def _batches(numbers: torch.Tensor, size: int) -> Iterator[tuple[torch.Tensor, int]]:
    """Yield the pictures in order, as many for each number of steps, and that number."""
    shares = numbers.tensor_split(LAST - FIRST + 1)
    for steps, share in enumerate(shares, start=FIRST):
        yield from ((batch, steps) for batch in share.split(size) if len(batch))


class DecoderStage(Stage):
    """Crops of pictures from drawings' own latents and, as many, from latents drawn again.

    Args:
        vae: whose decoder is trained.
        pictures: uint8, shape (n, size, size, 3).
        latents: of the same pictures, shape (n, channels, h, w), standardised.
        redrawn: what the denoiser made of some of them; None where nothing is trained.
        emphasis: how much each place counts, shape (n, h, w), of mean 1; None as before.
        preset: sizes of crops and batches, and the rate.
    """

    name = "decoder"
    betas = (0.5, 0.99)

    def __init__(
        self,
        vae: AutoencoderKL,
        pictures: torch.Tensor,
        latents: torch.Tensor,
        redrawn: Redrawn | None,
        emphasis: torch.Tensor | None,
        preset: Preset,
    ) -> None:
        super().__init__()
        self.model: AutoencoderKL = vae
        for part in (vae.encoder, vae.quant_conv):
            part.requires_grad_(False)
        self.critic = Critic(preset.latent_channels)
        self.batch_size, self.learning_rate = preset.decoder_batch, preset.decoder_rate
        self._pictures, self._latents, self._redrawn = pictures, latents, redrawn
        self._emphasis, self._side = emphasis, preset.vae_crop // FACTOR

    def forward(self, indices: torch.Tensor) -> torch.Tensor:
        """Return the error of decoded crops of the pictures in ``indices``, and of others redrawn.

        Its gradient is that of the error weighted by place, of what the critic asks for, and of
        what the critic learns.
        """
        drawn, latents, agreement, counts = self._batch(indices)
        decoded = self.model.decode(latents).sample
        # A leaf of its own: each pull stops at the picture, where the two can be compared.
        found = decoded.detach().float().requires_grad_()
        # Both are faded alike where the drawing is no longer what the latents show.
        error = difference(agreement * found, agreement * drawn)
        (pull,) = torch.autograd.grad(error, found)
        lesson = critic.teaching(self.critic, found, drawn, latents, agreement)
        (lesson,) = torch.autograd.grad(lesson, found)
        lesson = CRITIC_WEIGHT * pull.norm() / (lesson.norm() + 1e-12) * lesson
        # The critic knows paper and paint; what it asks for in a face is sharp rather than right.
        pull = counts * pull + lesson / counts.clamp(min=1)
        carried = (decoded.float() * pull).sum()
        carried = carried + critic.learning(self.critic, found, drawn, latents)
        # Only its gradient: the value stays the error's, which curves can be compared by.
        return error.detach() + (carried - carried.detach())

    def _batch(self, indices: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return crops of drawings and of latents, how true these are, and how much all counts.

        Returns:
            drawings from -1 to 1, shape (n, 3, size, size); latents, shape (n, channels, h, w), the
            second half of them redrawn; how far the whole latents still are the drawings', shape
            (n, 1, 1, 1); how much each pixel counts, shape (n, 1, size, size).
        """
        device, half = indices.device, len(indices) // 2
        if self._redrawn is None or self._emphasis is None:
            raise ValueError("there is nothing to train on: no pictures were drawn again")
        again = torch.randint(len(self._redrawn.numbers), (len(indices) - half,))
        numbers = torch.cat([indices[:half].to("cpu"), self._redrawn.numbers[again]])
        clean = _at(self._latents, numbers, device).float()
        latents = torch.cat([clean[:half], self._redrawn.latents[again].to(device).float()])
        agreement = functional.cosine_similarity(latents.flatten(1), clean.flatten(1)).clamp(0, 1)
        counts = _at(self._emphasis, numbers, device).float()
        rows, columns = _crops(counts, self._side)
        at = torch.arange(len(numbers), device=device)[:, None, None], rows, columns
        latents = latents.permute(0, 2, 3, 1)[at].permute(0, 3, 1, 2)  # in memory channels last
        counts = functional.interpolate(counts[at][:, None], scale_factor=FACTOR)
        drawn = self._drawn(numbers, FACTOR * rows[:, :1], FACTOR * columns[..., :1], device)
        return drawn, latents, agreement[:, None, None, None], counts

    def _drawn(
        self, numbers: torch.Tensor, top: torch.Tensor, left: torch.Tensor, device: torch.device
    ) -> torch.Tensor:
        """Return the drawings' crops with these corners, which have shape (n, 1, 1)."""
        pixels = torch.arange(FACTOR * self._side, device=top.device)
        at = numbers[:, None, None].to(top.device), top + pixels[:, None], left + pixels
        there = self._pictures.device
        return as_floats(self._pictures[tuple(index.to(there) for index in at)], device)

    def compile(self) -> None:
        """Leave the networks as they are: they train for too short to repay compiling."""


def _at(table: torch.Tensor, numbers: torch.Tensor, device: torch.device) -> torch.Tensor:
    return table[numbers.to(table.device)].to(device)


def _crops(counts: torch.Tensor, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Choose a square of cells in each picture: the more its middle counts, the more often.

    Args:
        counts: shape (n, h, w).
        size: of a crop's side, in cells.

    Returns:
        Rows, shape (n, size, 1), and columns, shape (n, 1, size).
    """
    high, wide = counts.shape[1:]
    middle = torch.multinomial(counts.flatten(1), 1)[..., None]
    top = (middle // wide - size // 2).clamp(0, high - size)
    left = (middle % wide - size // 2).clamp(0, wide - size)
    cells = torch.arange(size, device=counts.device)
    return top + cells[:, None], left + cells


def belongs(checkpoint_path: Path, vae: AutoencoderKL) -> bool:
    """Tell whether a checkpoint of this stage was trained with the encoder of ``vae``."""
    stored = checkpoint.read(checkpoint_path)["stage"]
    return all(
        # A slim checkpoint holds half precision, and the other may be a whole one.
        torch.equal(stored[f"model.encoder.{name}"].half(), weight.cpu().half())
        for name, weight in vae.encoder.state_dict().items()
    )
