"""Pixels: how arrays of pixels go to the browser as pictures, and come from there."""

from __future__ import annotations

import math
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t

from explainer import pictures

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image


def lossless(picture: NDArray[np.uint8]) -> bytes:
    """Encode a picture, uint8 (height, width, 3) or (height, width), as WebP without any loss."""
    return pictures.webp(picture, quality=80, lossless=True, method=2)


def webp(picture: NDArray[np.uint8] | Image.Image) -> bytes:
    """Encode a picture, uint8 (height, width, 3) or Pillow's, as WebP with a little loss."""
    return pictures.webp(picture, quality=90)


def opened(picture: bytes) -> NDArray[np.uint8]:
    """Decode a picture: uint8, shape (height, width, 3)."""
    return np.asarray(pictures.opened(picture))


def heat(values: NDArray[np.floating[Any]]) -> tuple[bytes, float]:
    """Draw values from 0 (black) to the greatest there is (white).

    Args:
        values: shape (height, width), none below 0.

    Returns:
        The picture as WebP, and what white stands for.
    """
    most = float(values.max())
    levels = np.rint(values / max(most, 1e-9) * 255).astype(np.uint8)
    return lossless(levels), most


def levels(latents: NDArray[np.floating[Any]], limit: float) -> bytes:
    """Return 8-bit levels of latents for `cells.js`: 0 is -limit and less, 255 limit and more."""
    scaled = 127.5 + 127.5 * latents.astype(np.float32) / limit
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8).tobytes()


def limit_of(latents: NDArray[np.floating[Any]]) -> float:
    """Return what the colours of latents reach to: three standard deviations."""
    return max(float(3 * latents.astype(np.float32).std()), 1e-6)


class Pixels(t.Bytes):
    """A trait for a square picture that the browser sends (`upload.js`): its RGB bytes, or none.

    Args:
        side: Where the widget says how many pixels its pictures have a side, such as "_size".
    """

    def __init__(self, side: str) -> None:
        super().__init__(b"")
        self._side = attrgetter(side)
        self.tag(sync=True, echo_update=False)

    def validate(self, obj: Any, value: Any) -> bytes:
        """Return the bytes, which arrive as a memoryview; refuse those that are no picture."""
        given = bytes(value)
        if given and len(given) != 3 * self._side(obj) ** 2:
            side = self._side(obj)
            raise t.TraitError(f"{len(given)} bytes are no picture of {side} pixels a side")
        return given


def square(data: bytes) -> NDArray[np.uint8]:
    """Return the picture of such bytes: uint8, shape (side, side, 3)."""
    side = math.isqrt(len(data) // 3)
    return np.frombuffer(data, np.uint8).reshape(side, side, 3)
