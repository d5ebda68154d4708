"""Ink comic: black contours of varying weight, flat bright colours, halftone dots."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import skia

from storybook.dice import Dice
from storybook.illustrator.medium import Medium
from storybook.illustrator.palette import Colour, darker, hexed, lighter, mix, saturated, to_skia
from storybook.illustrator.styles.textures import FULL, Floats, shader, stencil

INK = hexed("16121c")


@lru_cache(maxsize=32)
def _screen(size: int, dots: int) -> Floats:
    """Return a page's halftone screen, shape (size, size), with ``dots`` dots in a row.

    Ink every place where it exceeds 1 - t, and a share t of the page is inked.
    """
    steps = np.linspace(0, 1, 65)
    levels = np.quantile(_waves(FULL, dots), steps)
    return np.interp(_waves(size, dots), levels, steps).astype(np.float32)


@lru_cache(maxsize=32)
def _waves(size: int, dots: int) -> Floats:
    """Return three sets of waves that cross at 60 degrees: round hills, set as in a honeycomb."""
    t = (np.arange(size, dtype=np.float32) + 0.5) * np.float32(2 * np.pi * dots / size)
    x, y = t[None, :], t[:, None]
    return np.cos(y) + np.cos(0.5 * y + 0.866 * x) + np.cos(0.5 * y - 0.866 * x)


def _tone(screen: Floats, tone: float | Floats, dots: int) -> skia.Image:
    """Return dots that ink a share ``tone`` of the page (or of each row), with soft rims."""
    return stencil(np.clip(0.5 + (screen - 1 + tone) * len(screen) / (1.6 * dots), 0, 1))


@lru_cache(maxsize=64)
def _dots(size: int, dots: int, tone: float) -> skia.Image:
    """Return an even halftone."""
    return _tone(_screen(size, dots), tone, dots)


class InkComic(Medium):
    """A page inked with a brush and printed cheaply."""

    def __init__(self, size: int, dice: Dice) -> None:
        super().__init__(size, dice)
        self.weight = dice.uniform(0.85, 1.25)
        self.dots = dice.integer(32, 42)
        self.tone = dice.uniform(0.2, 0.36)
        self.paper = mix((1.0, 1.0, 1.0), hexed("fff0cf"), dice.uniform(0.0, 0.6))

    def seen(self, colour: Colour) -> Colour:
        """Return the colour as the present light and the printer's bright inks show it."""
        red, green, blue = saturated(super().seen(colour), 1.3)
        return red * self.paper[0], green * self.paper[1], blue * self.paper[2]

    def sky(self, top: Colour, bottom: Colour, horizon: float) -> None:
        """Fill the page with one colour, and print the other over it in shrinking dots."""
        self.canvas.clear(to_skia(self.seen(bottom)))
        rows = (np.arange(self.size, dtype=np.float32) + 0.5) / self.size
        tone = np.clip(1.06 - 1.1 * rows / max(horizon, 1e-3), -0.1, 1.1)[:, None]
        dots = _tone(_screen(self.size, self.dots), tone, self.dots)
        paint = skia.Paint(Color=to_skia(self.seen(top)), Shader=shader(dots))
        self.canvas.drawRect(skia.Rect(-0.1, -0.1, 1.1, 1.1), paint)

    def shape(
        self, path: skia.Path, colour: Colour, *, outline: bool = True, alpha: float = 1.0
    ) -> None:
        """Fill a path, print dots in its shadow, and ink its contour, heavier below."""
        body = self.seen(colour)
        self.fill(path, body, alpha)
        if not outline or alpha < 1:
            return
        box = path.getBounds()
        extent = min(box.width(), box.height())
        if extent > 0.08:
            self._print_shadow(path, body, min(0.2 * extent, 0.05))
        width = self.weight * min(max(0.05 * extent, 0.0035), 0.0105)
        self.line(path, INK, width)
        if extent > 0.03:
            self._swell(path, width)

    def stroke(self, path: skia.Path, colour: Colour, width: float) -> None:
        """Draw a line; a broad one is a thing, and gets a contour too."""
        if width > 0.014:
            self.line(path, INK, width + 0.011 * self.weight)
        self.line(path, self.seen(colour), width)

    def glow(
        self, x: float, y: float, radius: float, colour: Colour, strength: float = 0.8
    ) -> None:
        """Print a light as a disc of dots around a smaller, even one."""
        paint = skia.Paint(
            Color=to_skia(colour, min(1.0, strength)),
            Shader=shader(_dots(self.size, self.dots, 0.3)),
            AntiAlias=True,
        )
        self.canvas.drawCircle(x, y, radius * 0.72, paint)
        core = skia.Path()
        core.addCircle(x, y, radius * 0.45)
        self.fill(core, colour, strength * 0.45)

    def _print_shadow(self, path: skia.Path, body: Colour, step: float) -> None:
        lit = skia.Path(path)
        lit.offset(-step, -step * 0.7)
        dark = sum(body) < 0.75
        ink = lighter(body, 0.3) if dark else darker(body, 0.34)
        paint = skia.Paint(
            Color=to_skia(ink),
            Shader=shader(_dots(self.size, self.dots, round(self.tone, 2))),
            AntiAlias=True,
        )
        self.canvas.save()
        self.canvas.clipPath(lit, skia.ClipOp.kDifference, True)
        self.canvas.drawPath(path, paint)
        self.canvas.restore()

    def _swell(self, path: skia.Path, width: float) -> None:
        """Thicken the contour inside the lower right, as a brush does where it is pressed."""
        inner = skia.Path(path)
        inner.offset(-width * 0.8, -width * 1.0)
        self.canvas.save()
        self.canvas.clipPath(path, True)
        self.canvas.clipPath(inner, skia.ClipOp.kDifference, True)
        self.canvas.drawPath(path, skia.Paint(Color=to_skia(INK), AntiAlias=True))
        self.canvas.restore()
