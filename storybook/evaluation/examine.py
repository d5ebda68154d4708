"""Runs a model's parts on what training never showed, and measures what comes out."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from explainer.stages import latent
from storybook.captions import captions_for
from storybook.evaluation.metrics import psnr, score, tallies_as_json
from storybook.evaluation.painting import Progress, Settings, paint
from storybook.evaluation.prompts import REPORTED
from storybook.illustrator import draw
from storybook.world import Scene, scene

if TYPE_CHECKING:
    from diffusers import AutoencoderKL, StableDiffusionPipeline
    from torch import Tensor

    from storybook.evaluation.judge import Judge
    from storybook.evaluation.prompts import Prompts

GUIDANCE_SCALES = (1.0, 2.0, 3.0, 5.0, 7.5, 10.0, 20.0)
STEPS = (4, 10, 25, 50, 200)
PHOTOGRAPH = 256
"""Width and height of the photograph, in pixels."""


@dataclass(slots=True)
class Drawings:
    """Held-out drawings, scenes and captions, at the model's size."""

    scenes: list[Scene]
    captions: list[str]
    pictures: np.ndarray = field(repr=False)

    def first(self, count: int) -> Drawings:
        """Return the first ``count`` of them."""
        return Drawings(self.scenes[:count], self.captions[:count], self.pictures[:count])


def heldout_drawings(
    count: int, size: int, progress: Progress, *, first: int = REPORTED
) -> Drawings:
    """Draw held-out scenes, counted from ``first``, each with one caption."""
    scenes = [scene(number, "heldout") for number in range(first, first + count)]
    pictures = np.empty((count, size, size, 3), np.uint8)
    for i, shown in enumerate(scenes):
        pictures[i] = draw(shown, size)
        progress("held-out drawings", i + 1, count)
    return Drawings(scenes, [captions_for(shown, 1)[0].text for shown in scenes], pictures)


@torch.inference_mode()
def reconstruct(vae: AutoencoderKL, pictures: np.ndarray, batch: int = 16) -> np.ndarray:
    """Return pictures after the autoencoder: encoded to the posterior's mean, then decoded.

    Args:
        vae: any diffusers autoencoder with a Gaussian posterior.
        pictures: uint8, shape (n, height, width, 3).
        batch: how many at once.

    Returns:
        Like ``pictures``.
    """
    pieces = []
    for start in range(0, len(pictures), batch):
        x = torch.tensor(pictures[start : start + batch])
        x = x.permute(0, 3, 1, 2).to(vae.device, vae.dtype) / 127.5 - 1
        decoded = vae.decode(vae.encode(x).latent_dist.mode()).sample
        pieces.append(_as_pictures(decoded))
    return np.concatenate(pieces)


def _as_pictures(x: Tensor) -> np.ndarray:
    levels = ((x.float() / 2 + 0.5).clamp(0, 1) * 255).round()
    return levels.byte().permute(0, 2, 3, 1).cpu().numpy()


def autoencoder_quality(
    drawings: Drawings, reconstructions: np.ndarray
) -> dict[str, float | str | dict[str, float]]:
    """Return the mean PSNR in dB over drawings, each style's, and the worst style."""
    decibels = psnr(drawings.pictures, reconstructions)
    styles = np.array([shown.style for shown in drawings.scenes])
    by_style = {style: float(decibels[styles == style].mean()) for style in sorted(set(styles))}
    worst = min(by_style, key=lambda style: by_style[style])
    return {
        "psnr": float(decibels.mean()),
        "pictures": len(decibels),
        "by_style": by_style,
        "worst_style": worst,
    }


def photograph(vae: AutoencoderKL) -> dict[str, Any]:
    """Return what the autoencoder makes of a photograph, which is nothing that it ever saw.

    It is the portrait of Grace Hopper (public domain) that comes with matplotlib.
    """
    shown = latent.photograph(PHOTOGRAPH)[None]
    decibels = float(psnr(shown, reconstruct(vae, shown))[0])
    return {"of": "Grace Hopper", "size": PHOTOGRAPH, "psnr": decibels}


def judge_quality(
    judge: Judge, drawings: Drawings, reconstructions: np.ndarray, unseen: Prompts
) -> dict[str, Any]:
    """Return how often the judge itself is right, with counts of what the scenes hold.

    Args:
        judge: who looks.
        drawings: it looks at them as they are,
        reconstructions: after the autoencoder,
        unseen: and at drawings of what these prompts say: pairs that the model's training never
            showed.
    """
    size = drawings.pictures.shape[1]
    told = np.stack([draw(shown, size) for _, shown in unseen])
    names = [caption.names for caption, _ in unseen]
    return {
        "drawings": tallies_as_json(score(judge.look(drawings.pictures), drawings.scenes)),
        "reconstructions": tallies_as_json(score(judge.look(reconstructions), drawings.scenes)),
        "unseen_pairs": tallies_as_json(
            score(judge.look(told), [shown for _, shown in unseen], names)
        ),
    }


def words_to_pictures(
    pipe: StableDiffusionPipeline,
    judge: Judge,
    prompts: Prompts,
    settings: Settings,
    progress: Progress,
) -> tuple[dict[str, Any], np.ndarray]:
    """Return what the judge finds of what prompts name, and the pictures.

    Beside the tallies there is ``seconds``, the time one picture took in its batch.
    """
    began = time.perf_counter()
    pictures = paint(pipe, [caption.text for caption, _ in prompts], settings, progress)
    seconds = (time.perf_counter() - began) / len(prompts)
    tallies = score(
        judge.look(pictures),
        [shown for _, shown in prompts],
        [caption.names for caption, _ in prompts],
    )
    return {**tallies_as_json(tallies), "seconds": seconds}, pictures


def curves(
    pipe: StableDiffusionPipeline,
    judge: Judge,
    prompts: Prompts,
    settings: Settings,
    progress: Progress,
) -> dict[str, list[dict[str, Any]]]:
    """Return the same measurement over guidance scales and over numbers of steps."""
    guidances = [replace(settings, guidance_scale=scale) for scale in GUIDANCE_SCALES]
    lengths = [replace(settings, steps=steps) for steps in STEPS]
    found: dict[str, list[dict[str, Any]]] = {}
    for name, key, rows in (
        ("guidance", "guidance_scale", guidances),
        ("steps", "steps", lengths),
    ):
        found[name] = [
            {key: getattr(row, key), **words_to_pictures(pipe, judge, prompts, row, progress)[0]}
            for row in rows
        ]
    return found
