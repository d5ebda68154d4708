"""Pictures as bytes: WebP, in which they are kept and shown."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def webp(
    picture: NDArray[np.uint8] | Image.Image,
    quality: int = 85,
    *,
    lossless: bool = False,
    method: int = 4,
) -> bytes:
    """Encodes a picture as WebP.

    Args:
        picture: Pillow's, or uint8 of shape (height, width, 3) or (height, width).
        quality: 0 to 100; without loss, how long fewer bytes are looked for.
        lossless: Whether every pixel stays as it is.
        method: The same, 0 to 6.
    """
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    file = io.BytesIO()
    image.convert("RGB").save(file, "WEBP", quality=quality, lossless=lossless, method=method)
    return file.getvalue()


def opened(data: bytes) -> Image.Image:
    """Decodes a picture that is WebP, as RGB."""
    return Image.open(io.BytesIO(data), formats=["WEBP"]).convert("RGB")
