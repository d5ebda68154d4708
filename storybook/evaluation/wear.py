"""Makes clean drawings look a little generated, so that the judge is fair on soft pictures."""

from __future__ import annotations

import io

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

SHIFT = 6
"""How far a picture is moved, in pixels, at the most."""


def worn(pictures: Tensor, rng: np.random.Generator) -> Tensor:
    """Return pictures flipped, shifted, turned, softened, recompressed, recoloured and made noisy.

    Each picture meets only some of it, so that clean ones stay among them.

    Args:
        pictures: float, shape (n, 3, height, width), from 0 to 1.
        rng: where the chances come from.

    Returns:
        Like ``pictures``; these themselves are left as they were.
    """
    x = _moved(pictures, rng)
    for change, share in ((_turned, 0.4), (_soft, 0.3), (_blurred, 0.2), (_recompressed, 0.15)):
        chosen = torch.from_numpy(np.flatnonzero(rng.random(len(x)) < share))
        if len(chosen):
            x[chosen] = change(x[chosen], rng)
    return _noisy(_recoloured(x, rng), rng).clamp_(0, 1)


def _moved(x: Tensor, rng: np.random.Generator) -> Tensor:
    height, width = x.shape[-2:]
    padded = functional.pad(x, (SHIFT,) * 4, mode="replicate")
    out = torch.empty_like(x)
    corners = rng.integers(0, 2 * SHIFT + 1, (len(x), 2))
    for i, ((top, left), flip) in enumerate(zip(corners, rng.random(len(x)) < 0.5, strict=True)):
        piece = padded[i, :, top : top + height, left : left + width]
        out[i] = piece.flip(-1) if flip else piece
    return out


def _turned(x: Tensor, rng: np.random.Generator) -> Tensor:
    """Turn by up to 8 degrees and zoom by up to an eighth."""
    angle, zoom = (
        torch.from_numpy(rng.uniform(low, high, len(x))).to(x.dtype)
        for low, high in ((-0.14, 0.14), (0.875, 1.125))
    )
    across, down = angle.cos() / zoom, angle.sin() / zoom
    still = torch.zeros_like(angle)
    matrices = torch.stack([across, -down, still, down, across, still], 1).view(-1, 2, 3)
    grid = functional.affine_grid(matrices, list(x.shape), align_corners=False)
    return functional.grid_sample(x, grid, padding_mode="border", align_corners=False)


def _soft(x: Tensor, rng: np.random.Generator) -> Tensor:
    """Lose fine detail as an autoencoder does: small and back again."""
    height, width = x.shape[-2:]
    scale = rng.uniform(0.5, 0.85)
    small = functional.interpolate(
        x, (round(height * scale), round(width * scale)), mode="bilinear", antialias=True
    )
    return functional.interpolate(small, (height, width), mode="bicubic").clamp_(0, 1)


def _blurred(x: Tensor, rng: np.random.Generator) -> Tensor:
    sigma = rng.uniform(0.4, 1.2)
    taps = torch.exp(-(torch.arange(-3, 4) ** 2) / (2 * sigma**2)).to(x.dtype)
    taps = (taps / taps.sum()).expand(x.shape[1], 1, 1, 7)
    padded = functional.pad(x, (3,) * 4, mode="replicate")
    across = functional.conv2d(padded, taps, groups=x.shape[1])
    return functional.conv2d(across, taps.transpose(2, 3), groups=x.shape[1])


def _recompressed(x: Tensor, rng: np.random.Generator) -> Tensor:
    out = torch.empty_like(x)
    for i, picture in enumerate((x.permute(0, 2, 3, 1) * 255).byte().numpy()):
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=int(rng.integers(40, 90)))
        with Image.open(file) as again:
            out[i] = torch.from_numpy(np.array(again)).permute(2, 0, 1) / 255
    return out


def _recoloured(x: Tensor, rng: np.random.Generator) -> Tensor:
    """Shift the colours by less than what tells one colour word from the next."""
    gain, lift = (
        torch.from_numpy(rng.normal(mean, deviation, (len(x), 3, 1, 1))).to(x.dtype)
        for mean, deviation in ((1.0, 0.04), (0.0, 0.02))
    )
    contrast = torch.from_numpy(rng.uniform(0.85, 1.1, (len(x), 1, 1, 1))).to(x.dtype)
    middle = x.mean((1, 2, 3), keepdim=True)
    return ((x - middle) * contrast + middle) * gain + lift


def _noisy(x: Tensor, rng: np.random.Generator) -> Tensor:
    strength = torch.from_numpy(rng.uniform(0, 0.04, (len(x), 1, 1, 1))).to(x.dtype)
    strength *= torch.from_numpy(rng.random((len(x), 1, 1, 1)) < 0.5)
    noise = torch.from_numpy(rng.standard_normal(x.shape, dtype=np.float32))
    return x + strength * noise
