"""Noise that looks the same at every size, and what the styles do with it.

All textures cover one page and repeat at its edges. They are made once per process from a fixed
white noise, by cutting its spectrum to the size asked for: a small texture is exactly the large
one, reduced. Pictures differ by where and how they lay a texture on the page.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
import skia

from storybook.dice import Dice

Floats = npt.NDArray[np.floating]

FULL = 512
"""The finest texture, in samples a side. No page is larger."""


@lru_cache(maxsize=4)
def _white_spectrum(seed: int) -> npt.NDArray[np.complex64]:
    """Return the spectrum of white noise.

    It is hashed rather than rolled, as NumPy's generators may change between releases. The hash
    is MurmurHash3's finaliser.
    """
    state = np.arange(FULL * FULL, dtype=np.uint32) + np.uint32(seed * 0x9E3779B1 & 0xFFFFFFFF)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35), (16, 1)):
        state ^= state >> np.uint32(shift)
        state *= np.uint32(factor)
    white = state.reshape(FULL, FULL) / 2.0**32 - 0.5
    return np.fft.fft2(white).astype(np.complex64)


@lru_cache(maxsize=128)
def noise(size: int, coarse: float, fine: float, seed: int = 0, stretch: float = 1.0) -> Floats:
    """Return noise with detail between two wavelengths.

    Args:
        size: samples a side.
        coarse: the longest wavelength, in page units.
        fine: the shortest.
        seed: names one of many such textures.
        stretch: how many times longer the grain is from left to right than from top to bottom.

    Returns:
        float32, shape (size, size), mean 0, standard deviation 1 (before the spectrum is cut),
        read-only.
    """
    k = np.fft.fftfreq(FULL, 1 / FULL)
    f = np.hypot(k[None, :] * stretch, k[:, None])
    gain = np.exp(-((f * fine) ** 2)) * (1 - np.exp(-((f * coarse) ** 2))) / np.maximum(f, 1.0)
    spectrum = _white_spectrum(seed) * gain
    spectrum *= FULL * FULL / np.sqrt(np.sum(np.abs(spectrum) ** 2))
    half = size // 2
    rows = np.concatenate([np.arange(size - half), np.arange(FULL - half, FULL)])
    small = spectrum[np.ix_(rows, rows)] * (size / FULL) ** 2
    texture = np.fft.ifft2(small).real.astype(np.float32)
    texture.setflags(write=False)
    return texture


def laid(texture: Floats, dice: Dice) -> Floats:
    """Return the texture laid on the page in a place of its own."""
    size = len(texture)
    down, right = (round(dice.integer(0, 31) * size / 32) for _ in range(2))
    return np.roll(texture, (down, right), (0, 1))


@lru_cache(maxsize=64)
def grain(
    size: int, coarse: float, fine: float, cover: float, hardness: float, seed: int = 0,
    stretch: float = 1.0,
) -> skia.Image:  # fmt: skip
    """Return a texture as an opacity: what a dry tool leaves on rough paper.

    Args:
        size: samples a side.
        coarse: see :func:`noise`.
        fine: see :func:`noise`.
        cover: the mean opacity, from 0 to 1.
        hardness: the contrast between bare and covered spots.
        seed: see :func:`noise`.
        stretch: see :func:`noise`.

    Returns:
        An alpha-only image; drawn as a shader, it takes the paint's colour.
    """
    alpha = np.clip(cover + hardness * noise(size, coarse, fine, seed, stretch), 0, 1)
    return stencil(alpha)


def stencil(alpha: Floats) -> skia.Image:
    """Return opacities (shape (size, size), from 0 to 1) as an alpha-only image."""
    return skia.Image.fromarray(
        np.round(255 * alpha).astype(np.uint8),
        colorType=skia.kAlpha_8_ColorType,
        alphaType=skia.kPremul_AlphaType,
    )


def shader(
    image: skia.Image, *, x: float = 0.0, y: float = 0.0, degrees: float = 0.0, scale: float = 1.0
) -> skia.Shader:
    """Return a page-wide texture as a shader in page units, moved, turned and scaled."""
    matrix = skia.Matrix()
    matrix.setRotate(degrees)
    matrix.preTranslate(x, y)
    matrix.preScale(scale / image.width(), scale / image.height())
    return image.makeShader(
        skia.TileMode.kRepeat,
        skia.TileMode.kRepeat,
        skia.SamplingOptions(skia.FilterMode.kLinear),
        matrix,
    )


def wash(canvas: skia.Canvas, colours: skia.Shader, grain: skia.Shader) -> None:
    """Cover the page with a gradient, as densely at every point as the grain is."""
    page = skia.Rect(-0.1, -0.1, 1.1, 1.1)
    # A layer, as Shaders.Blend would copy the grain's image, slowly.
    canvas.saveLayer(page)
    canvas.drawRect(page, skia.Paint(Shader=colours))
    canvas.drawRect(page, skia.Paint(Shader=grain, BlendMode=skia.BlendMode.kDstIn))
    canvas.restore()


def strokes(image: skia.Image, dice: Dice, degrees: float, spread: float = 0.0) -> skia.Shader:
    """Return a texture laid anywhere on the page, turned by about ``degrees``."""
    return shader(
        image, x=dice.uniform(), y=dice.uniform(), degrees=degrees + dice.uniform(-spread, spread)
    )


def blurred(page: npt.NDArray[np.uint8], sigma: float) -> npt.NDArray[np.uint8]:
    """Return the page (uint8, shape (size, size, 3)) blurred; ``sigma`` is in page units."""
    size = len(page)
    rgba = np.full((size, size, 4), 255, np.uint8)
    rgba[..., :3] = page
    image = skia.Image.fromarray(rgba, colorType=skia.kRGBA_8888_ColorType)
    linear = skia.SamplingOptions(skia.FilterMode.kLinear)
    # What is blurred by several pixels can be blurred in a smaller copy.
    small = size
    while sigma * small >= 1.6 and small % 2 == 0:
        small //= 2
        half = skia.Surface(small, small)
        half.getCanvas().drawImageRect(image, skia.Rect(0, 0, small, small), linear)
        image = half.makeImageSnapshot()
    spread = sigma * small
    paint = skia.Paint(ImageFilter=skia.ImageFilters.Blur(spread, spread, skia.TileMode.kClamp))
    soft = skia.Surface(small, small)
    soft.getCanvas().drawImage(image, 0, 0, skia.SamplingOptions(), paint)
    surface = skia.Surface(size, size)
    surface.getCanvas().drawImageRect(soft.makeImageSnapshot(), skia.Rect(0, 0, size, size), linear)
    return surface.toarray(colorType=skia.kRGBA_8888_ColorType)[..., :3]


def displaced(page: Floats, right: Floats, down: Floats) -> Floats:
    """Return the page with every pixel taken from elsewhere, interpolated between pixels.

    Args:
        page: float32, shape (size, size, channels).
        right: how far to the right of its place to take each pixel from, in page units, shape
            (size, size).
        down: how far below.
    """
    size = len(page)
    y, x = np.mgrid[:size, :size].astype(np.float32)
    x = np.clip(x + right * size, 0, size - 1.001)
    y = np.clip(y + down * size, 0, size - 1.001)
    column, row = x.astype(np.intp), y.astype(np.intp)
    x, y = (x - column)[..., None], (y - row)[..., None]
    flat, start = page.reshape(size * size, -1), row * size + column
    here, right_of, under, across = (
        flat.take(start + step, axis=0) for step in (0, 1, size, size + 1)
    )
    top, bottom = here + (right_of - here) * x, under + (across - under) * x
    return top + (bottom - top) * y


def to_bytes(page: Floats) -> npt.NDArray[np.uint8]:
    """Return the page, with values from 0 to 255, as uint8."""
    return np.clip(page + 0.5, 0, 255).astype(np.uint8)
