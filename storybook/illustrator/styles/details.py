"""Where the small things of a picture are, so that no effect on the whole page tears a face."""

from __future__ import annotations

import numpy as np
import skia

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
        """Return how much detail lies around each pixel: shape (size, size), from 0 to 1, with
        soft borders."""
        small = self._surface.makeImageSnapshot()
        large = skia.Surface(size, size)
        large.getCanvas().drawImageRect(
            small, skia.Rect(0, 0, size, size), skia.SamplingOptions(skia.CubicResampler.Mitchell())
        )
        return large.toarray()[..., 0].astype(np.float32) / 255
