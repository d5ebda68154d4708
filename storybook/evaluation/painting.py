"""Has a model make pictures, and follows it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from explainer.parameters import GUIDANCE_SCALE, STEPS

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How pictures are made: the pipeline's own arguments. Picture i has seed ``seed + i``."""

    steps: int = STEPS
    guidance_scale: float = GUIDANCE_SCALE
    seed: int = 0
    batch: int = 8


def paint(
    pipe: StableDiffusionPipeline,
    prompts: Sequence[str],
    settings: Settings,
    progress: Progress,
    negatives: Sequence[str] | None = None,
) -> np.ndarray:
    """Make one picture a prompt.

    Args:
        pipe: the model.
        prompts: what to show.
        settings: how to make them.
        progress: told how far it is.
        negatives: a negative prompt for each prompt; None for none.

    Returns:
        uint8, shape (n, height, width, 3). Seeds are drawn on the CPU, so that every device
        starts from the same noise.
    """
    pictures: list[np.ndarray] = []
    for start in range(0, len(prompts), settings.batch):
        texts = list(prompts[start : start + settings.batch])
        unwanted = list(negatives[start : start + settings.batch]) if negatives else None
        seeds = range(settings.seed + start, settings.seed + start + len(texts))
        made = pipe(
            texts,
            negative_prompt=unwanted,
            num_inference_steps=settings.steps,
            guidance_scale=settings.guidance_scale,
            generator=[torch.Generator("cpu").manual_seed(seed) for seed in seeds],
        ).images
        pictures += [np.asarray(image.convert("RGB")) for image in made]
        progress("pictures from prompts", len(pictures), len(prompts))
    return np.stack(pictures)
