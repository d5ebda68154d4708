"""Latents made visible: the autoencoder's decoder, in batches, and WebP."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    import torch

    from explainer.capture.families import Family

# The decoder's widest layers hold some hundred channels a pixel: bounds a batch to tens of MB.
_PIXELS_AT_ONCE = 2**17


def decode(pipe: Any, family: Family, latents: torch.Tensor) -> list[Image.Image]:
    """Decodes latents of unit variance, (B, C, h, w), to pictures."""
    import torch

    with torch.no_grad():
        inputs = family.for_decoder(pipe, latents).to(pipe.vae.dtype)
        decoded = pipe.vae.decode(inputs, return_dict=False)[0]
    pixels = (decoded.float() / 2 + 0.5).clamp(0, 1).mul(255).round().to(torch.uint8)
    return [Image.fromarray(picture) for picture in pixels.permute(0, 2, 3, 1).cpu().numpy()]


def frames(pipe: Any, family: Family, latents: torch.Tensor) -> tuple[bytes, ...]:
    """Decodes latents of unit variance, (B, C, h, w), to WebP, as many at once as memory allows."""
    height, width = (side * pipe.vae_scale_factor for side in latents.shape[-2:])
    batches = latents.split(max(1, _PIXELS_AT_ONCE // (height * width)))
    return tuple(webp(picture) for batch in batches for picture in decode(pipe, family, batch))


def webp(picture: Image.Image, *, lossless: bool = False) -> bytes:
    """Encodes a picture as WebP."""
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=85, method=2, lossless=lossless)
    return buffer.getvalue()
