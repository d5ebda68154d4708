"""Latent: pictures as the model itself holds them, changed number by number and decoded again.

Latents here are always of unit variance, as the denoiser works on them: the autoencoder's own,
scaled and shifted by its configuration. One picture is float32 of shape (C, h, w).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from explainer.stages import likeness

if TYPE_CHECKING:
    import torch
    from numpy.typing import ArrayLike, NDArray

    Latents = NDArray[np.float32]
    Picture = NDArray[np.uint8]

_NEARLY_PARALLEL = 1e-4


def encode(pipe: Any, picture: Picture) -> Latents:
    """Returns the latents of a picture: the mean of the encoder's distribution.

    Args:
        pipe: any pipeline with an autoencoder.
        picture: uint8, shape (height, width, 3), sides a multiple of `pipe.vae_scale_factor`.

    Raises:
        ValueError: the picture is no such array.
    """
    from explainer.capture import previews

    encoded = previews.encode(pipe, pixels_of(pipe, picture))
    return np.asarray(encoded[0].cpu().numpy(), np.float32)


def pixels_of(pipe: Any, picture: Picture) -> torch.Tensor:
    """Returns a picture as autoencoders read it: (1, 3, height, width) float32 from -1 to 1.

    Args:
        pipe: any pipeline with an autoencoder.
        picture: uint8, shape (height, width, 3), sides a multiple of `pipe.vae_scale_factor`.

    Raises:
        ValueError: the picture is no such array.
    """
    import torch

    factor = pipe.vae_scale_factor
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(
            "A picture is an array of uint8, shape (height, width, 3), "
            f"not {picture.dtype} {picture.shape}."
        )
    if picture.shape[0] % factor or picture.shape[1] % factor:
        raise ValueError(f"Both sides must be a multiple of {factor}, not {picture.shape[:2]}.")
    return torch.from_numpy(picture.copy()).permute(2, 0, 1)[None].float() / 127.5 - 1


def decode(pipe: Any, latents: ArrayLike) -> Picture:
    """Returns the picture of some latents: uint8, shape (height, width, 3).

    Args:
        pipe: any pipeline with an autoencoder.
        latents: shape (C, h, w), of unit variance.

    Raises:
        ValueError: they have another number of channels than the autoencoder's.
    """
    import torch

    from explainer.capture import previews

    values = np.asarray(latents, np.float32)
    channels = int(pipe.vae.config.latent_channels)
    if values.ndim != 3 or values.shape[0] != channels:
        raise ValueError(
            f"These latents have the shape {values.shape}, but this model's autoencoder reads "
            f"{channels} channels. Record a run with this model."
        )
    inputs = torch.from_numpy(values.copy())[None].to(pipe._execution_device)  # noqa: SLF001
    return np.asarray(previews.decode(pipe, inputs)[0])


def photograph(size: int) -> Picture:
    """Returns a photograph, uint8 of shape (size, size, 3).

    It is the portrait of Grace Hopper (public domain) that comes with matplotlib, cut to a square.
    """
    from matplotlib import get_data_path
    from PIL import Image, ImageOps

    with Image.open(Path(get_data_path()) / "sample_data" / "grace_hopper.jpg") as file:
        square = ImageOps.fit(file.convert("RGB"), (size, size), centering=(0.5, 0.2))
    return np.asarray(square)


@dataclass(frozen=True, eq=False)
class RoundTrip:
    """A picture before and after the autoencoder.

    Attributes:
        before: (height, width, 3) uint8.
        after: (height, width, 3) uint8. Encoded and decoded again.
    """

    before: NDArray[np.uint8]
    after: NDArray[np.uint8]

    @property
    def psnr(self) -> float:
        """Peak signal-to-noise ratio in decibels."""
        return likeness.psnr(self.before, self.after)

    @property
    def ssim(self) -> float:
        """Structural similarity, 1 for equal."""
        return likeness.ssim(self.before, self.after)

    @property
    def errors(self) -> NDArray[np.float64]:
        """(height, width) float64. Each pixel's error in grey levels."""
        return likeness.errors(self.before, self.after)


def round_trip(pipe: Any, picture: Picture) -> RoundTrip:
    """Sends a picture through encoder and decoder.

    Raises:
        ValueError: it is no picture, see `encode`.
    """
    return RoundTrip(picture, decode(pipe, encode(pipe, picture)))


def mixed(
    latents: Latents, other: Latents, gains: Sequence[float], swapped: Sequence[bool]
) -> Latents:
    """Returns latents with channels multiplied, or taken from another picture and multiplied.

    Args:
        latents: shape (C, h, w).
        other: shape (C, h, w).
        gains: C factors; 0 switches a channel off.
        swapped: C times, whether the channel is the other picture's.

    Raises:
        ValueError: the shapes differ, or there are not C gains and C switches.
    """
    channels = latents.shape[0]
    if latents.shape != other.shape or len(gains) != channels or len(swapped) != channels:
        raise ValueError(
            f"Channels of latents {latents.shape} and {other.shape} cannot be exchanged with "
            f"{len(gains)} gains and {len(swapped)} switches. Use two pictures of one size."
        )
    chosen = np.where(np.asarray(swapped)[:, None, None], other, latents)
    return np.asarray(chosen * np.asarray(gains)[:, None, None], np.float32)


TOOLS = ("noise", "shift", "copy")
"""What a brush can do to a cell, see `painted`."""


@dataclass(frozen=True)
class Stroke:
    """One stroke of the brush.

    Attributes:
        tool: One of `TOOLS`.
        cells: (row, column) of the cells that it went over; those outside the latents do nothing.
        channel: The channel that "shift" moves; None for all.
        amount: How strong: deviation of the noise, or how far it shifts; both in latent units.
        source: (row, column) that "copy" takes the first cell from.
        seed: Names the noise.
    """

    tool: str
    cells: tuple[tuple[int, int], ...]
    channel: int | None = None
    amount: float = 1.0
    source: tuple[int, int] = (0, 0)
    seed: int = 0


def painted(latents: Latents, strokes: Sequence[Stroke]) -> Latents:
    """Returns latents with strokes on them, in their order.

    Args:
        latents: shape (C, h, w); left as they are.
        strokes: what to do; "copy" takes the cells as far from its source as each is from its
            first cell, from the latents before the stroke; what lies outside is not copied.

    Raises:
        ValueError: a tool or a channel does not exist.
    """
    values = latents.copy()
    for stroke in strokes:
        if stroke.tool not in TOOLS:
            raise ValueError(f"There is no brush {stroke.tool!r}; there are {', '.join(TOOLS)}.")
        if stroke.channel is not None and not 0 <= stroke.channel < len(latents):
            raise ValueError(f"There is no channel {stroke.channel + 1} of {len(latents)}.")
        _apply(values, stroke)
    return values


def _apply(values: Latents, stroke: Stroke) -> None:
    before, dice = values.copy(), np.random.default_rng(stroke.seed)
    for row, column in stroke.cells:
        # Noise is drawn outside too, so that the same seed gives the same cell the same noise.
        added = stroke.amount * dice.standard_normal(len(values))
        if not inside(values, row, column):
            continue
        if stroke.tool == "noise":
            values[:, row, column] += added
        elif stroke.tool == "shift":
            values[slice(None) if stroke.channel is None else stroke.channel, row, column] += (
                stroke.amount
            )
        else:
            down, right = row - stroke.cells[0][0], column - stroke.cells[0][1]
            place = stroke.source[0] + down, stroke.source[1] + right
            if inside(values, *place):
                values[:, row, column] = before[:, place[0], place[1]]


def inside(latents: Latents, row: int, column: int) -> bool:
    """Tells whether there is such a cell."""
    return 0 <= row < latents.shape[1] and 0 <= column < latents.shape[2]


def reach(
    pipe: Any,
    latents: Latents,
    row: int,
    column: int,
    *,
    on_channel: Callable[[int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> NDArray[np.float64] | None:
    """Measures which pixels depend on one cell: how far each moves when the cell does.

    Each channel of the cell is raised by 1, one after another, and the picture is decoded anew.

    Args:
        pipe: any pipeline with an autoencoder.
        latents: shape (C, h, w).
        row: of the cell, from 0.
        column: of the cell, from 0.
        on_channel: called after each channel with the number of channels done.
        cancelled: asked before each channel; once it says True, None is returned.

    Returns:
        float64, shape (height, width): the root mean square over channels and colours of each
        pixel's change, in grey levels.

    Raises:
        ValueError: there is no such cell.
    """
    if not inside(latents, row, column):
        _, height, width = latents.shape
        raise ValueError(
            f"There is no cell in row {row + 1}, column {column + 1}: the latents are {height} "
            f"rows of {width}. Choose a cell inside."
        )
    clean = decode(pipe, latents)
    squares = np.zeros(clean.shape[:2])
    for channel in range(len(latents)):
        if cancelled is not None and cancelled():
            return None
        moved = latents.copy()
        moved[channel, row, column] += 1
        squares += likeness.errors(clean, decode(pipe, moved)) ** 2
        if on_channel is not None:
            on_channel(channel + 1)
    return np.sqrt(squares / len(latents))


def straight(a: Latents, b: Latents, share: float) -> Latents:
    """Returns the point on the straight line from `a` (share 0) to `b` (share 1)."""
    return np.asarray((1 - share) * a + share * b, np.float32)


def spherical(a: Latents, b: Latents, share: float) -> Latents:
    """Returns the point on the arc from `a` to `b`, as Shoemake (1985) turns one into the other.

    Two of one length keep that length all the way. Where they point the same way, the arc is the
    straight line.

    Raises:
        ValueError: they point in opposite ways, or one is zero, so that there is no one arc.
    """
    lengths = float(np.linalg.norm(a)) * float(np.linalg.norm(b))
    cosine = float(np.sum(a * b, dtype=np.float64)) / lengths if lengths else -1.0
    angle = float(np.arccos(np.clip(cosine, -1, 1)))
    if angle < _NEARLY_PARALLEL:
        return straight(a, b, share)
    if angle > np.pi - _NEARLY_PARALLEL:
        raise ValueError("There is no one arc between opposite points. Choose two others.")
    start, end = np.sin((1 - share) * angle), np.sin(share * angle)
    return np.asarray((start * a + end * b) / np.sin(angle), np.float32)
