"""Paths that landscapes are made of: soft outlines, straight ones, and lines of hills.

All lengths are page units; y grows downwards.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import skia

from storybook.dice import Dice

Point = tuple[float, float]

MARGIN = 0.12
"""How far landscapes run beyond the page, so that no style's unsteady hand bares an edge."""


def polygon(*points: Point) -> skia.Path:
    """Return a closed path with straight sides."""
    return skia.Path.Polygon([skia.Point(x, y) for x, y in points], True)


def box(left: float, top: float, right: float, bottom: float) -> skia.Path:
    """Return an upright rectangle."""
    return polygon((left, top), (right, top), (right, bottom), (left, bottom))


def oval(x: float, y: float, width: float, height: float) -> skia.Path:
    """Return an ellipse around a point; ``width`` and ``height`` are its radii."""
    return skia.Path.Oval(skia.Rect(x - width, y - height, x + width, y + height))


def arch(left: float, top: float, right: float, bottom: float) -> skia.Path:
    """Return a door's shape: upright sides and a round top."""
    spring = top + min((right - left) / 2, bottom - top)
    path = skia.Path()
    path.moveTo(left, bottom).lineTo(left, spring)
    path.cubicTo(left, top, right, top, right, spring)
    path.lineTo(right, bottom).close()
    return path


def curve(points: Sequence[Point]) -> skia.Path:
    """Return an open smooth line through all the points (a Catmull-Rom spline)."""
    path = skia.Path()
    path.moveTo(*points[0])
    _through(path, [points[0], *points, points[-1]])
    return path


def blob(points: Sequence[Point]) -> skia.Path:
    """Return a closed smooth outline through all the points (a Catmull-Rom spline)."""
    path = skia.Path()
    path.moveTo(*points[0])
    _through(path, [points[-1], *points, points[0], points[1]])
    path.close()
    return path


def _through(path: skia.Path, points: Sequence[Point]) -> None:
    for before, start, end, after in zip(points, points[1:], points[2:], points[3:], strict=False):
        path.cubicTo(
            start[0] + (end[0] - before[0]) / 6,
            start[1] + (end[1] - before[1]) / 6,
            end[0] - (after[0] - start[0]) / 6,
            end[1] - (after[1] - start[1]) / 6,
            *end,
        )


def limb(points: Sequence[Point], thick: float, thin: float) -> skia.Path:
    """Return a trunk or branch along the points, ``thick`` wide at first and ``thin`` at last."""
    left, right = [], []
    for index, (x, y) in enumerate(points):
        before = points[max(index - 1, 0)]
        after = points[min(index + 1, len(points) - 1)]
        dx, dy = after[0] - before[0], after[1] - before[1]
        length = math.hypot(dx, dy) or 1.0
        half = (thick + (thin - thick) * index / (len(points) - 1)) / 2
        left.append((x + dy / length * half, y - dx / length * half))
        right.append((x - dy / length * half, y + dx / length * half))
    path = curve(left)
    path.lineTo(*right[-1])
    right.reverse()
    _through(path, [right[0], *right, right[-1]])
    path.close()
    return path


def puff(x: float, y: float, width: float, height: float, bumps: int, dice: Dice) -> skia.Path:
    """Return a scalloped ellipse: a tree's crown, a bush, a ball of cloud."""
    turn = dice.uniform(0, math.tau)
    angles = [turn + math.tau * (i + dice.uniform(-0.2, 0.2)) / bumps for i in range(bumps)]
    spots = [(x + width * math.cos(a), y + height * math.sin(a)) for a in angles]
    path = skia.Path()
    path.moveTo(*spots[0])
    reach = 1.12 / math.cos(math.pi / bumps)
    for index in range(bumps):
        following = angles[(index + 1) % bumps] + (math.tau if index == bumps - 1 else 0.0)
        middle = (angles[index] + following) / 2
        end = spots[(index + 1) % bumps]
        path.quadTo(
            x + width * reach * math.cos(middle), y + height * reach * math.sin(middle), *end
        )
    path.close()
    return path


def cloud(x: float, y: float, width: float, height: float, bumps: int, dice: Dice) -> skia.Path:
    """Return a cloud: bumps above, the biggest in the middle, and an almost flat base at ``y``."""
    edges = [x - width / 2 + width * i / bumps for i in range(bumps + 1)]
    path = skia.Path()
    path.moveTo(edges[0], y)
    level = y
    for index in range(bumps):
        inside = index + 1 < bumps
        end = y - height * 0.55 * math.sin(math.pi * (index + 1) / bumps) if inside else y
        rise = height * dice.uniform(0.45, 0.75)
        path.cubicTo(
            edges[index] - width * 0.06,
            level - rise,
            edges[index + 1] + width * 0.06,
            end - rise,
            edges[index + 1],
            end,
        )
        level = end
    path.quadTo(x, y + height * 0.14, edges[0], y)
    path.close()
    return path


def twinkle(x: float, y: float, radius: float) -> skia.Path:
    """Return a star with four long points."""
    waist = radius * 0.28
    spots = []
    for corner in range(8):
        reach = waist if corner % 2 else radius
        spots.append(
            (x + reach * math.sin(corner * math.pi / 4), y - reach * math.cos(corner * math.pi / 4))
        )
    return polygon(*spots)


def spiral(x: float, y: float, radius: float, turns: float, start: float) -> list[Point]:
    """Return points that wind inwards around a centre, from angle ``start`` in radians."""
    count = max(int(abs(turns) * 8), 4)
    return [
        (
            x + radius * (1 - 0.85 * i / count) * math.cos(start + math.tau * turns * i / count),
            y + radius * (1 - 0.85 * i / count) * math.sin(start + math.tau * turns * i / count),
        )
        for i in range(count + 1)
    ]


class Ridge:
    """A line of hills: a height for every x.

    Args:
        level: its mean height on the page.
        swing: how far it rises and falls.
        dice: decides where.
        waves: how many hills fit on the page, roughly.
    """

    def __init__(self, level: float, swing: float, dice: Dice, waves: float = 1.2) -> None:
        self._level = level
        self._waves = [
            (swing * 0.7, waves * dice.uniform(0.8, 1.25), dice.uniform()),
            (swing * 0.3, waves * dice.uniform(1.9, 2.6), dice.uniform()),
        ]

    def __call__(self, x: float) -> float:
        """Return the height of the line at ``x``."""
        return self._level + sum(
            size * math.sin(math.tau * (rate * x + phase)) for size, rate, phase in self._waves
        )

    def path(self, above: float = 0.0) -> skia.Path:
        """Return the land from ``above`` the line down to the page's foot."""
        steps = 12
        width = 1.0 + 2 * MARGIN
        xs = [-MARGIN + width * i / steps for i in range(steps + 1)]
        path = curve([(x, self(x) - above) for x in xs])
        path.lineTo(1.0 + MARGIN, 1.0 + MARGIN).lineTo(-MARGIN, 1.0 + MARGIN).close()
        return path
