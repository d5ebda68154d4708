"""Flat vector: clean saturated shapes, no contours, one hard shadow on each."""

from __future__ import annotations

import skia

from storybook.dice import Dice
from storybook.illustrator.medium import Medium
from storybook.illustrator.palette import Colour, darker, mix, saturated, to_skia


class FlatVector(Medium):
    """A page drawn on a screen with the pen tool."""

    def __init__(self, size: int, dice: Dice) -> None:
        super().__init__(size, dice)
        self.bands = dice.integer(3, 6)
        self.shade = dice.uniform(0.10, 0.18)
        self.light_from = dice.pick((-1, 1))

    def seen(self, colour: Colour) -> Colour:
        """Return the colour as the present light shows it, cleaned of grey."""
        return saturated(super().seen(colour), 1.15)

    def sky(self, top: Colour, bottom: Colour, horizon: float) -> None:
        """Fill the page with a few even bands instead of a gradient."""
        self.canvas.clear(to_skia(self.seen(bottom)))
        sag = self.dice.uniform(-0.05, 0.05)
        for i in reversed(range(self.bands)):
            edge = horizon * (i + 1) / (self.bands + 1)
            band = skia.Path()
            band.moveTo(-0.1, -0.1)
            band.lineTo(1.1, -0.1)
            band.lineTo(1.1, edge - sag)
            band.quadTo(0.5, edge + 2 * sag, -0.1, edge - sag)
            band.close()
            self.fill(band, self.seen(mix(top, bottom, i / self.bands)))

    def shape(
        self, path: skia.Path, colour: Colour, *, outline: bool = True, alpha: float = 1.0
    ) -> None:
        """Fill a path, and lay its own shadow on the side away from the light."""
        body = self.seen(colour)
        self.fill(path, body, alpha)
        box = path.getBounds()
        extent = min(box.width(), box.height())
        if not outline or alpha < 1 or extent < 0.03:
            return
        step = min(0.16 * extent, 0.035)
        lit = skia.Path(path)
        lit.offset(self.light_from * step, -step * 0.7)
        self.canvas.save()
        self.canvas.clipPath(lit, skia.ClipOp.kDifference, True)
        self.fill(path, darker(body, self.shade))
        self.canvas.restore()

    def glow(
        self, x: float, y: float, radius: float, colour: Colour, strength: float = 0.8
    ) -> None:
        """Lay three even discs of light around a point."""
        for share in (1.0, 0.68, 0.4):
            disc = skia.Path()
            disc.addCircle(x, y, radius * share * 0.8)
            self.fill(disc, colour, strength * 0.28)
