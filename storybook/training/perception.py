"""What counts in a latent: a small network that tells what it shows, and an error in its terms.

The squared error treats all numbers of a latent alike, but a shade of the grass means little and a
face is few numbers wide. The features by which a network tells who, where and in what style weigh
them by what they show (Johnson et al. 2016; in latent diffusion: Berrada et al. 2024, there with
the decoder's features).
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from storybook.training import naming
from storybook.training.loop import Stage

BATCH = 128
RATE = 1e-3
MOST_NOISE = 0.8
"""It learns on latents with up to so much noise, or it would go by what nobody sees."""
_WIDTHS = (64, 96, 160)
_GROUPS = 16


class _Block(nn.Module):
    """Two 3 × 3 convolutions beside a shortcut (He et al. 2015, fig. 2)."""

    def __init__(self, inside: int, outside: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inside, outside, 3, stride, padding=1)
        self.first_norm = nn.GroupNorm(_GROUPS, outside)
        self.second = nn.Conv2d(outside, outside, 3, padding=1)
        self.second_norm = nn.GroupNorm(_GROUPS, outside)
        self.shortcut = nn.Conv2d(inside, outside, 1, stride)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = functional.silu(self.first_norm(self.first(x)))
        return functional.silu(self.second_norm(self.second(y)) + self.shortcut(x))


class Perception(nn.Module):
    """A convolutional classifier of latents, with one head an attribute of the world.

    It shares neither weights nor scenes with the judge, which looks at pictures. But all that the
    judge tells of them is among what this one tells.

    Args:
        channels: of a latent.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        fine, middle, coarse = _WIDTHS
        self.stem = nn.Conv2d(channels, fine, 3, padding=1)
        self.blocks = nn.ModuleList(
            [_Block(fine, fine, 1), _Block(fine, middle, 2), _Block(middle, coarse, 2)]
        )
        self.attention = nn.Conv2d(coarse, len(naming.ATTRIBUTES), 1)
        self.heads = naming.heads(sum(_WIDTHS) + coarse)
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def features(self, latents: torch.Tensor) -> list[torch.Tensor]:
        """Return each block's feature map of latents (n, channels, h, w), fine to coarse."""
        x, found = self.stem(latents), []
        for block in self.blocks:
            x = block(x)
            found.append(x)
        return found

    def forward(self, latents: torch.Tensor) -> list[torch.Tensor]:
        """Return what each attribute's head goes by, shape (n, width), in their order."""
        maps = self.features(latents)
        shared = torch.cat([found.mean((2, 3)) for found in maps], dim=1)
        weights = self.attention(maps[-1]).flatten(2).softmax(-1)
        own = torch.einsum("nap,ncp->anc", weights, maps[-1].flatten(2))
        return [torch.cat([local, shared], dim=1) for local in own]

    def difference(self, found: torch.Tensor, clean: torch.Tensor) -> torch.Tensor:
        """Return how far latents look from the true ones, shape (n,).

        The mean over the feature maps of the squared difference, each channel in units of its own
        mean square. Its gradient reaches ``found`` alone.
        """
        with torch.no_grad():
            wanted = self.features(clean)
        errors = []
        for a, b in zip(self.features(found), wanted, strict=True):
            unit = b.float().square().mean((0, 2, 3), keepdim=True) + 1e-3
            errors.append(((a.float() - b.float()).square() / unit).mean((1, 2, 3)))
        return torch.stack(errors).mean(0)


class PerceptionStage(Stage):
    """Every attribute is told from the latent, shifted by a cell at most and made noisy.

    Args:
        latents: shape (n, channels, h, w), standardised.
        shown: what pictures show, shape (n, attributes), see :mod:`storybook.training.naming`.
        version: names the latents, since what was learned of others is worth nothing.
    """

    batch_size, learning_rate = BATCH, RATE

    def __init__(self, latents: torch.Tensor, shown: torch.Tensor, version: str) -> None:
        super().__init__()
        self.name = f"perception-{version}"
        self.model: Perception = Perception(latents.shape[1])
        self._latents, self._shown = latents, shown

    def forward(self, indices: torch.Tensor) -> torch.Tensor:
        """Return the mean cross-entropy over the attributes of the pictures in ``indices``."""
        device = indices.device
        clean = self._latents[indices.to(self._latents.device)].to(device).float()
        noise = MOST_NOISE * torch.rand(len(clean), 1, 1, 1, device=device).square()
        noisy = _shifted(clean) + noise * torch.randn_like(clean)
        shown = self._shown[indices.to(self._shown.device)].to(device)
        return naming.loss(self.model.heads, self.model(noisy), shown)

    def compile(self) -> None:
        """Leave the network as it is: it trains for too short to repay compiling."""


def _shifted(latents: torch.Tensor) -> torch.Tensor:
    height, width = latents.shape[-2:]
    down, right = torch.randint(0, 3, (2,)).tolist()
    padded = functional.pad(latents, (1, 1, 1, 1), mode="replicate")
    return padded[..., down : down + height, right : right + width]
