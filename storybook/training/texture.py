"""How strong each fine pattern is near a place: what a style is known by, wherever its dots sit.

Of paper grain, hatching or halftone dots a latent has no room for every dot, and where a dot is a
guess, the least error is an even grey. Statistics of what filters find in a texture tell it
without saying where each dot sits (Portilla and Simoncelli 2000; Gatys et al. 2015).
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch.nn import functional

_CELL = 8
"""Patterns of up to so many pixels: a latent's cell."""
_STRIDE = 2
_WINDOW = 8
"""Steps of the filter, to each side, that count as near."""
_FAINT = 1e-4
"""Added to squared strengths, of pixels from -1 to 1: nobody sees less."""


def difference(found: torch.Tensor, drawn: torch.Tensor) -> torch.Tensor:
    """Return how far textures differ: the mean over places, colours and patterns.

    Each pattern counts in units of its own mean strength in ``drawn``.

    Args:
        found: pictures from -1 to 1, shape (n, 3, height, width).
        drawn: what they should look like, same shape.
    """
    wanted = strengths(drawn)
    unit = wanted.mean((0, 2, 3), keepdim=True)
    return ((strengths(found) - wanted).abs() / unit).mean()


def strengths(pictures: torch.Tensor) -> torch.Tensor:
    """Return how strong each pattern is near each place: shape (n, 3 · 63, rows, columns).

    The patterns are those of the discrete cosine transform, without the even one; a strength is
    the root mean square of a filter's answers within a window.
    """
    # Each colour as a picture of its own: on a core 1.6 times as quick as in groups.
    colours = pictures.flatten(0, 1)[:, None]
    found = functional.conv2d(colours, _patterns(_CELL, pictures.device), stride=_STRIDE)
    near = functional.avg_pool2d(found.float().square(), _WINDOW, _WINDOW // 2)
    return (near + _FAINT).sqrt().unflatten(0, (-1, 3)).flatten(1, 2)


@cache
def _patterns(size: int, device: torch.device) -> torch.Tensor:
    """Return the transform's orthonormal patterns: shape (size² - 1, 1, size, size)."""
    steps = torch.arange(size)
    waves = torch.cos(math.pi / size * (steps + 0.5) * steps[:, None])
    waves = waves / waves.norm(dim=1, keepdim=True)
    patterns = torch.einsum("ay,bx->abyx", waves, waves).flatten(0, 1)[1:, None]
    return patterns.to(device)
