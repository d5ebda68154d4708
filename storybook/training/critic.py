"""Who tells a decoder's picture from a drawing: a patch discriminator (Isola et al. 2017).

An autoencoder's error asks for the mean of all pictures that its latent may stand for, and a mean
is a blur. A critic that has seen drawings asks for one of them (Esser et al. 2021; Rombach et al.
2022, appendix G). It looks at patches only, beside the latent that they came from, so what it
teaches is the look of an outline, a fill, a grain, and which of them belongs where.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

WIDTH = 48
"""Channels at half the picture's size; they double twice."""
FEATURES_WEIGHT = 2.0
"""How much the critic's inner maps count against its verdict."""


class Critic(nn.Module):
    """Scores every patch of a picture, given the latents; spectral norms keep it slow to change.

    Args:
        latent_channels: of latents 8 times smaller than the picture.
    """

    def __init__(self, latent_channels: int) -> None:
        super().__init__()
        widths = (3, WIDTH, 2 * WIDTH, 4 * WIDTH)
        self.shrinking = nn.ModuleList(
            spectral_norm(nn.Conv2d(a, b, 4, stride=2, padding=1)) for a, b in pairwise(widths)
        )
        last = widths[-1]
        self.beside = spectral_norm(nn.Conv2d(last + latent_channels, last, 3, padding=1))
        self.verdict = spectral_norm(nn.Conv2d(last, 1, 3, padding=1))
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(
        self, pictures: torch.Tensor, latents: torch.Tensor
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Return scores, the higher the more like a drawing, and the maps they were drawn from.

        Args:
            pictures: from -1 to 1, shape (n, 3, height, width).
            latents: shape (n, channels, height / 8, width / 8).

        Returns:
            Shape (n, 1, height / 8, width / 8), and four feature maps, fine to coarse.
        """
        maps, x = [], pictures
        for convolution in self.shrinking:
            x = functional.leaky_relu(convolution(x), 0.2)
            maps.append(x)
        x = functional.leaky_relu(self.beside(torch.cat([x, latents], dim=1)), 0.2)
        return self.verdict(x), [*maps, x]


def teaching(
    critic: Critic,
    found: torch.Tensor,
    drawn: torch.Tensor,
    latents: torch.Tensor,
    agreement: torch.Tensor,
) -> torch.Tensor:
    """Return how far decoded pictures are from passing as drawings: the decoder's loss, shape ().

    It looks at each picture against the drawing of the same latent (Jolicoeur-Martineau 2019), and
    at the maps on the way (Wang et al. 2018). Its gradient reaches ``found`` alone.

    Args:
        critic: learns nothing from it.
        found: decoded pictures, shape (n, 3, height, width).
        drawn: the drawings, same shape.
        latents: what was decoded.
        agreement: from 0 to 1, how far each should show the very drawing, shape (n, 1, 1, 1).
    """
    critic.requires_grad_(False)
    score, maps = critic(found, latents)
    with torch.no_grad():
        wanted_score, wanted_maps = critic(drawn, latents)
    critic.requires_grad_(True)
    apart = [
        (agreement * (a - b)).abs().mean() / b.abs().mean()
        for a, b in zip(maps, wanted_maps, strict=True)
    ]
    verdict = functional.softplus(wanted_score - score).mean()
    return verdict + FEATURES_WEIGHT * torch.stack(apart).mean()


def learning(
    critic: Critic, found: torch.Tensor, drawn: torch.Tensor, latents: torch.Tensor
) -> torch.Tensor:
    """Return how badly the critic tells the two apart: its own loss, shape ()."""
    score, _ = critic(found.detach(), latents)
    wanted_score, _ = critic(drawn, latents)
    return functional.softplus(score - wanted_score).mean()
