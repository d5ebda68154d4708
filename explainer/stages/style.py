"""Style: what a look is made of, measured on pictures, and what holds pages of a book together.

Colours are measured in CIELAB (CIE 1976), whose distances are nearer to what eyes see than those of
RGB: L* is lightness from 0 to 100, a* goes from green to red, b* from blue to yellow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    Picture = NDArray[np.uint8]

_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)
"""Of linear sRGB under D65 (IEC 61966-2-1)."""
_WHITE = _TO_XYZ.sum(axis=1)
_BEND = 6 / 29
_COVERED = 0.9
_LEVELS = 16
"""Of each of the three colours: tones that differ less count as one."""
_SHARPEST = 99


class Measure(NamedTuple):
    """Something that can be measured on one picture.

    Attributes:
        name: What it is called.
        meaning: What it says, in a few words.
        of: Measures a picture.
    """

    name: str
    meaning: str
    of: Callable[[Picture], float]


def lab(picture: Picture) -> NDArray[np.float64]:
    """Returns the colours of a picture in CIELAB.

    Args:
        picture: uint8 sRGB, shape (height, width, 3).

    Returns:
        float64, shape (height, width, 3): L*, a* and b*.

    Raises:
        ValueError: it is no such array.
    """
    values = np.asarray(picture)
    if values.dtype != np.uint8 or values.ndim != 3 or values.shape[2] != 3:
        raise ValueError(
            "A picture is an array of uint8, shape (height, width, 3), "
            f"not {values.dtype} {values.shape}."
        )
    shares = values / 255
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    xyz = linear @ _TO_XYZ.T / _WHITE
    bent = np.where(xyz > _BEND**3, np.cbrt(xyz), xyz / (3 * _BEND**2) + 4 / 29)
    x, y, z = np.moveaxis(bent, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def edges(picture: Picture) -> NDArray[np.float64]:
    """Returns how steeply the lightness changes at every place, in L* a pixel (Sobel 1968).

    Returns:
        float64, shape (height - 2, width - 2).
    """
    light = lab(picture)[..., 0]
    smooth = light[:-2] + 2 * light[1:-1] + light[2:]
    across = (smooth[:, 2:] - smooth[:, :-2]) / 8
    smooth = light[:, :-2] + 2 * light[:, 1:-1] + light[:, 2:]
    down = (smooth[2:] - smooth[:-2]) / 8
    return np.hypot(across, down)


def tones(picture: Picture) -> float:
    """Returns how many colours it takes to cover nine tenths of a picture, the commonest first.

    Colours are counted as equal in steps of a sixteenth of red, green and blue. Flat paint needs
    few; washes that lie over each other, and grain, give many.
    """
    steps = np.asarray(picture).reshape(-1, 3).astype(np.int64) * _LEVELS // 256
    counts = np.sort(np.bincount(steps @ np.array([_LEVELS**2, _LEVELS, 1])))[::-1]
    return float(np.searchsorted(counts.cumsum(), _COVERED * len(steps)) + 1)


def hardness(picture: Picture) -> float:
    """Returns how steep the sharpest hundredth of all places is, in L* a pixel."""
    return float(np.percentile(edges(picture), _SHARPEST))


def warmth(picture: Picture) -> float:
    """Returns the mean b*: above 0 yellow and warm, below 0 blue and cool."""
    return float(lab(picture)[..., 2].mean())


def lightness(picture: Picture) -> float:
    """Returns the mean L*, 0 for black and 100 for white paper."""
    return float(lab(picture)[..., 0].mean())


def strength(picture: Picture) -> float:
    """Returns the mean distance of the colours from grey of the same lightness (chroma)."""
    return float(np.hypot(*np.moveaxis(lab(picture)[..., 1:], -1, 0)).mean())


MEASURES = (
    Measure(
        "edges",
        "how steep the lightness is on average, L* a pixel",
        lambda p: float(edges(p).mean()),
    ),
    Measure("sharpest lines", "how steep the sharpest hundredth is, L* a pixel", hardness),
    Measure("layers", "colours that cover nine tenths of the picture, of 4,096", tones),
    Measure("warmth", "mean b*: above 0 yellow, below 0 blue", warmth),
    Measure("lightness", "mean L*: 0 is black, 100 is white paper", lightness),
    Measure("strength of colour", "mean distance from grey", strength),
)


def measured(picture: Picture) -> dict[str, float]:
    """Returns every measure of a picture by its name."""
    return {one.name: one.of(picture) for one in MEASURES}


def between(groups: Sequence[ArrayLike]) -> float:
    """Returns the share of all variance that lies between groups (eta squared, Fisher 1925).

    Args:
        groups: values of each group, two groups or more.

    Returns:
        0 where a value tells nothing of its group, 1 where it tells it exactly.

    Raises:
        ValueError: there are fewer than two groups, one is empty, or all values are equal.
    """
    arrays = [np.asarray(group, np.float64) for group in groups]
    if len(arrays) < 2 or any(not len(array) for array in arrays):
        raise ValueError("Give two groups at least, and a value of each.")
    everything = np.concatenate(arrays)
    whole = ((everything - everything.mean()) ** 2).sum()
    if not whole > 0:
        raise ValueError("All values are equal: there is nothing to divide among the groups.")
    among = sum(len(array) * (array.mean() - everything.mean()) ** 2 for array in arrays)
    return float(among / whole)


def colour_statistics(picture: Picture) -> NDArray[np.float64]:
    """Returns mean and standard deviation of L*, a* and b* (after Reinhard et al. 2001).

    Returns:
        float64, shape (6,).
    """
    values = lab(picture).reshape(-1, 3)
    return np.concatenate([values.mean(axis=0), values.std(axis=0)])


@dataclass(frozen=True)
class Coherence:
    """How alike the pages of a book are; means over all pairs of pages.

    Attributes:
        clip: cosine of the pictures' CLIP vectors, 1 for equal; None where nothing read them.
        colours: distance of their colour statistics, 0 for equal.
        spread: measure -> standard deviation over the pages.
    """

    clip: float | None
    colours: float
    spread: dict[str, float]


def coherence(pictures: Sequence[Picture], embeddings: ArrayLike | None = None) -> Coherence:
    """Measures how alike pages are.

    Args:
        pictures: of two pages or more.
        embeddings: (pages, d) of length 1, what a CLIP image encoder makes of them; None if none
            is at hand.

    Raises:
        ValueError: there are fewer than two pages.
    """
    if len(pictures) < 2:
        raise ValueError("One page has nothing to be like. Give the story two pages at least.")
    pairs = list(combinations(range(len(pictures)), 2))
    statistics = [colour_statistics(picture) for picture in pictures]
    apart = [float(np.linalg.norm(statistics[i] - statistics[j])) for i, j in pairs]
    values = [measured(picture) for picture in pictures]
    alike = None
    if embeddings is not None:
        cosines = np.asarray(embeddings, np.float64) @ np.asarray(embeddings, np.float64).T
        alike = float(np.mean([cosines[i, j] for i, j in pairs]))
    return Coherence(
        clip=alike,
        colours=float(np.mean(apart)),
        spread={one.name: float(np.std([found[one.name] for found in values])) for one in MEASURES},
    )


def layout(pictures: Sequence[Picture]) -> NDArray[np.float64]:
    """Returns how far pictures have light and dark in the same places.

    Pearson's correlation of the mean lightness of 16 x 16 blocks, which outlines,
    grain and strokes do not reach.

    Args:
        pictures: uint8, shape (size, size, 3), of one size and at least 16 pixels a side.

    Returns:
        (n, n): between every two of them; NaN where one is all the same.
    """
    rows = np.stack([_blocks(lab(picture)[..., 0], 16).ravel() for picture in pictures])
    rows -= rows.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(rows, axis=1)
    lengths[lengths < 1e-9] = np.nan
    rows /= lengths[:, None]
    return np.asarray(rows @ rows.T)


def _blocks(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    side = values.shape[0] // count, values.shape[1] // count
    cut = values[: side[0] * count, : side[1] * count]
    return cut.reshape(count, side[0], count, side[1]).mean(axis=(1, 3))
