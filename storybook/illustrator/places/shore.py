"""At the water: beach, lake and harbour."""

from __future__ import annotations

import math

from storybook.illustrator.forms import Point, Ridge, box, curve, limb, oval, polygon, puff
from storybook.illustrator.palette import Colour, darker, hexed, lighter
from storybook.illustrator.scenery import (
    GRASS,
    hills,
    pine,
    sailing_boat,
    stone,
    tree,
    water,
)
from storybook.illustrator.stage import Stage

_BRIGHT = (hexed("e5484d"), hexed("f2a93b"), hexed("3b82d0"), hexed("2fa89a"), hexed("e06aa0"))
_WHITE = hexed("fdf8ee")


def beach(stage: Stage) -> None:
    """Draw sand and sea with a palm, a parasol and a starfish."""
    dice = stage.dice
    horizon, shore = dice.uniform(0.48, 0.54), dice.uniform(0.70, 0.74)
    water(stage, horizon, 0.9, hexed("35a3c7"))
    sailing_boat(stage, (dice.uniform(0.70, 0.79), horizon + 0.02), 0.09, hexed("b5533c"), _WHITE)
    stage.mist(0.66)
    edge = Ridge(shore, 0.02, dice, 1.4)
    stage.detail(edge.path(above=0.025), hexed("f7fcfd"))
    sand = stage.land(stage.shade(hexed("f3d79b")), 0.6)
    stage.shape(edge.path(), sand)
    _palm(stage, (dice.uniform(0.88, 0.95), dice.uniform(0.84, 0.89)), dice.uniform(0.62, 0.70))
    _parasol(stage, (dice.uniform(0.12, 0.18), dice.uniform(0.86, 0.90)), dice.uniform(0.34, 0.40))
    _starfish(
        stage, (dice.uniform(0.70, 0.80), dice.uniform(0.92, 0.95)), dice.uniform(0.05, 0.062)
    )
    ball = (dice.uniform(0.25, 0.32), dice.uniform(0.93, 0.95))
    stage.shape(oval(*ball, 0.035, 0.035), stage.shade(dice.pick(_BRIGHT)))
    stage.detail(oval(ball[0] - 0.01, ball[1] - 0.01, 0.012, 0.012), _WHITE)


def _palm(stage: Stage, foot: Point, height: float) -> None:
    dice = stage.dice
    x, y = foot
    lean = dice.uniform(0.06, 0.12)
    crown = (x - lean, y - height)
    trunk = [foot, (x + 0.01, y - height * 0.35), (x - lean * 0.4, y - height * 0.7), crown]
    stage.shape(limb(trunk, 0.065, 0.038), stage.shade(hexed("a8774a")))
    green = stage.leaf(stage.shade(hexed("3f9a4f"), 1.3))
    for index, angle in enumerate((-2.9, -2.35, -1.75, -1.1, -0.5, 0.1, 2.8)):
        length = height * dice.uniform(0.30, 0.38)
        _frond(stage, crown, angle, length, lighter(green, 0.10) if index % 2 else green)
    for dx in (-0.02, 0.015):
        stage.shape(oval(crown[0] + dx, crown[1] + 0.025, 0.022, 0.022), hexed("7a4f2e"))


def _frond(stage: Stage, root: Point, angle: float, length: float, colour: Colour) -> None:
    x, y = root
    dx, dy = length * math.cos(angle), length * math.sin(angle) * 0.65
    middle = (x + dx * 0.6, y + dy - length * 0.10)
    tip = (x + dx * 1.05, y + dy * 0.7 + length * 0.30)
    leaf = curve([root])
    leaf.quadTo(middle[0], middle[1] - length * 0.16, *tip)
    leaf.quadTo(middle[0], middle[1] + length * 0.22, *root)
    leaf.close()
    stage.shape(leaf, colour)
    if stage.snowy:
        top = curve([root])
        top.quadTo(middle[0], middle[1] - length * 0.16, *tip)
        stage.stroke(top, hexed("f6f9ff"), 0.016)


def _parasol(stage: Stage, foot: Point, height: float) -> None:
    x, y = foot
    first, second = stage.shade(stage.dice.pick(_BRIGHT)), _WHITE
    tilt = 0.10
    top = (x + tilt * height, y - height)
    stage.stroke(curve([foot, top]), hexed("8a6a4a"), 0.014)
    half, drop = height * 0.48, height * 0.42
    brim = [
        (top[0] - half + 2 * half * i / 5, top[1] + drop + (i - 2.5) * half * 0.06)
        for i in range(6)
    ]
    for panel in range(5):
        slice_ = curve([top])
        slice_.quadTo(brim[panel][0] * 0.75 + top[0] * 0.25, top[1] + drop * 0.15, *brim[panel])
        middle = (brim[panel][0] + brim[panel + 1][0]) / 2
        slice_.quadTo(middle, brim[panel][1] - drop * 0.18, *brim[panel + 1])
        slice_.quadTo(brim[panel + 1][0] * 0.75 + top[0] * 0.25, top[1] + drop * 0.15, *top)
        slice_.close()
        stage.shape(slice_, second if panel % 2 else first)
    stage.snow(oval(top[0], top[1] + drop * 0.16, half * 0.42, drop * 0.14))


def _starfish(stage: Stage, spot: Point, radius: float) -> None:
    turn = stage.dice.uniform(0, math.tau)
    corners = []
    for corner in range(10):
        reach = radius * (0.45 if corner % 2 else 1.0)
        angle = turn + corner * math.pi / 5
        corners.append((spot[0] + reach * math.cos(angle), spot[1] + reach * math.sin(angle) * 0.8))
    stage.shape(polygon(*corners), stage.shade(hexed("ee6b4d")))


def lake(stage: Stage) -> None:
    """Draw still water that mirrors its far shore, with reeds, lilies and a jetty."""
    dice = stage.dice
    shore = dice.uniform(0.50, 0.54)
    ridge = Ridge(dice.uniform(0.38, 0.43), 0.05, dice, 1.1)
    hill = stage.far(stage.land(stage.shade(hexed("6f9f78")), 0.6), 0.4)
    stage.detail(ridge.path(), hill)
    stage.mist(shore)
    water(stage, shore, 0.95, hexed("4f9fc8"))
    _reflection(stage, ridge, shore, darker(hill, 0.12))
    for x in (0.06, 0.20, 0.74, 0.93):
        across = x + dice.uniform(-0.04, 0.04)
        kind = pine if dice.chance(0.6) else tree
        height = dice.uniform(0.16, 0.24)
        stage.detail(
            oval(across, shore + height * 0.34, height * 0.16, height * 0.34),
            stage.far(hexed("2f6f68"), 0.2),
            alpha=0.55,
        )
        kind(stage, (across, shore + 0.01), height, distance=0.2)
    stage.shape(
        box(-0.12, shore - 0.01, 1.12, shore + 0.012), stage.land(hexed("8fae62")), outline=False
    )
    _jetty(stage, dice.uniform(0.66, 0.70), dice.uniform(0.68, 0.71))
    for x, y in ((0.10, 0.68), (0.27, 0.74), (0.74, 0.77)):
        _lily(
            stage,
            (x + dice.uniform(-0.03, 0.03), y + dice.uniform(-0.02, 0.02)),
            dice.uniform(0.055, 0.07),
        )
    hills(stage, dice.uniform(0.82, 0.84), GRASS, swing=0.015)
    for x in (0.03, 0.10, 0.17, 0.86, 0.97):
        _reed(stage, (x + dice.uniform(-0.02, 0.02), 0.98), dice.uniform(0.28, 0.40))


def _reflection(stage: Stage, ridge: Ridge, shore: float, colour: Colour) -> None:
    xs = [-0.12 + 1.24 * i / 12 for i in range(13)]
    image = curve([(x, 2 * shore - ridge(x)) for x in xs])
    image.lineTo(1.12, shore).lineTo(-0.12, shore).close()
    stage.detail(image, colour, alpha=0.55)


def _jetty(stage: Stage, left: float, level: float) -> None:
    wood = stage.shade(hexed("a87b50"))
    for post in range(4):
        x = left + 0.02 + post * 0.11
        stage.shape(box(x, level - 0.05, x + 0.022, level + 0.09), darker(wood, 0.25))
    deck = polygon(
        (left, level), (1.12, level - 0.02), (1.12, level + 0.045), (left - 0.02, level + 0.035)
    )
    stage.shape(deck, stage.land(wood, 0.6))


def _lily(stage: Stage, spot: Point, width: float) -> None:
    x, y = spot
    stage.shape(oval(x, y, width, width * 0.36), stage.land(stage.shade(hexed("5fae5a")), 0.4))
    stage.shape(
        puff(x, y - width * 0.28, width * 0.40, width * 0.34, 6, stage.dice), hexed("f7a8c4")
    )
    stage.detail(oval(x, y - width * 0.30, width * 0.13, width * 0.12), hexed("fbe08a"))


def _reed(stage: Stage, foot: Point, height: float) -> None:
    x, y = foot
    lean = stage.dice.uniform(-0.03, 0.03)
    tip = (x + lean, y - height)
    green = stage.shade(hexed("5d8f45"))
    stage.stroke(curve([foot, (x + lean * 0.3, y - height * 0.5), tip]), green, 0.010)
    blade = polygon((x - 0.012, y), (x + lean * 2 + 0.05, y - height * 0.62), (x + 0.012, y))
    stage.detail(blade, green)
    head = curve([(tip[0], tip[1] - 0.02), (tip[0] - lean * 0.15, tip[1] + 0.05)])
    stage.stroke(head, stage.shade(hexed("7a4a2a")), 0.026)
    stage.snow(oval(tip[0], tip[1] - 0.026, 0.015, 0.012))


def harbour(stage: Stage) -> None:
    """Draw a red and white lighthouse, boats on the sea, and a stone quay."""
    dice = stage.dice
    horizon = dice.uniform(0.50, 0.55)
    water(stage, horizon, 0.95, hexed("3a86b8"))
    stage.mist(0.66)
    _lighthouse(
        stage, (dice.uniform(0.82, 0.88), dice.uniform(0.68, 0.71)), dice.uniform(0.54, 0.60)
    )
    hull, other = stage.shade(dice.pick(_BRIGHT)), stage.shade(dice.pick(_BRIGHT))
    sailing_boat(
        stage, (dice.uniform(0.29, 0.35), horizon + 0.05), dice.uniform(0.11, 0.14), other, _WHITE
    )
    sailing_boat(
        stage,
        (dice.uniform(0.12, 0.18), dice.uniform(0.71, 0.74)),
        dice.uniform(0.24, 0.28),
        hull,
        stage.shade(hexed("fbf0d5")),
    )
    _quay(stage, dice.uniform(0.79, 0.81))


def _lighthouse(stage: Stage, foot: Point, height: float) -> None:
    x, y = foot
    for dx, width in ((-0.11, 0.16), (0.11, 0.18), (0.0, 0.24)):
        stone(stage, (x + dx, y + 0.07), width, hexed("8a8791"))
    low, high, bands = 0.075, 0.048, 5
    red = stage.shade(hexed("d93a35"))
    for band in range(bands):
        a, b = band / bands, (band + 1) / bands
        wide, thin = low + (high - low) * a, low + (high - low) * b
        ring = polygon(
            (x - wide, y - height * 0.8 * a),
            (x - thin, y - height * 0.8 * b),
            (x + thin, y - height * 0.8 * b),
            (x + wide, y - height * 0.8 * a),
        )
        stage.shape(ring, _WHITE if band % 2 else red)
    deck = y - height * 0.8
    lamp = (x, deck - height * 0.06)
    if stage.time in ("night", "fog", "rain", "sunset"):
        beam = polygon(lamp, (-0.2, lamp[1] - 0.12), (-0.2, lamp[1] + 0.10))
        stage.detail(beam, stage.lamp(hexed("fff3b0")), alpha=0.35)
        stage.glow(lamp, 0.16, hexed("fff0a0"), 0.85)
    stage.shape(box(x - 0.062, deck - 0.016, x + 0.062, deck + 0.012), hexed("4a4f5c"))
    stage.shape(
        box(x - 0.036, deck - height * 0.12, x + 0.036, deck - 0.012), stage.lamp(hexed("ffe27a"))
    )
    cap = polygon(
        (x - 0.055, deck - height * 0.11),
        (x, deck - height * 0.21),
        (x + 0.055, deck - height * 0.11),
    )
    stage.shape(cap, red)
    stage.snow(
        polygon(
            (x - 0.03, deck - height * 0.15),
            (x, deck - height * 0.21),
            (x + 0.03, deck - height * 0.15),
        )
    )


def _quay(stage: Stage, top: float) -> None:
    grey = stage.shade(hexed("b5a894"))
    stage.shape(box(-0.12, top, 1.12, 1.12), stage.land(grey, 0.7))
    kerb = stage.land(lighter(grey, 0.25), 0.8)
    stage.shape(box(-0.12, top - 0.015, 1.12, top + 0.03), kerb)
    seam = stage.land(darker(grey, 0.2), 0.4)
    for row, level in enumerate((top + 0.09, top + 0.16)):
        stage.stroke(curve([(-0.1, level), (1.1, level)]), seam, 0.006)
        for column in range(6):
            x = column * 0.22 + 0.11 * row
            stage.stroke(curve([(x, level - 0.06), (x, level)]), seam, 0.006)
    for x in (stage.dice.uniform(0.20, 0.28), stage.dice.uniform(0.72, 0.80)):
        stage.shape(box(x - 0.022, top - 0.06, x + 0.022, top + 0.02), hexed("4a4652"))
        stage.shape(oval(x, top - 0.06, 0.034, 0.018), hexed("5a5664"))
