"""The twin: the same denoiser, trained on a handful of pictures until it knows them by heart.

It is what a copying model looks like. A test of copying that does not flag it is worth nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from storybook.dataset import captions, pictures
from storybook.training import autoencoder, checkpoint, denoiser, devices
from storybook.training.data import ids
from storybook.training.loop import Budget, Trainer
from storybook.training.presets import PRESETS, Preset
from storybook.world import WORLD_VERSION

if TYPE_CHECKING:
    from diffusers import StableDiffusionPipeline

PICTURES = 100
STEPS = 400


def overfitted(
    pipe: StableDiffusionPipeline,
    state: Path,
    *,
    count: int = PICTURES,
    steps: int = STEPS,
    say: Callable[[str], None] = print,
) -> StableDiffusionPipeline:
    """Return a twin of a model whose denoiser went on learning the first pictures alone.

    Args:
        pipe: the model, with the sizes of one of the presets; left as it is.
        state: a folder for twins' checkpoints, from which a second call goes on.
        count: on how many training pictures.
        steps: optimizer steps in all.
        say: told how training goes.

    Raises:
        TrainingStopped: when training cannot go on.
        ValueError: if no preset makes pictures of the model's size.
    """
    size = preset(pipe).size
    # Another denoiser's twin, or one that learned other latents, must not be gone on with.
    origin = (pipe.unet, pipe.text_encoder, pipe.vae.encoder, pipe.vae.quant_conv)
    folder = state / f"{checkpoint.fingerprint(f'{WORLD_VERSION}/{count}', *origin)}-{count}"
    drawn = pictures(folder, size=size, count=count)
    latents = autoencoder.encode_all(pipe.vae, torch.tensor(np.asarray(drawn)), pipe.device).float()
    told = [text for some in captions(count, 1) for text in some]
    # It may train on another device than the model lies on, with a reader of its own there.
    accelerator = devices.accelerator()
    stage = denoiser.DenoiserStage(
        copy.deepcopy(pipe.unet),
        denoiser.Captioned(
            latents * pipe.vae.config.scaling_factor,
            torch.from_numpy(ids(pipe.tokenizer, told))[:, None],
            torch.from_numpy(ids(pipe.tokenizer, [""])[0]),
            copy.deepcopy(pipe.text_encoder).to(accelerator.device),
        ),
        preset(pipe),
    )
    trainer = Trainer(stage, folder, accelerator, say=say)
    trainer.fit(count, Budget(steps=steps, in_all=True))
    parts = {**pipe.components, "unet": stage.model.to(pipe.device).eval()}
    twin = type(pipe)(**parts, requires_safety_checker=False)
    twin.set_progress_bar_config(disable=True)
    return twin


def preset(pipe: StableDiffusionPipeline) -> Preset:
    """Return how a model of this size is trained.

    Raises:
        ValueError: if no preset makes pictures of its size.
    """
    size = pipe.unet.config.sample_size * pipe.vae_scale_factor
    for one in PRESETS.values():
        if one.size == size:
            return one
    raise ValueError(f"no preset trains a twin for pictures {size} pixels wide; leave --twin out")
