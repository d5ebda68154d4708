"""Paper cut-out: every shape is a piece of matt paper that casts a soft shadow."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import skia

from storybook.dice import Dice
from storybook.illustrator.medium import Medium
from storybook.illustrator.palette import Colour, lighter, mix, saturated, to_skia
from storybook.illustrator.styles.textures import Floats, laid, noise, to_bytes

SHADOW: Colour = (0.09, 0.06, 0.13)


@lru_cache(maxsize=8)
def _fibres(size: int) -> Floats:
    """Return the light on a sheet of rough paper, around 0."""
    felt = (
        noise(size, 0.06, 0.008, seed=3) * 0.6 + noise(size, 0.03, 0.006, seed=4, stretch=5) * 0.7
    )
    relief = felt - np.roll(felt, max(1, round(size / 128)), (0, 1))
    return relief * 2.2 + felt * 0.9


class PaperCutOut(Medium):
    """A page glued together from coloured paper."""

    def __init__(self, size: int, dice: Dice) -> None:
        super().__init__(size, dice)
        self.depth = dice.uniform(0.85, 1.3)
        self.roughness = dice.uniform(0.7, 1.3)
        self.light_from = dice.pick((-1, 1))
        self.facet = dice.uniform(0.02, 0.045)

    def seen(self, colour: Colour) -> Colour:
        """Return the colour as the present light and the dull paper show it."""
        return mix(saturated(super().seen(colour), 0.92), (0.93, 0.90, 0.86), 0.07)

    def sky(self, top: Colour, bottom: Colour, horizon: float) -> None:
        """Cover the page with wavy sheets, one lying on the other."""
        self.canvas.clear(to_skia(self.seen(top)))
        sheets = self.dice.integer(3, 5)
        for i in range(1, sheets + 1):
            y = horizon * i / (sheets + 0.6)
            waves, reach = self.dice.integer(2, 4), self.dice.uniform(0.012, 0.03)
            phase = self.dice.uniform(-0.3, 0.0)
            sheet = skia.Path()
            sheet.moveTo(-0.4, 1.2)
            sheet.lineTo(-0.4 + phase, y)
            step = 1.8 / (2 * waves)
            for k in range(2 * waves):
                x = -0.4 + phase + step * k
                lift = reach if k % 2 else -reach
                sheet.cubicTo(
                    x + step / 3, y + 2 * lift, x + 2 * step / 3, y + 2 * lift, x + step, y
                )
            sheet.lineTo(1.6, 1.2)
            sheet.close()
            self._glue(sheet, self.seen(mix(top, bottom, i / sheets)), 0.5)

    def shape(
        self, path: skia.Path, colour: Colour, *, outline: bool = True, alpha: float = 1.0
    ) -> None:
        """Glue on a piece of paper. Small inner details lie flat."""
        body = self.seen(colour)
        box = path.getBounds()
        extent = min(box.width(), box.height())
        if alpha < 1 or extent < 0.012 or (not outline and extent < 0.045):
            self.fill(path, body, alpha)
        else:
            self._glue(path, body, extent)

    def stroke(self, path: skia.Path, colour: Colour, width: float) -> None:
        """Glue on a strip of paper; a fine line is drawn."""
        if width > 0.011:
            lift = min(0.3 * width, 0.006) * self.depth
            under = skia.Path(path)
            under.offset(self.light_from * lift, lift * 1.2)
            self.line(under, SHADOW, width * 1.1, alpha=0.3)
        self.line(path, self.seen(colour), width)

    def glow(
        self, x: float, y: float, radius: float, colour: Colour, strength: float = 0.8
    ) -> None:
        """Lay discs of tracing paper around a point."""
        for share in (1.0, 0.74, 0.5):
            disc = skia.Path()
            disc.addCircle(x, y, radius * share * 0.85)
            self.fill(disc, colour, strength * 0.24)

    def finish(self) -> np.ndarray:
        """Return the page with the paper's fibres, uint8, shape (size, size, 3)."""
        light = laid(_fibres(self.size), self.dice) * (1.15 * self.roughness)
        return to_bytes(self.pixels() + light[..., None])

    def _glue(self, path: skia.Path, body: Colour, extent: float) -> None:
        lift = min(0.075 * extent, 0.014) * self.depth + 0.002
        shadow = skia.Paint(
            Color=to_skia(SHADOW, 0.55),
            MaskFilter=skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, lift * 0.75),
            AntiAlias=True,
        )
        under = skia.Path(path)
        under.offset(self.light_from * lift * 0.8, lift)
        self.canvas.drawPath(under, shadow)
        paint = skia.Paint(Color=to_skia(body), AntiAlias=True)
        if extent > 0.06:
            seed = self.dice.integer(0, 9999)
            paint.setPathEffect(skia.DiscretePathEffect.Make(self.facet, 0.0022, seed))
        self.canvas.drawPath(path, paint)
        paint.setColor(to_skia(lighter(body, 0.5), 0.42))
        paint.setStyle(skia.Paint.kStroke_Style)
        paint.setStrokeWidth(min(0.03 * extent + 0.0012, 0.0036))
        self.canvas.drawPath(path, paint)
