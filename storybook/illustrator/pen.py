"""A pen that knows where it is: it draws a part in the part's own coordinates.

Every path reaches the medium in page units, so that contours, shadows and brush marks keep one
size and one direction, whichever way the part is turned or mirrored.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import skia

from storybook.illustrator.medium import Medium
from storybook.illustrator.palette import Colour

Point = tuple[float, float]


def smooth(points: Sequence[Point], closed: bool = True) -> skia.Path:
    """Return the curve through the points (Catmull and Rom's spline).

    A point given twice is a corner.
    """
    path = skia.Path()
    path.moveTo(*points[0])
    count = len(points)
    for i in range(count if closed else count - 1):
        if closed:
            before, start, end, after = (points[(i + k) % count] for k in (-1, 0, 1, 2))
        else:
            before, start = points[max(i - 1, 0)], points[i]
            end, after = points[i + 1], points[min(i + 2, count - 1)]
        if start == end:
            continue
        path.cubicTo(
            start[0] + (end[0] - before[0]) / 6, start[1] + (end[1] - before[1]) / 6,
            end[0] - (after[0] - start[0]) / 6, end[1] - (after[1] - start[1]) / 6,
            end[0], end[1],
        )  # fmt: skip
    if closed:
        path.close()
    return path


def scalloped(points: Sequence[Point], puff: float) -> skia.Path:
    """Return a closed path of round lobes that meet in the points, which run clockwise.

    ``puff`` is how far a lobe swells, as a share of its width.
    """
    path = skia.Path()
    path.moveTo(*points[0])
    for (x0, y0), (x1, y1) in zip(points, [*points[1:], points[0]], strict=True):
        out_x, out_y = (y1 - y0) * puff, (x0 - x1) * puff
        path.cubicTo(x0 + out_x, y0 + out_y, x1 + out_x, y1 + out_y, x1, y1)
    path.close()
    return path


@dataclass(frozen=True, slots=True)
class Limb:
    """An arm, a leg or a tail: a bow from ``start`` to ``end``, pulled towards ``bend``."""

    start: Point
    bend: Point
    end: Point
    front: bool = False
    """Whether it lies in front of the body."""

    def at(self, t: float) -> Point:
        """Return the point at ``t``: 0 is the start, 1 the end (a quadratic Bézier curve)."""
        a, b, c = (1 - t) ** 2, 2 * t * (1 - t), t * t
        x = a * self.start[0] + b * self.bend[0] + c * self.end[0]
        y = a * self.start[1] + b * self.bend[1] + c * self.end[1]
        return x, y

    def normal(self, t: float) -> Point:
        """Return the unit vector square to the limb at ``t``."""
        (x0, y0), (x1, y1) = self.at(t - 0.02), self.at(t + 0.02)
        length = math.hypot(x1 - x0, y1 - y0) or 1.0
        return (y0 - y1) / length, (x1 - x0) / length

    def degrees(self) -> float:
        """Return the direction of the limb's end, in degrees: 0 points right, 90 down."""
        nx, ny = self.normal(1.0)
        return math.degrees(math.atan2(-nx, ny))

    def outline(self, widths: Sequence[float], first: float = 0.0, last: float = 1.0) -> skia.Path:
        """Return the limb from ``first`` to ``last`` as a shape.

        ``widths`` are half widths at equal steps along it.
        """
        left: list[Point] = []
        right: list[Point] = []
        for i, width in enumerate(widths):
            t = first + (last - first) * i / (len(widths) - 1)
            (x, y), (nx, ny) = self.at(t), self.normal(t)
            left.append((x + nx * width, y + ny * width))
            right.append((x - nx * width, y - ny * width))
        (x, y), (nx, ny) = self.at(last), self.normal(last)
        tip = (x + ny * widths[-1], y - nx * widths[-1])
        (x, y), (nx, ny) = self.at(first), self.normal(first)
        root = (x - ny * widths[0], y + nx * widths[0])
        return smooth([*left, tip, *reversed(right), root])


@dataclass(frozen=True, slots=True)
class Pen:
    """A medium, and the frame (``matrix``) in which the next part is drawn."""

    medium: Medium
    matrix: skia.Matrix

    def at(self, x: float, y: float, degrees: float = 0.0, sx: float = 1.0, sy: float = 1.0) -> Pen:
        """Return a pen whose origin is at (x, y), turned clockwise, then scaled."""
        matrix = skia.Matrix()
        matrix.preConcat(self.matrix)
        matrix.preTranslate(x, y)
        matrix.preRotate(degrees)
        matrix.preScale(sx, sy)
        return Pen(self.medium, matrix)

    def shape(
        self, path: skia.Path, colour: Colour, *, outline: bool = True, alpha: float = 1.0
    ) -> None:
        """Fill a closed path given in the pen's frame."""
        placed = skia.Path()
        path.transform(self.matrix, placed)
        self.medium.shape(placed, colour, outline=outline, alpha=alpha)

    def blob(self, points: Sequence[Point], colour: Colour, *, outline: bool = True) -> None:
        """Fill the smooth closed curve through the points."""
        self.shape(smooth(points), colour, outline=outline)

    def oval(
        self, x: float, y: float, rx: float, ry: float, colour: Colour, *,
        outline: bool = True, alpha: float = 1.0,
    ) -> None:  # fmt: skip
        """Fill an ellipse with its centre at (x, y)."""
        path = skia.Path()
        path.addOval(skia.Rect(x - rx, y - ry, x + rx, y + ry))
        self.shape(path, colour, outline=outline, alpha=alpha)

    def line(self, points: Sequence[Point], colour: Colour, width: float) -> None:
        """Draw the smooth open curve through the points, ``width`` in page units."""
        placed = skia.Path()
        smooth(points, closed=False).transform(self.matrix, placed)
        self.medium.stroke(placed, colour, width)

    def ring(self, x: float, y: float, rx: float, ry: float, colour: Colour, width: float) -> None:
        """Draw the contour of an ellipse."""
        path, placed = skia.Path(), skia.Path()
        path.addOval(skia.Rect(x - rx, y - ry, x + rx, y + ry))
        path.transform(self.matrix, placed)
        self.medium.stroke(placed, colour, width)


def mirrored(points: Sequence[Point]) -> list[Point]:
    """Return the points (right half, from top to bottom) followed by their mirror images."""
    return [*points, *((-x, y) for x, y in reversed(points) if x)]
