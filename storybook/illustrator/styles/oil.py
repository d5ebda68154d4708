"""Oil painting: rich colours in visible dabs that follow a flow, with light on the thick paint."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import skia

from storybook.dice import Dice
from storybook.illustrator.palette import Colour, mix, saturated
from storybook.illustrator.styles.details import CarefulMedium
from storybook.illustrator.styles.textures import FULL, Floats, blurred, laid, noise, to_bytes

CANVASES = 3
"""How many different sets of dabs there are; pictures differ by how they lay them."""
BRUSHES = (0.062, 0.028, 0.013)
"""Lengths of a dab, from broad to fine, in page units."""


@dataclass(frozen=True, slots=True)
class Dabs:
    """A page covered with dabs of one brush."""

    source: npt.NDArray[np.intp]
    """Which pixel of the page each pixel takes its colour from, shape (size, size)."""
    relief: Floats
    """The light on the ridges of the paint, around 0, shape (size, size)."""
    shift: Floats
    """How each dab's paint differs from its neighbours', around 0, shape (size, size, 3)."""


@lru_cache(maxsize=24)
def _dabs(size: int, length: float, seed: int) -> Dabs:
    """Return a page of dabs, the same at every size."""
    width = length * 0.4
    side = round(1.7 / (length * width) ** 0.5)
    flow = noise(64, 0.7, 0.2, seed=40 + seed)
    dice = Dice(f"dabs/{length}/{seed}")
    order = sorted(range(side * side), key=lambda _: dice.uniform())
    centres = np.zeros((side * side, 2), np.float32)
    angles = np.zeros(side * side, np.float32)
    surface = skia.Surface(size, size)
    canvas = surface.getCanvas()
    canvas.scale(size, size)
    for number, cell in enumerate(order):
        x = (cell % side + dice.uniform()) / side
        y = (cell // side + dice.uniform()) / side
        turn = float(flow[int(y * 63.9), int(x * 63.9)]) * 1.1 - 0.6 + dice.normal(0, 0.25)
        centres[number], angles[number] = (x, y), turn
        _put_down(canvas, x, y, turn, (length, width * dice.uniform(0.7, 1.2)), number + 1)
    rgba = surface.toarray(colorType=skia.kRGBA_8888_ColorType).astype(np.intp)
    owner = rgba[..., 0] + (rgba[..., 1] << 8) + (rgba[..., 2] << 16) - 1
    column, row = np.minimum((centres[owner] * size).astype(np.intp), size - 1).transpose(2, 0, 1)
    # Where no dab fell (owner is -1), a pixel keeps its own colour.
    source = np.where(owner < 0, np.arange(size * size).reshape(size, size), row * size + column)
    value = noise(FULL, 0.02, 0.004, seed=45 + seed).ravel()[: side * side]
    warmth = noise(FULL, 0.02, 0.004, seed=46 + seed).ravel()[: side * side]
    shifts = value[:, None] * np.float32(1.0) + warmth[:, None] * np.array(
        [0.6, 0.0, -0.6], np.float32
    )
    return Dabs(source, _ridges(owner, centres, angles, width), shifts[owner])


def _put_down(
    canvas: skia.Canvas, x: float, y: float, turn: float, extent: tuple[float, float], number: int
) -> None:
    """Draw one dab in a colour that is its number; dabs hang over at all sides of the page."""
    length, width = extent
    paint = skia.Paint(
        Color=skia.Color(number & 255, number >> 8 & 255, number >> 16 & 255),
        AntiAlias=False,
    )
    canvas.save()
    canvas.translate(x, y)
    canvas.rotate(float(np.degrees(turn)))
    canvas.drawRoundRect(
        skia.Rect(-length / 2, -width / 2, length / 2, width / 2), width * 0.45, width * 0.45, paint
    )
    canvas.restore()


def _ridges(owner: npt.NDArray[np.intp], centres: Floats, angles: Floats, width: float) -> Floats:
    """Return the light from the upper left on furrowed dabs."""
    size = len(owner)
    t = (np.arange(size, dtype=np.float32) + 0.5) / size
    angle, centre = angles[owner], centres[owner]
    across = -np.sin(angle) * (t[None, :] - centre[..., 0]) + np.cos(angle) * (
        t[:, None] - centre[..., 1]
    )
    across /= width / 2
    bristles = np.cos(across * 5.0 + owner) + 0.5 * np.cos(across * 9.0 + owner * 1.7)
    height = 0.55 * (1 - across**2) + 0.22 * bristles + (owner % 7) * 0.05
    light = (height - np.roll(height, (1, 1), (0, 1))) * (size * width / 2)
    return np.clip(light, -1.6, 1.6).astype(np.float32)


class OilPainting(CarefulMedium):
    """A primed canvas, painted thickly."""

    def __init__(self, size: int, dice: Dice) -> None:
        super().__init__(size, dice)
        self.impasto = dice.uniform(0.7, 1.25)
        self.richness = dice.uniform(1.05, 1.25)
        self.varnish = dice.uniform(0.02, 0.07)
        self.canvas_seed = dice.integer(0, CANVASES - 1)
        self.looseness = dice.uniform(0.8, 1.25)

    def seen(self, colour: Colour) -> Colour:
        """Return the colour as the present light and a warm varnish show it."""
        return mix(saturated(super().seen(colour), self.richness), (0.62, 0.40, 0.14), self.varnish)

    def paint(self, path: skia.Path, colour: Colour, *, outline: bool, alpha: float) -> None:
        """Model a path from light to shade, as one does with wet paint."""
        box = path.getBounds()
        if alpha < 1 or not outline or min(box.width(), box.height()) < 0.03:
            self.fill(path, self.seen(colour), alpha)
        else:
            self.fill_shaded(path, self.seen(colour), light=0.16, shade=0.24)

    def finish(self) -> np.ndarray:
        """Return the page repainted in dabs, uint8, shape (size, size, 3).

        They are broad where little happens, and fine in faces and at edges.
        """
        drawn = self.pixels()
        colours = drawn.astype(np.float32)
        detail = np.abs(colours - blurred(drawn, 0.016).astype(np.float32)).max(axis=-1)
        detail = blurred(np.repeat(to_bytes(detail * 2)[..., None], 3, axis=-1), 0.010)[..., 0]
        fine = self.details.cover(self.size)
        level = detail.astype(np.float32) / (52 * self.looseness) + fine
        page, relief = self._painted(colours, 0)
        for brush in (1, 2):
            finer, ridges = self._painted(colours, brush)
            share = np.clip((level - (0.25, 0.75)[brush - 1]) * 4, 0, 1)
            page += (finer - page) * share[..., None]
            relief = relief + (ridges - relief) * share
        keep = np.clip(level - 0.9, 0, 0.45) + 0.45 * fine
        page += (colours - page) * keep[..., None]
        hue = laid(noise(self.size, 0.08, 0.012, seed=48, stretch=2.5), self.dice)
        page *= 1 + 0.025 * hue[..., None]
        return to_bytes(
            page + (relief * (1 - 0.6 * fine) * 7.5 * self.impasto)[..., None] * (0.4 + page / 400)
        )

    def _painted(self, colours: Floats, brush: int) -> tuple[Floats, Floats]:
        dabs = _dabs(self.size, BRUSHES[brush], self.canvas_seed)
        return colours.reshape(-1, 3)[dabs.source] + dabs.shift * (7.0 / (1 + brush)), dabs.relief
