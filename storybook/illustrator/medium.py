"""What an artist's hand can do, whatever it holds: the base of all eight styles.

Figures, places and weather are drawn only through a :class:`Medium`, in page units: the page is
1.0 wide and 1.0 high, y grows downwards. A style is a subclass that does the same strokes in its
own way (layers of thin paint, hatching, cut paper) and may treat the finished page as a whole.
The base class draws flat shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import skia

from storybook.dice import Dice
from storybook.illustrator.palette import Colour, darker, lighter, to_skia

Tint = Callable[[Colour], Colour]


class Medium:
    """A page and the tools to draw on it.

    Args:
        size: width and height of the page in pixels.
        dice: the chances of this medium's own marks.
    """

    def __init__(self, size: int, dice: Dice) -> None:
        self.size = size
        self.dice = dice
        self.surface = skia.Surface(size, size)
        self.canvas = self.surface.getCanvas()
        self.canvas.scale(size, size)
        self.canvas.clear(skia.ColorWHITE)
        self._tints: list[Tint] = []

    @contextmanager
    def lit(self, tint: Tint) -> Iterator[None]:
        """Let all colours in the block be seen in a certain light."""
        self._tints.append(tint)
        try:
            yield
        finally:
            self._tints.pop()

    @contextmanager
    def moved(self, matrix: skia.Matrix) -> Iterator[None]:
        """Draw the block's shapes through a transformation."""
        self.canvas.save()
        self.canvas.concat(matrix)
        try:
            yield
        finally:
            self.canvas.restore()

    def seen(self, colour: Colour) -> Colour:
        """Return the colour as the present light shows it."""
        for tint in reversed(self._tints):
            colour = tint(colour)
        return colour

    def sky(self, top: Colour, bottom: Colour, horizon: float) -> None:
        """Fill the page down to ``horizon`` (and below, with ``bottom``) with a gradient."""
        shader = skia.GradientShader.MakeLinear(
            [skia.Point(0, 0), skia.Point(0, max(horizon, 1e-3))],
            [to_skia(self.seen(top)), to_skia(self.seen(bottom))],
        )
        self.canvas.drawRect(skia.Rect(-0.1, -0.1, 1.1, 1.1), skia.Paint(Shader=shader))

    def shape(
        self, path: skia.Path, colour: Colour, *, outline: bool = True, alpha: float = 1.0
    ) -> None:
        """Fill a closed path.

        ``outline=False`` is for parts of a thing (a cheek, a highlight, a pattern), which a style
        that outlines things leaves without a contour.
        """
        del outline  # flat shapes have no contour
        self.fill(path, self.seen(colour), alpha)

    def stroke(self, path: skia.Path, colour: Colour, width: float) -> None:
        """Draw a line along a path, ``width`` in page units, with round ends."""
        self.line(path, self.seen(colour), width)

    def glow(
        self, x: float, y: float, radius: float, colour: Colour, strength: float = 0.8
    ) -> None:
        """Lay a soft light around a point; it is a light itself, so no other light tints it."""
        shader = skia.GradientShader.MakeRadial(
            skia.Point(x, y), radius, [to_skia(colour, strength), to_skia(colour, 0.0)]
        )
        self.canvas.drawCircle(x, y, radius, skia.Paint(Shader=shader, AntiAlias=True))

    def veil(
        self, colour: Colour, top: float, bottom: float, alpha_top: float, alpha_bottom: float
    ) -> None:
        """Lay a see-through gradient (mist, haze) over the page between two heights."""
        shader = skia.GradientShader.MakeLinear(
            [skia.Point(0, top), skia.Point(0, bottom)],
            [to_skia(colour, alpha_top), to_skia(colour, alpha_bottom)],
        )
        self.canvas.drawRect(skia.Rect(-0.1, top, 1.1, bottom), skia.Paint(Shader=shader))

    def fill(self, path: skia.Path, colour: Colour, alpha: float = 1.0) -> None:
        """Fill a path evenly with a colour that is already seen in the present light."""
        self.canvas.drawPath(path, skia.Paint(Color=to_skia(colour, alpha), AntiAlias=True))

    def fill_shaded(self, path: skia.Path, colour: Colour, light: float, shade: float) -> None:
        """Fill a path with a seen colour, modelled from light to shade.

        It has ``light`` more white at the upper left and ``shade`` more darkness at the lower
        right.
        """
        box = path.getBounds()
        gradient = skia.GradientShader.MakeLinear(
            [skia.Point(box.left(), box.top()), skia.Point(box.right(), box.bottom())],
            [to_skia(c) for c in (lighter(colour, light), colour, darker(colour, shade))],
            [0.0, 0.5, 1.0],
        )
        self.canvas.drawPath(path, skia.Paint(Shader=gradient, AntiAlias=True))

    def line(
        self,
        path: skia.Path,
        colour: Colour,
        width: float,
        *,
        alpha: float = 1.0,
        shader: skia.Shader | None = None,
    ) -> None:
        """Draw along a path, with round ends, in a seen colour.

        An alpha-only shader gives the line a texture.
        """
        # Paint.setShader copies an image a hundred times more slowly than the constructor does.
        texture = {} if shader is None else {"Shader": shader}
        paint = skia.Paint(
            Color=to_skia(colour, alpha),
            AntiAlias=True,
            Style=skia.Paint.kStroke_Style,
            StrokeWidth=width,
            StrokeCap=skia.Paint.kRound_Cap,
            StrokeJoin=skia.Paint.kRound_Join,
            **texture,
        )
        self.canvas.drawPath(path, paint)

    def finish(self) -> np.ndarray:
        """Return the page as an array of uint8, shape (size, size, 3)."""
        return self.pixels()

    def pixels(self) -> np.ndarray:
        """Return what is on the page now, uint8, shape (size, size, 3), RGB."""
        self.surface.flushAndSubmit()
        rgba = self.surface.toarray(colorType=skia.kRGBA_8888_ColorType)
        return np.ascontiguousarray(rgba[..., :3])
