"""What figures hold, sit on and sleep on."""

from __future__ import annotations

import math

import skia

from storybook.dice import Dice
from storybook.illustrator.clothes import CLOTH
from storybook.illustrator.palette import Colour, darker, hexed, lighter, varied
from storybook.illustrator.pen import Pen, Point
from storybook.illustrator.poses import Build, Pose

PAPER = hexed("fffaf0")
PRINT = hexed("b9aea6")
WOOD = hexed("94653f")
STRING = hexed("6b6470")
SHADOW = hexed("241c38")
MOVEMENT = hexed("4a4766")
CHEERFUL = ("red", "blue", "green", "yellow", "orange", "purple", "pink", "turquoise")

LIKE = {
    "red": "orange",
    "orange": "red",
    "blue": "purple",
    "purple": "blue",
    "turquoise": "green",
    "green": "turquoise",
    "pink": "red",
    "yellow": "orange",
}
"""Which colour is easily taken for another."""


def other_colour(colour: str, dice: Dice) -> Colour:
    """Return a cheerful colour that is not the garment's."""
    free = [name for name in CHEERFUL if name not in (colour, LIKE.get(colour))]
    return varied(CLOTH[dice.pick(free)], dice)


def draw_shadow(pen: Pen, pose: Pose, build: Build) -> None:
    """Draw the soft shadow on the ground."""
    width = build.hip * 1.7 * (1 - 2 * max(pose.lift, 0))
    x = 0.0
    if pose.stance in ("floor", "lying"):
        feet, head = pose.legs[0].end[0], pose.head[0]
        over = build.head_rx if feet < head else -build.head_rx
        width, x = abs(head + over - feet) / 2, (head + over + feet) / 2
    for share, alpha in ((1.0, 0.13), (0.78, 0.14)):
        pen.oval(x, 0.004, width * share, 0.024 * share, SHADOW, outline=False, alpha=alpha)


def draw_footprints(pen: Pen, pose: Pose, dice: Dice, margin: float) -> None:
    """Draw the prints that one who walks leaves behind, as far as the page goes."""
    x, step = pose.legs[0].end[0] - 0.06, dice.uniform(0.06, 0.075)
    for k in range(5):
        y = 0.008 if k % 2 else -0.012
        if margin < pen.matrix.mapXY(x - k * step, y).x() < 1 - margin:
            pen.oval(x - k * step, y, 0.022, 0.009, SHADOW, outline=False, alpha=0.45)


def _mark(pen: Pen, points: list[Point]) -> None:
    """Draw a mark of movement that shows on light and on dark."""
    pen.line(points, MOVEMENT, 0.015)
    pen.line(points, PAPER, 0.008)


def draw_waving(pen: Pen, hand: Point) -> None:
    """Draw two bows beside a hand that waves."""
    x, y = hand
    for reach in (0.062, 0.095):
        bow = [(math.radians(degrees), reach) for degrees in (-62, -32, 2)]
        _mark(pen, [(x + r * math.cos(a), y - 0.012 + r * math.sin(a)) for a, r in bow])


def draw_leaping(pen: Pen, pose: Pose) -> None:
    """Draw three strokes between the ground and one who has left it, in the raised frame."""
    ground = pose.lift
    for x, length in ((-0.05, 0.05), (0.0, 0.07), (0.05, 0.05)):
        _mark(pen, [(x, ground - 0.02), (x, ground - 0.02 - length)])


def draw_chin_shadow(pen: Pen, build: Build) -> None:
    """Draw the shadow that the big head throws on the chest, in the torso's frame."""
    pen.oval(
        0, -build.torso + 0.012, build.shoulder * 0.86, 0.034, SHADOW, outline=False, alpha=0.16
    )


def draw_stump(pen: Pen, pose: Pose, build: Build, dice: Dice) -> None:
    """Draw the tree stump under one who sits."""
    wood = varied(WOOD, dice)
    top, w = pose.hip[1] + 0.012, build.hip * dice.uniform(1.45, 1.7)
    body = skia.Path()
    body.moveTo(-w, top)
    body.quadTo(-w * 0.95, -0.03, -w * 1.12, 0.004)
    body.quadTo(0, 0.02, w * 1.12, 0.004)
    body.quadTo(w * 0.95, -0.03, w, top)
    body.close()
    pen.shape(body, wood)
    pen.oval(0, top, w, 0.024, lighter(wood, 0.45))


def draw_pillow(pen: Pen, pose: Pose, build: Build, colour: Colour) -> None:
    """Draw a pillow under a sleeper's head."""
    x, w = pose.head[0] + 0.015, build.head_rx * 1.12
    pen.blob([
        (x - w, -0.075), (x - w * 0.3, -0.088), (x + w, -0.12), (x + w * 1.1, -0.1),
        (x + w * 1.04, -0.03), (x + w * 1.1, 0.004), (x, 0.012), (x - w * 1.06, 0.006),
        (x - w, -0.03),
    ], lighter(colour, 0.62))  # fmt: skip


def draw_blanket(pen: Pen, pose: Pose, build: Build, colour: Colour) -> None:
    """Draw a blanket over a sleeper's legs."""
    top, w = pose.hip[1] - build.hip * 0.98, build.leg + 0.09
    x = pose.hip[0] - 0.005
    pen.blob([
        (x, top), (x + 0.015, top * 0.5), (x + 0.01, 0.008), (x + 0.01, 0.008),
        (x - w * 0.5, 0.014), (x - w, 0.008), (x - w, 0.008), (x - w * 0.98, -0.055),
        (x - w * 0.6, top * 0.85),
    ], colour)  # fmt: skip
    pen.line([
        (x - 0.022, top * 0.93), (x - 0.012, top * 0.5), (x - 0.017, 0.0),
    ], lighter(colour, 0.5), 0.013)  # fmt: skip
    pen.line([(x - w * 0.8, -0.04), (x - w * 0.45, -0.055)], darker(colour, 0.15), 0.005)


def draw_snores(pen: Pen, head: Point, build: Build, *, mirrored: bool) -> None:
    """Draw three rising letters Z, which read the right way even for a mirrored figure."""
    for k, size in enumerate((0.016, 0.021, 0.027)):
        x, y = head[0] - 0.02 - 0.062 * k, head[1] - build.head_rx - 0.045 - 0.056 * k
        w = -size if mirrored else size
        letter = [
            (x - w, y - size), (x + w, y - size), (x + w, y - size), (x - w, y + size),
            (x - w, y + size), (x + w, y + size),
        ]  # fmt: skip
        pen.line(letter, hexed("5d5a7a"), 0.009)


def draw_book(pen: Pen, x: float, y: float, cover: Colour, dice: Dice) -> None:
    """Draw an open book that its reader holds upright."""
    w, h = 0.112 * dice.uniform(0.95, 1.06), 0.062 * dice.uniform(0.95, 1.1)
    book = pen.at(x, y, dice.uniform(-4, 4))
    book.blob([
        (-w, -h), (-w, -h), (0, -h * 0.78), (w, -h), (w, -h), (w, h), (w, h), (0, h * 1.2),
        (-w, h), (-w, h),
    ], cover)  # fmt: skip
    for side in (-1, 1):
        page = [
            (0.0, -h * 0.82), (0.0, -h * 0.82), (side * w * 0.5, -h * 1.06),
            (side * w * 0.9, -h * 0.98), (side * w * 0.9, -h * 0.98), (side * w * 0.9, h * 0.78),
            (side * w * 0.9, h * 0.78), (side * w * 0.5, h * 0.72), (0.0, h * 0.98),
            (0.0, h * 0.98),
        ]  # fmt: skip
        book.blob(page, PAPER)
        for row in (-0.45, 0.0, 0.42):
            book.line([
                (side * w * 0.2, h * (row + 0.04)), (side * w * 0.72, h * (row - 0.06)),
            ], PRINT, 0.006)  # fmt: skip
    book.line([(0, -h * 0.75), (0, h)], darker(PAPER, 0.35), 0.005)


def draw_balloon(pen: Pen, hand: Point, balloon: Point, colour: Colour, dice: Dice) -> None:
    """Draw a balloon on a string from the hand."""
    (x, y), r = balloon, 0.083 * dice.uniform(0.92, 1.1)
    knot = y + r * 1.28
    sag = dice.uniform(-0.02, 0.03)
    pen.line([(x, knot), ((x + hand[0]) / 2 + sag, (knot + hand[1]) / 2), hand], STRING, 0.006)
    pen.blob([
        (x - 0.014, knot + 0.008), (x, knot - 0.02), (x + 0.014, knot + 0.008),
    ], darker(colour, 0.15))  # fmt: skip
    pen.blob([
        (x, y - r * 1.12), (x + r * 0.72, y - r * 0.82), (x + r, y - r * 0.05),
        (x + r * 0.62, y + r * 0.82), (x, y + r * 1.2), (x - r * 0.62, y + r * 0.82),
        (x - r, y - r * 0.05), (x - r * 0.72, y - r * 0.82),
    ], colour)  # fmt: skip
    pen.at(x - r * 0.4, y - r * 0.5, 30).oval(
        0, 0, r * 0.17, r * 0.28, lighter(colour, 0.7), outline=False
    )
