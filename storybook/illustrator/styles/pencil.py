"""Pencil sketch: wavering graphite contours, hatched shade, a hint of coloured pencil."""

from __future__ import annotations

import numpy as np
import skia

from storybook.dice import Dice
from storybook.illustrator.medium import Medium
from storybook.illustrator.palette import Colour, hexed, luminance, mix, saturated, to_skia
from storybook.illustrator.styles.textures import (
    displaced,
    grain,
    laid,
    noise,
    strokes,
    to_bytes,
    wash,
)

GRAPHITE = hexed("35333b")
HANDS = 10
"""How many ways to lay the hatching one picture has."""


class PencilSketch(Medium):
    """A page of a sketchbook."""

    def __init__(self, size: int, dice: Dice) -> None:
        super().__init__(size, dice)
        self.paper = mix(hexed("faf5e8"), hexed("f3e8cf"), dice.uniform())
        self.tint = dice.uniform(0.44, 0.58)
        self.pressure = dice.uniform(0.85, 1.2)
        self.slant = dice.uniform(-65, -35)
        self.canvas.clear(to_skia(self.paper))
        self._hatch = grain(size, 0.05, 0.0075, 0.42, 0.5, seed=21, stretch=14)
        self._hatchings = [strokes(self._hatch, dice, self.slant, 14) for _ in range(HANDS)]
        self._tooth = strokes(grain(size, 0.02, 0.004, 0.78, 0.3, seed=22), dice, 0)

    def seen(self, colour: Colour) -> Colour:
        """Return the pencil's tint for a colour as the present light shows it."""
        shown = super().seen(colour)
        return mix(self.paper, saturated(shown, 0.68), self.tint + 0.12 * (1 - luminance(shown)))

    def sky(self, top: Colour, bottom: Colour, horizon: float) -> None:
        """Tint the page and hatch it, more densely towards the top."""
        super().sky(mix(top, bottom, 0.2), bottom, horizon)
        shown = Medium.seen(self, top)
        shade = skia.GradientShader.MakeLinear(
            [skia.Point(0, 0), skia.Point(0, max(horizon, 1e-3))],
            [to_skia(GRAPHITE, 0.06 + 0.75 * (1 - luminance(shown)) ** 2), to_skia(GRAPHITE, 0.0)],
        )
        wash(self.canvas, shade, strokes(self._hatch, self.dice, 0, 20))

    def shape(
        self, path: skia.Path, colour: Colour, *, outline: bool = True, alpha: float = 1.0
    ) -> None:
        """Tint a path, hatch it as dark as it is, and draw its contour twice."""
        self.fill(path, self.seen(colour), alpha)
        box = path.getBounds()
        extent = min(box.width(), box.height())
        dark = 1 - luminance(Medium.seen(self, colour))
        if extent > 0.02:
            self._shade(path, alpha * (0.08 + 0.62 * dark * dark))
        elif dark > 0.6:
            self.fill(path, GRAPHITE, alpha * dark)
        if outline and alpha == 1:
            self._contour(path, extent)

    def stroke(self, path: skia.Path, colour: Colour, width: float) -> None:
        """Draw a line: a fine one in graphite, a broad one tinted, with pencil edges."""
        if width < 0.012:
            dark = 1 - luminance(Medium.seen(self, colour))
            self.line(path, mix(self.seen(colour), GRAPHITE, 0.3 + 0.6 * dark), width * 0.85)
            return
        self.line(path, mix(self.seen(colour), GRAPHITE, 0.55), width + 0.004)
        self.line(path, self.seen(colour), width)

    def finish(self) -> np.ndarray:
        """Return the page with a slight tremor and the paper's tooth, uint8, (size, size, 3)."""
        size = self.size
        right, down = (laid(noise(size, 0.09, 0.02, s), self.dice) * 0.0014 for s in (23, 24))
        page = displaced(self.pixels().astype(np.float32), right, down)
        tooth = laid(noise(size, 0.02, 0.005, seed=25), self.dice)
        return to_bytes(page + (tooth * (2.0 + (255 - page.mean(axis=-1)) * 0.035))[..., None])

    def _shade(self, path: skia.Path, strength: float) -> None:
        paint = skia.Paint(
            Color=to_skia(GRAPHITE, min(strength * self.pressure, 0.9)),
            Shader=self.dice.pick(self._hatchings),
            AntiAlias=True,
        )
        self.canvas.drawPath(path, paint)

    def _contour(self, path: skia.Path, extent: float) -> None:
        width = self.pressure * min(max(0.022 * extent, 0.0032), 0.0058)
        paint = skia.Paint(
            Color=to_skia(GRAPHITE, 0.85),
            Shader=self._tooth,
            AntiAlias=True,
            Style=skia.Paint.kStroke_Style,
            StrokeWidth=width,
            StrokeJoin=skia.Paint.kRound_Join,
        )
        drift = min(0.02 * extent, 0.0035)
        for again in range(2 if extent > 0.1 else 1):
            wander = skia.DiscretePathEffect.Make(
                0.03 + 0.02 * again, drift, self.dice.integer(0, 9999)
            )
            paint.setPathEffect(
                skia.PathEffect.MakeCompose(skia.CornerPathEffect.Make(0.03), wander)
            )
            self.canvas.drawPath(path, paint)
