"""Stage 4: the denoiser learns to mend its own guesses.

A denoiser whose self-attention is switched off sees each place of a picture alone: it guesses faces
that lack an eye and bodies that lack a limb. Going on along the way from such a blind guess to the
usual one mends pictures (perturbed-attention guidance, Ahn et al. 2024), but asks the denoiser once
more a step. So a copy of it is taught to give the mended guess by itself, as Meng et al. (2023)
distil guidance: a step costs what it did, and the model is used like any other.

Only guesses that a caption leads are mended. Guidance, which goes on from the guess without a
caption to the one with, then strengthens what was mended as it does the words. And only the guesses
that settle what is where. The first ones decide which of all the pictures that a caption allows it
will be; mended, they would make the likeliest of it, ever the same. The last ones place grain and
dots. Both stay as they are.

The copy is what the finished model holds. Its guesses smooth paper and paint a little, which a
sampler that adds noise in every step makes up for.
"""

from __future__ import annotations

from pathlib import Path

import torch
from diffusers import UNet2DConditionModel
from diffusers.models.attention_processor import PAGIdentitySelfAttnProcessor2_0

from storybook.training import checkpoint
from storybook.training.denoiser import DenoiserStage
from storybook.training.presets import Preset

STRENGTH = 0.8
"""How far to go on, in units of the way from the blind guess to the usual one."""
LAST, FROM, TO, FIRST = 200, 300, 550, 700
"""Guesses are mended at full strength between the middle two timesteps, beyond the outer two not
at all. Sampling goes through them from the right to the left."""


def origin(teacher: UNet2DConditionModel) -> str:
    """Name the denoiser that teaches, as well as half precision tells it."""
    return checkpoint.fingerprint("distillation", teacher, halved=True)


class DistillationStage(DenoiserStage):
    """A denoiser learns from a frozen copy of itself, with and without self-attention.

    Args:
        teacher: the trained denoiser's stage, on whose latents and captions it goes on.
        preset: batch size and rate.
    """

    name = "distillation"

    def __init__(self, teacher: DenoiserStage, preset: Preset) -> None:
        super().__init__(_copy(teacher.model), teacher.data, preset)
        self.batch_size, self.learning_rate = preset.distillation_batch, preset.distillation_rate
        self.origin = origin(teacher.model)
        # In a tuple, so that the teacher is neither trained nor saved with the stage.
        self._teacher = (_half_blind(teacher.model),)

    def forward(self, indices: torch.Tensor) -> torch.Tensor:
        """Return the error in units of what there is to learn where all of it is asked for."""
        _, _, noisy, timesteps = self.noised(indices)
        texts, alone = self._texts(indices)
        guess, way = self._taught(noisy, timesteps, texts)
        wanted = ~alone * _strength(timesteps)
        found = self.model(noisy, timesteps, texts).sample.float()
        missed = found - guess - wanted.view(-1, 1, 1, 1) * way
        return (_squared(missed) / _squared(STRENGTH * way)).mean()

    @torch.no_grad()
    def _taught(
        self, noisy: torch.Tensor, timesteps: torch.Tensor, texts: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the teacher's guess, and the way to it from the blind one."""
        (teacher,) = self._teacher
        both = torch.cat([noisy, noisy]).contiguous(memory_format=torch.channels_last)
        guesses = teacher(both, timesteps.repeat(2), texts.repeat(2, 1, 1)).sample.float()
        guess, blind = guesses.chunk(2)
        return guess, guess - blind

    def _timesteps(self, count: int, device: torch.device) -> torch.Tensor:
        """Draw timesteps evenly over the schedule."""
        return (self._evenly(count, device) * self._scheduler.config.num_train_timesteps).long()

    def compile(self) -> None:
        """Leave the networks as they are: they train for too short to repay compiling."""


def learned_here(checkpoint_path: Path, teacher: UNet2DConditionModel) -> bool:
    """Tell whether a checkpoint of this stage differs from the denoiser that would teach it.

    In a finished model there is one denoiser alone, which stands for both then.
    """
    stored = checkpoint.read(checkpoint_path)["stage"]
    return any(
        not torch.equal(stored[f"model.{name}"].half(), weight.cpu().half())
        for name, weight in teacher.state_dict().items()
    )


def _copy(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """Return the same denoiser, not compiled where the other is."""
    copied: UNet2DConditionModel = UNet2DConditionModel.from_config(unet.config)
    copied.load_state_dict(unet.state_dict())
    return copied.to(unet.device, memory_format=torch.channels_last)


def _half_blind(unet: UNet2DConditionModel) -> UNet2DConditionModel:
    """Return a frozen copy without self-attention for the second half of a batch."""
    copied = _copy(unet).requires_grad_(False).eval()
    blind = PAGIdentitySelfAttnProcessor2_0()
    copied.set_attn_processor(
        {
            name: blind if ".attn1." in name else processor
            for name, processor in copied.attn_processors.items()
        }
    )
    return copied


def _strength(timesteps: torch.Tensor) -> torch.Tensor:
    """Return how far to go on at each timestep, same shape."""
    rising = (timesteps - LAST) / (FROM - LAST)
    falling = (FIRST - timesteps) / (FIRST - TO)
    return STRENGTH * torch.minimum(rising, falling).clamp(0, 1)


def _squared(values: torch.Tensor) -> torch.Tensor:
    return values.square().mean((1, 2, 3))
