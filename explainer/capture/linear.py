"""Latents to colours by one small matrix, fitted once to each autoencoder.

A latent's channels say much about the mean colour of the pixels that it stands for. The matrix from
the one to the other is found by least squares: the autoencoder encodes pictures made up for it, and
each latent is set beside the mean colour of its pixels.
"""

from __future__ import annotations

import os
import weakref
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image
from platformdirs import user_cache_path

from explainer import fingerprints
from explainer.cache import FOLDER_VARIABLE
from explainer.files import whole

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

_PICTURES = 12
_SIDE_IN_LATENTS = 16

_known: weakref.WeakKeyDictionary[Any, NDArray[np.float32]] = weakref.WeakKeyDictionary()


class _Only:
    """As much of a pipeline as naming its autoencoder's weights takes."""

    def __init__(self, vae: Any) -> None:
        self.vae = vae


def matrix(pipe: Any) -> NDArray[np.float32]:
    """(C + 1, 3) float32 from latents of unit variance and a one to red, green and blue in 0..1.

    Fitted at the first call for an autoencoder and kept, in memory and in the user's cache folder.
    """
    known = _known.get(pipe.vae)
    if known is None:
        name = fingerprints.of_pipeline(_Only(pipe.vae))
        path = _folder() / f"{name}.npy"
        fitted = _kept(path, int(pipe.vae.config.latent_channels))
        if fitted is None:
            fitted = _fitted(pipe)
            _keep(path, fitted)
        known = _known[pipe.vae] = fitted
    return known


def pictures(pipe: Any, latents: torch.Tensor, size: tuple[int, int]) -> list[Image.Image]:
    """Shows latents of unit variance, (B, C, h, w), at a size of so many pixels (width, height)."""
    values = latents.float().cpu().numpy()
    weights = matrix(pipe)
    colours = np.einsum("bchw,cr->bhwr", values, weights[:-1]) + weights[-1]
    pixels = (colours.clip(0, 1) * 255).round().astype(np.uint8)
    return [Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC) for picture in pixels]


def _fitted(pipe: Any) -> NDArray[np.float32]:
    import torch

    from explainer.capture.previews import encode

    side = _SIDE_IN_LATENTS * pipe.vae_scale_factor
    rows, colours = [], []
    for picture in torch.from_numpy(_made_up(side)).split(1):
        encoded = encode(pipe, picture * 2 - 1)
        rows.append(encoded.cpu().flatten(2)[0].T)
        height, width = encoded.shape[-2:]
        means = torch.nn.functional.adaptive_avg_pool2d(picture, (height, width))
        colours.append(means.flatten(2)[0].T)
    latents = torch.cat(rows).numpy()
    latents = np.concatenate([latents, np.ones((len(latents), 1), np.float32)], axis=1)
    weights, *_ = np.linalg.lstsq(latents, torch.cat(colours).numpy(), rcond=None)
    return weights.astype(np.float32)


def _made_up(side: int) -> NDArray[np.float32]:
    """(B, 3, side, side) float32 in 0..1: soft patches of colour, coarse to fine."""
    dice = np.random.default_rng(0)
    made = []
    for index in range(_PICTURES):
        cells = 2 ** (1 + index % 4)
        colours = Image.fromarray(dice.integers(0, 256, (cells, cells, 3), np.uint8))
        resampling = Image.Resampling.NEAREST if index % 3 == 0 else Image.Resampling.BICUBIC
        made.append(np.asarray(colours.resize((side, side), resampling), np.float32) / 255)
    return np.stack(made).transpose(0, 3, 1, 2).astype(np.float32)


def _folder() -> Path:
    named = os.environ.get(FOLDER_VARIABLE)
    return (Path(named) if named else user_cache_path("storybook-explainer")) / "previews"


def _kept(path: Path, channels: int) -> NDArray[np.float32] | None:
    try:
        weights: NDArray[np.float32] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    fits = weights.shape == (channels + 1, 3) and weights.dtype == np.float32
    return weights if fits and np.isfinite(weights).all() else None


def _keep(path: Path, weights: NDArray[np.float32]) -> None:
    """Writes the matrix down; where that cannot be, it is fitted again next time."""
    with suppress(OSError), whole(path) as file:
        np.save(file, weights)
