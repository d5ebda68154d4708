"""Watercolour: thin washes with dark rims, blooms, and warm rough paper shining through."""

from __future__ import annotations

import numpy as np
import skia

from storybook.dice import Dice
from storybook.illustrator.palette import Colour, darker, hexed, mix, saturated, to_skia
from storybook.illustrator.styles.details import CarefulMedium
from storybook.illustrator.styles.textures import Floats, blurred, displaced, laid, noise, to_bytes


class Watercolour(CarefulMedium):
    """A page of rough paper, painted wet."""

    def __init__(self, size: int, dice: Dice) -> None:
        super().__init__(size, dice)
        self.paper = mix(hexed("fffdf6"), hexed("fdf1da"), dice.uniform())
        self.thin = dice.uniform(0.06, 0.16)
        self.wobble = dice.uniform(0.7, 1.3)
        self.granulation = dice.uniform(0.7, 1.3)
        self.rim = dice.uniform(0.7, 1.2)
        self.margin = dice.uniform(0.012, 0.05) if dice.chance(0.7) else 0.0
        self.canvas.clear(to_skia(self.paper))

    def seen(self, colour: Colour) -> Colour:
        """Return the colour as the present light shows it, thinned with water."""
        return mix(saturated(super().seen(colour), 1.15), self.paper, self.thin)

    def paint(self, path: skia.Path, colour: Colour, *, outline: bool, alpha: float) -> None:
        """Lay a wash that runs from thin to full, as paint does on a tilted board."""
        body = self.seen(colour)
        box = path.getBounds()
        if alpha < 1 or min(box.width(), box.height()) < (0.03 if outline else 0.06):
            self.fill(path, body, alpha)
            return
        lean = self.dice.uniform(-0.35, 0.35) * box.width()
        wash = skia.GradientShader.MakeLinear(
            [
                skia.Point(box.centerX() - lean, box.top()),
                skia.Point(box.centerX() + lean, box.bottom()),
            ],
            [to_skia(mix(body, self.paper, 0.2)), to_skia(body), to_skia(darker(body, 0.05))],
            [0.0, self.dice.uniform(0.35, 0.7), 1.0],
        )
        self.canvas.drawPath(path, skia.Paint(Shader=wash, AntiAlias=True))

    def finish(self) -> np.ndarray:
        """Return the page, bled, dried and granulated, uint8, shape (size, size, 3)."""
        size = self.size
        sharp = self.pixels()
        page = self._run(sharp.astype(np.float32), blurred(sharp, 0.011).astype(np.float32))
        around = blurred(to_bytes(page), 0.0075).astype(np.float32)
        page -= np.clip(around - page, 0, 32) * (1.15 * self.rim)
        paper = np.array(self.paper, np.float32) * 255
        pools = laid(noise(size, 0.45, 0.025, seed=11), self.dice)
        tooth = laid(noise(size, 0.02, 0.007, seed=12), self.dice)
        density = 1 + 0.085 * pools + 0.05 * self.granulation * tooth
        page = paper - (paper - page) * density[..., None]
        page += (1.8 * self.granulation * tooth)[..., None]
        return to_bytes(self._leave_margin(page, paper))

    def _run(self, sharp: Floats, soft: Floats) -> Floats:
        """Let edges waver, and here and there run into each other."""
        size = self.size
        calm = 1 - 0.85 * self.details.cover(size)
        sway = 0.0030 * self.wobble * calm
        shiver = 0.0010 * self.wobble * calm
        right, down = (
            laid(noise(size, 0.12, 0.03, seed), self.dice) * sway
            + laid(noise(size, 0.03, 0.012, seed + 2), self.dice) * shiver
            for seed in (13, 14)
        )
        wet = np.clip(laid(noise(size, 0.3, 0.06, seed=17), self.dice) * 0.6 - 0.45, 0, 0.7) * calm
        return displaced(sharp + (soft - sharp) * wet[..., None], right, down)

    def _leave_margin(self, page: Floats, paper: Floats) -> Floats:
        """Let the painting end before the page does, in a ragged edge with a dark rim."""
        if not self.margin:
            return page
        t = (np.arange(self.size, dtype=np.float32) + 0.5) / self.size
        side = np.minimum(t, 1 - t)
        # A smooth minimum rounds the corners.
        inside = -np.log(np.exp(-side / 0.02)[None, :] + np.exp(-side / 0.02)[:, None]) * 0.02
        inside = (
            inside + laid(noise(self.size, 0.3, 0.03, seed=18), self.dice) * 0.009 - self.margin
        )
        painted = np.clip(inside / 0.007, 0, 1)[..., None]
        rim = np.exp(-(((inside - 0.009) / 0.005) ** 2))[..., None] * 0.3 * self.rim
        return paper + (page + (page - paper) * rim - paper) * painted
