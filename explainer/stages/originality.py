"""Originality: how near a picture comes to the pictures that the embedded model was trained on.

Every training picture is drawn from a number, so each can be drawn again and looked at. Two
pictures are compared in two ways, which fail in different places: by CLIP, whose image encoder
says what is shown and how it looks, and by pixels, where a copy shows whatever it shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explainer.stages.clip import ImageEncoder

MEASURES = ("clip", "pixels")
"""The two ways of comparing pictures."""
THUMBNAIL = 32
"""Pixels are compared at this width and height: a copy shifted by a pixel is still a copy."""
_CHUNK = 2048


class Neighbour(NamedTuple):
    """A training picture and its distance from the picture that was asked for."""

    number: int
    distance: float

    @property
    def similarity(self) -> float:
        """The cosine of the two CLIP image embeddings, where the distance is CLIP's."""
        return 1 - self.distance


class Described(NamedTuple):
    """n pictures, as they are compared.

    Attributes:
        clip: float32, shape (n, d). CLIP image embeddings, each of length 1.
        pixels: uint8, shape (n, 3072). Thumbnails of 32 x 32 pixels.
    """

    clip: NDArray[np.float32]
    pixels: NDArray[np.uint8]

    def some(self, rows: Sequence[int] | NDArray[np.int64] | slice) -> Described:
        """Returns the pictures of these rows."""
        return Described(self.clip[rows], self.pixels[rows])


def redraw(number: int, size: int) -> NDArray[np.uint8]:
    """Draws training picture `number` again: uint8, shape (size, size, 3)."""
    from storybook import dataset

    return dataset.picture(number, size)


def caption(number: int) -> str:
    """Returns the first caption that training picture `number` was trained with."""
    from storybook import captions

    return captions.captions_of(number, 1)[0].text


def unseen(number: int, size: int) -> NDArray[np.uint8]:
    """Draws held-out picture `number`, which no training saw: uint8, shape (size, size, 3)."""
    from storybook import illustrator, world

    return illustrator.draw(world.scene(number, "heldout"), size)


def anew(number: int, size: int) -> NDArray[np.uint8]:
    """Draws what caption `number` says once more, which no training saw: see `dataset.anew`."""
    from storybook import dataset

    return dataset.anew(number, size)


def unseen_name(number: int) -> str:
    """Names who is in held-out picture `number`, such as "a fox"."""
    from storybook import captions, world

    name = captions.WHO[world.scene(number, "heldout").who][0]
    return f"{captions.article_for(name)} {name}"


def thumbnails(pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Shrinks pictures by the mean of the area that each pixel of the thumbnail covers.

    Args:
        pictures: n of them, uint8, shape (height, width, 3).

    Returns:
        uint8, shape (n, 3072).
    """
    from PIL import Image

    side = (THUMBNAIL, THUMBNAIL)
    small = [Image.fromarray(one).resize(side, Image.Resampling.BOX) for one in pictures]
    return np.stack([np.asarray(one, np.uint8).reshape(-1) for one in small])


def describe(pictures: Sequence[NDArray[np.uint8]], eyes: ImageEncoder) -> Described:
    """Describes pictures so that they can be compared.

    Args:
        pictures: one or more, uint8, shape (height, width, 3).
        eyes: CLIP's image encoder.
    """
    from PIL import Image

    return Described(eyes.embed([*map(Image.fromarray, pictures)]), thumbnails(pictures))


def distances(a: Described, b: Described) -> dict[str, NDArray[np.float32]]:
    """Compares every picture of one set with every picture of another.

    Returns:
        By measure, float32, shape (n of a, n of b). By `clip` it is 1 minus the cosine of the two
        embeddings, from 0 to 2; by `pixels` the root mean squared difference of the two thumbnails,
        where 1 is from black to white.

    Raises:
        ValueError: the two were described by different image encoders.
    """
    if a.clip.shape[1] != b.clip.shape[1]:
        raise ValueError(
            f"Vectors of {a.clip.shape[1]} and {b.clip.shape[1]} numbers come from different image "
            "encoders. Describe both sets of pictures with one."
        )
    blocks = [
        _pixel_distances(a.pixels, b.pixels[start : start + _CHUNK])
        for start in range(0, len(b.pixels), _CHUNK)
    ]
    return {"clip": 1 - a.clip @ b.clip.T, "pixels": np.concatenate(blocks, axis=1)}


def _pixel_distances(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float32]:
    # In float64 whole numbers stay whole, so that equal pictures are 0 apart and not nearly so.
    x, y = a.astype(np.float64), b.astype(np.float64)
    squares = (x**2).sum(1)[:, None] + (y**2).sum(1) - 2 * x @ y.T
    return (np.sqrt(squares / x.shape[1]) / 255).astype(np.float32)


def nearest(distance: NDArray[np.float32], count: int) -> list[Neighbour]:
    """Sorts training pictures by their distance from one picture.

    Args:
        distance: from the picture to each training picture, by number: shape (n,).
        count: how many to return, the nearest first; of equally near ones the lower number first.

    Raises:
        ValueError: there are fewer than are wanted.
    """
    if distance.ndim != 1 or len(distance) < count:
        raise ValueError(f"{count} neighbours cannot be found among {distance.shape} distances")
    order = np.argsort(distance, kind="stable")[:count]
    return [Neighbour(int(number), float(distance[number])) for number in order]
