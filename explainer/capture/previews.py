"""Latents made visible: linearly, by a tiny autoencoder or by the full decoder, as WebP."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageOps

from explainer import pictures
from explainer.capture import linear

if TYPE_CHECKING:
    import torch

KINDS = ("x0", "noisy")
QUALITIES = ("linear", "full")

# Frames are looked at in a page, and a long run has a hundred of them.
_MOST_SIDE = 512

# The decoder's widest layers hold some hundred channels a pixel: bounds a batch to tens of MB.
_PIXELS_AT_ONCE = 2**17


@dataclass(frozen=True)
class Previews:
    """Which frames to make, and how.

    Attributes:
        qualities: Kind of frame -> "linear", "full", or a tiny autoencoder to decode it with.
    """

    qualities: dict[str, Any]

    @classmethod
    def wanted(cls, asked: Any) -> Previews:
        """Reads the argument `previews` of `record`, see there.

        Raises:
            ValueError: It means nothing.
        """
        if isinstance(asked, bool):
            return cls(dict.fromkeys(KINDS, "full") if asked else {})
        if hasattr(asked, "decode") and hasattr(asked, "config"):
            return cls(dict.fromkeys(KINDS, asked))
        if isinstance(asked, dict):
            qualities = asked
        else:
            qualities = _sorted_out({asked} if isinstance(asked, str) else asked)
        if not set(qualities) <= set(KINDS) or not all(map(_is_quality, qualities.values())):
            raise ValueError(
                "previews must be True, False, 'linear', 'full', 'x0', 'noisy', a tiny autoencoder "
                f"or a dict such as {{'x0': 'full', 'noisy': 'linear'}}, not {asked!r}."
            )
        return cls(dict(qualities))

    def rough(self) -> Previews:
        """The same frames without the decoder."""
        return Previews(dict.fromkeys(self.qualities, "linear"))

    def prepare(self, pipe: Any) -> None:
        """Does what takes a moment once for an autoencoder, before the run begins."""
        if "linear" in self.qualities.values():
            linear.matrix(pipe)

    def frames(self, kind: str, pipe: Any, latents: torch.Tensor) -> tuple[bytes, ...]:
        """Shows latents of unit variance, (B, C, h, w), as many at once as memory allows."""
        quality = self.qualities[kind]
        height, width = (side * pipe.vae_scale_factor for side in latents.shape[-2:])
        if quality == "linear":
            size = _shrunk(width, height)
            return tuple(webp(picture) for picture in linear.pictures(pipe, latents, size))
        batches = latents.split(max(1, _PIXELS_AT_ONCE // (height * width)))
        tiny = None if quality == "full" else quality
        return tuple(frame(picture) for batch in batches for picture in decode(pipe, batch, tiny))


def _sorted_out(words: Collection[str]) -> dict[str, str]:
    """Kinds and qualities that stand side by side, as in ("x0", "linear")."""
    quality = next((word for word in words if word in QUALITIES), "full")
    kinds = [word for word in words if word not in QUALITIES]
    return dict.fromkeys(kinds or (KINDS if words else ()), quality)


def _is_quality(quality: Any) -> bool:
    return hasattr(quality, "decode") if not isinstance(quality, str) else quality in QUALITIES


def decode(pipe: Any, latents: torch.Tensor, tiny: Any = None) -> list[Image.Image]:
    """Decodes latents of unit variance, (B, C, h, w), to pictures.

    Args:
        pipe: The pipeline whose autoencoder decodes them.
        latents: What to decode.
        tiny: An autoencoder of the same latents to use instead (TAESD and its kin).
    """
    import torch

    with torch.no_grad():
        if tiny is not None:
            inputs = unscaled(tiny.config, latents).to(tiny.device, tiny.dtype)
            decoded = tiny.decode(inputs, return_dict=False)[0]
        else:
            with _fit_for_decoding(pipe):
                inputs = unscaled(pipe.vae.config, latents).to(pipe.vae.dtype)
                decoded = pipe.vae.decode(inputs, return_dict=False)[0]
    pixels = (decoded.float() / 2 + 0.5).clamp(0, 1).mul(255).round().to(torch.uint8)
    return [Image.fromarray(picture) for picture in pixels.permute(0, 2, 3, 1).cpu().numpy()]


def roughly(pipe: Any, latents: torch.Tensor) -> Image.Image:
    """Shows latents of unit variance, (C, h, w), as large as their picture, without the decoder."""
    height, width = (side * pipe.vae_scale_factor for side in latents.shape[-2:])
    return linear.pictures(pipe, latents[None], (width, height))[0]


def encode(pipe: Any, pixels: torch.Tensor) -> torch.Tensor:
    """Encodes pictures, (B, 3, H, W) from -1 to 1, as latents of unit variance, (B, C, h, w)."""
    import torch

    with torch.no_grad(), _fit_for_decoding(pipe):
        # Not the autoencoder's own device: offloaded, it only visits the one that computes.
        output = pipe.vae.encode(pixels.to(pipe._execution_device, pipe.vae.dtype))  # noqa: SLF001
        # Tiny autoencoders give latents, the others a distribution of them.
        encoded = output.latents if "latents" in output else output.latent_dist.mode()
        return scaled(pipe.vae.config, encoded.float())


def unscaled(config: Any, latents: torch.Tensor) -> torch.Tensor:
    """Undoes the scaling that keeps latents near unit variance (Rombach et al. 2022)."""
    mean, deviation = (
        values if values is None else latents.new_tensor(values).view(1, -1, 1, 1)
        for values in (config.get("latents_mean"), config.get("latents_std"))
    )
    if mean is not None and deviation is not None:
        return latents * deviation / config.scaling_factor + mean
    return latents / config.scaling_factor + (config.get("shift_factor") or 0.0)


def scaled(config: Any, latents: torch.Tensor) -> torch.Tensor:
    """The way back: the autoencoder's latents to unit variance."""
    offset = unscaled(config, latents.new_zeros(1, latents.shape[1], 1, 1))
    factor = unscaled(config, latents.new_ones(1, latents.shape[1], 1, 1)) - offset
    return (latents - offset) / factor


@contextmanager
def _fit_for_decoding(pipe: Any) -> Iterator[None]:
    """SDXL's autoencoder overflows in half precision: it decodes in single, as the pipeline's."""
    import torch

    vae = pipe.vae
    upcast = vae.dtype == torch.float16 and vae.config.get("force_upcast")
    if upcast:
        vae.to(torch.float32)
    try:
        yield
    finally:
        if upcast:
            vae.to(torch.float16)


def frame(picture: Image.Image) -> bytes:
    """Encodes a picture as a frame: WebP, at most 512 pixels a side."""
    size = _shrunk(*picture.size)
    return webp(picture if size == picture.size else picture.resize(size, reducing_gap=2))


def fitted(one: bytes, size: tuple[int, int]) -> bytes:
    """A frame cut to the shape of a picture of that size, (width, height).

    PixArt draws at a size that it was trained at, then shrinks and cuts its picture.
    """
    picture, wanted = Image.open(io.BytesIO(one)), _shrunk(*size)
    return one if picture.size == wanted else webp(ImageOps.fit(picture, wanted))


def _shrunk(width: int, height: int) -> tuple[int, int]:
    share = min(1, _MOST_SIDE / max(width, height))
    return max(1, round(share * width)), max(1, round(share * height))


def webp(picture: Image.Image, *, lossless: bool = False) -> bytes:
    """Encodes a picture as WebP, in little time."""
    return pictures.webp(picture, lossless=lossless, method=2)
