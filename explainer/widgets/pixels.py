"""Pixels: how arrays of pixels go to the browser as pictures, and come from there."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import traitlets as t
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray


def lossless(picture: NDArray[np.uint8]) -> bytes:
    """Encode a picture, uint8 (height, width, 3) or (height, width), as WebP without any loss."""
    file = io.BytesIO()
    Image.fromarray(picture).convert("RGB").save(file, "WEBP", lossless=True, method=2)
    return file.getvalue()


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


def pixels_trait() -> t.Bytes:
    """Return a trait for pixels that the browser sends; they arrive as a memoryview."""
    return t.Bytes(b"").tag(
        sync=True, echo_update=False, from_json=lambda value, _widget: bytes(value)
    )
