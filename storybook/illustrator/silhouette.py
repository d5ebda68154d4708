"""Where on the page a figure is, without its paint: how much of each cell it covers."""

from __future__ import annotations

import numpy as np
import skia

from storybook.illustrator.figures import Figure
from storybook.illustrator.pen import Limb
from storybook.illustrator.places import ground_level
from storybook.world import Scene

LIMB = 0.11
"""How wide an arm or a leg counts as, with sleeve, hand and shoe, in page units at scale 1."""
TORSO, HEAD = 1.2, 1.25
"""How many times wider than their build torso and head count as, with clothes, hair and ears."""
# The head is drawn over the body: red is where either is, green where the head is.
_BODY, _HEAD = skia.ColorRED, skia.ColorYELLOW


def silhouette(scene: Scene, size: int) -> np.ndarray:
    """Return how much of each cell of the page the figure covers, and its head alone.

    Args:
        scene: what the page shows.
        size: cells across and down.

    Returns:
        float16, shape (2, size, size), from 0 to 1: the whole figure, then its head.
    """
    ground = ground_level(scene)
    figure = Figure.of(scene, ground)
    surface = skia.Surface(size, size)
    canvas = surface.getCanvas()
    canvas.clear(skia.ColorBLACK)
    canvas.scale(size, size)
    canvas.concat(figure.on_page(ground))
    canvas.translate(0, -figure.pose.lift)
    _draw(canvas, figure)
    covered = surface.toarray(colorType=skia.kRGBA_8888_ColorType)[..., :2]
    return (covered.transpose(2, 0, 1) / 255).astype(np.float16)


def _draw(canvas: skia.Canvas, figure: Figure) -> None:
    held, build = figure.pose, figure.build
    for limb in (*held.arms, *held.legs):
        canvas.drawPath(_way(limb), _brush(LIMB))
    torso = _brush(2 * TORSO * max(build.hip, build.shoulder))
    canvas.drawLine(*held.hip, *held.neck, torso)
    wide, high = HEAD * build.head_rx, HEAD * build.head_ry
    if held.stance == "lying":
        wide = high = max(wide, high)
    (x, y) = held.head
    canvas.drawOval(
        skia.Rect.MakeXYWH(x - wide, y - high, 2 * wide, 2 * high),
        skia.Paint(AntiAlias=True, Color=_HEAD),
    )


def _way(limb: Limb) -> skia.Path:
    path = skia.Path()
    path.moveTo(*limb.start)
    path.quadTo(*limb.bend, *limb.end)
    return path


def _brush(width: float) -> skia.Paint:
    return skia.Paint(
        AntiAlias=True,
        Color=_BODY,
        Style=skia.Paint.kStroke_Style,
        StrokeWidth=width,
        StrokeCap=skia.Paint.kRound_Cap,
    )
