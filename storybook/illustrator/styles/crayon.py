"""Crayon: waxy strokes that leave paper bare, and soft thick contours in a darker shade."""

from __future__ import annotations

import numpy as np
import skia

from storybook.dice import Dice
from storybook.illustrator.palette import Colour, darker, hexed, luminance, mix, saturated, to_skia
from storybook.illustrator.styles.details import CarefulMedium
from storybook.illustrator.styles.textures import (
    displaced,
    grain,
    laid,
    noise,
    strokes,
    to_bytes,
    wash,
)

HANDS = 10
"""How many ways to rub one picture has."""


class Crayon(CarefulMedium):
    """A page filled in by a patient child."""

    def __init__(self, size: int, dice: Dice) -> None:
        super().__init__(size, dice)
        self.paper = mix(hexed("fffdf8"), hexed("fbf3e0"), dice.uniform())
        self.bare = dice.uniform(0.24, 0.38)
        self.weight = dice.uniform(0.85, 1.25)
        self.slant = dice.uniform(-70, 20)
        self.canvas.clear(to_skia(self.paper))
        self._strokes = grain(size, 0.05, 0.010, 0.6, 0.40, seed=31, stretch=5)
        self._rubbings = [strokes(self._strokes, dice, self.slant, 38) for _ in range(HANDS)]
        self._wax = strokes(grain(size, 0.03, 0.007, 0.82, 0.34, seed=32), dice, 0)

    def seen(self, colour: Colour) -> Colour:
        """Return the crayon for a colour as the present light shows it."""
        return saturated(super().seen(colour), 1.2)

    def sky(self, top: Colour, bottom: Colour, horizon: float) -> None:
        """Rub the page full, one crayon fading into the other."""
        pale_top, pale_bottom = (mix(self.seen(c), self.paper, self.bare) for c in (top, bottom))
        points = [skia.Point(0, 0), skia.Point(0, max(horizon, 1e-3))]
        page = skia.Rect(-0.1, -0.1, 1.1, 1.1)
        under = skia.GradientShader.MakeLinear(points, [to_skia(pale_top), to_skia(pale_bottom)])
        self.canvas.drawRect(page, skia.Paint(Shader=under))
        colours = [to_skia(self.seen(top)), to_skia(self.seen(bottom))]
        over = skia.GradientShader.MakeLinear(points, colours)
        wash(self.canvas, over, strokes(self._strokes, self.dice, 0, 25))

    def paint(self, path: skia.Path, colour: Colour, *, outline: bool, alpha: float) -> None:
        """Rub a path full, and go round it with a darker crayon."""
        body = self.seen(colour)
        box = path.getBounds()
        extent = min(box.width(), box.height())
        if extent < 0.02:
            self.fill(path, body, alpha)
        else:
            self.fill(path, mix(body, self.paper, self.bare), alpha)
            paint = skia.Paint(
                Color=to_skia(body, alpha), Shader=self.dice.pick(self._rubbings), AntiAlias=True
            )
            self.canvas.drawPath(path, paint)
        if outline and alpha == 1:
            self._contour(path, body, extent)

    def stroke(self, path: skia.Path, colour: Colour, width: float) -> None:
        """Draw a waxy line; a fine one stays clean."""
        self.details.note(path)
        body = self.seen(colour)
        if width > 0.014:
            self.line(path, mix(body, self.paper, self.bare), width)
            self.line(path, body, width, shader=self.dice.pick(self._rubbings))
        else:
            self.line(path, body, width * 1.15)

    def finish(self) -> np.ndarray:
        """Return the page with wavering edges and waxy grain, uint8, shape (size, size, 3)."""
        size = self.size
        calm = 1 - 0.8 * self.details.cover(size)
        right, down = (
            (
                laid(noise(size, 0.1, 0.02, seed), self.dice) * 0.0018
                + laid(noise(size, 0.02, 0.007, seed + 2), self.dice) * 0.0013
            )
            * calm
            for seed in (33, 34)
        )
        page = displaced(self.pixels().astype(np.float32), right, down)
        tooth = laid(noise(size, 0.02, 0.007, seed=37), self.dice)
        bare = np.clip(tooth, 0, 2)[..., None] * 0.13 * calm[..., None]
        return to_bytes(page + (np.array(self.paper, np.float32) * 255 - page) * bare)

    def _contour(self, path: skia.Path, body: Colour, extent: float) -> None:
        rim = darker(body, 0.42) if luminance(body) > 0.16 else mix(body, self.paper, 0.25)
        wander = skia.DiscretePathEffect.Make(
            0.035, min(0.025 * extent, 0.003), self.dice.integer(0, 9999)
        )
        paint = skia.Paint(
            Color=to_skia(rim, 0.95),
            Shader=self._wax,
            PathEffect=skia.PathEffect.MakeCompose(skia.CornerPathEffect.Make(0.035), wander),
            AntiAlias=True,
            Style=skia.Paint.kStroke_Style,
            StrokeWidth=self.weight * min(max(0.07 * extent, 0.0045), 0.016),
            StrokeJoin=skia.Paint.kRound_Join,
        )
        self.canvas.drawPath(path, paint)
