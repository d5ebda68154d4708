"""Colours, and how to mix them."""

from __future__ import annotations

import colorsys

import skia

from storybook.dice import Dice

Colour = tuple[float, float, float]
"""Red, green and blue in sRGB, each from 0 to 1."""


def hexed(code: str) -> Colour:
    """Return the colour of a six-digit code such as ``"d94f3a"``."""
    red, green, blue = (int(code[i : i + 2], 16) / 255 for i in (0, 2, 4))
    return red, green, blue


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Return ``a`` with ``share`` of ``b`` in it: 0 gives ``a``, 1 gives ``b``."""
    red, green, blue = (x + (y - x) * share for x, y in zip(a, b, strict=True))
    return red, green, blue


def lighter(colour: Colour, share: float) -> Colour:
    """Mix in white."""
    return mix(colour, (1.0, 1.0, 1.0), share)


def darker(colour: Colour, share: float) -> Colour:
    """Mix in a dark blue-violet, which keeps shadows alive where black would kill them."""
    return mix(colour, (0.10, 0.07, 0.16), share)


def luminance(colour: Colour) -> float:
    """Return how light the colour looks, from 0 to 1."""
    red, green, blue = colour
    return 0.30 * red + 0.59 * green + 0.11 * blue


def saturated(colour: Colour, factor: float) -> Colour:
    """Move the colour away from the grey that is as light (a factor below 1: towards it)."""
    grey = luminance(colour)
    red, green, blue = (min(max(grey + (x - grey) * factor, 0.0), 1.0) for x in colour)
    return red, green, blue


def varied(colour: Colour, dice: Dice, amount: float = 1.0) -> Colour:
    """Return a neighbour of the colour: the same word would name it, but it is not the same."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*colour)
    hue = (hue + dice.normal(0, 0.008 * amount)) % 1.0
    lightness = min(max(lightness + dice.normal(0, 0.025 * amount), 0.0), 1.0)
    saturation = min(max(saturation * (1 + dice.normal(0, 0.06 * amount)), 0.0), 1.0)
    return colorsys.hls_to_rgb(hue, lightness, saturation)


def to_skia(colour: Colour, alpha: float = 1.0) -> int:
    """Return the colour as Skia packs it, with an opacity from 0 to 1."""
    red, green, blue, opacity = [round(255 * min(max(x, 0.0), 1.0)) for x in (*colour, alpha)]
    return skia.Color(red, green, blue, opacity)
