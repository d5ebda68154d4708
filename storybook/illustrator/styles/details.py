"""Where the small things of a picture are, so that no effect on the whole page tears a face."""

from __future__ import annotations

import numpy as np
import skia

from storybook.dice import Dice
from storybook.illustrator.medium import Medium
from storybook.illustrator.palette import Colour
from storybook.illustrator.styles.textures import Floats

SMALL = 0.055
"""The size of what counts as a detail, in page units."""
MAP = 48
"""The map of details is this coarse, at every size of page."""


class Details:
    """A map of the page that knows where details were drawn."""

    def __init__(self) -> None:
        self._surface = skia.Surface(MAP, MAP)
        self._canvas = self._surface.getCanvas()
        self._canvas.clear(skia.ColorBLACK)
        self._canvas.scale(MAP, MAP)
        self._paint = skia.Paint(Color=skia.ColorWHITE, AntiAlias=True)

    def note(self, path: skia.Path) -> None:
        """Remember a path if it is small."""
        box = path.getBounds()
        if 0.005 < max(box.width(), box.height()) < SMALL:
            self._canvas.drawOval(box.makeOutset(0.014, 0.014), self._paint)

    def cover(self, size: int) -> Floats:
        """Return how much detail lies around each pixel.

        Returns:
            shape (size, size), from 0 to 1, with soft borders.
        """
        small = self._surface.makeImageSnapshot()
        large = skia.Surface(size, size)
        large.getCanvas().drawImageRect(
            small, skia.Rect(0, 0, size, size), skia.SamplingOptions(skia.CubicResampler.Mitchell())
        )
        return large.toarray()[..., 0].astype(np.float32) / 255


class CarefulMedium(Medium):
    """A medium that will treat the whole page in the end, and minds its details."""

    def __init__(self, size: int, dice: Dice) -> None:
        super().__init__(size, dice)
        self.details = Details()

    def shape(
        self, path: skia.Path, colour: Colour, *, outline: bool = True, alpha: float = 1.0
    ) -> None:
        """Fill a path, and remember it if it is part of a thing."""
        if not outline and alpha == 1:
            self.details.note(path)
        self.paint(path, colour, outline=outline, alpha=alpha)

    def paint(self, path: skia.Path, colour: Colour, *, outline: bool, alpha: float) -> None:
        """Fill a path; arguments as for :meth:`shape`."""
        super().shape(path, colour, outline=outline, alpha=alpha)

    def stroke(self, path: skia.Path, colour: Colour, width: float) -> None:
        """Draw a line, and remember it if it is small: a mouth, an eyebrow."""
        self.details.note(path)
        super().stroke(path, colour, width)
