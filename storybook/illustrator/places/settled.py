"""Where people live: village, castle and city."""

from __future__ import annotations

from storybook.illustrator.forms import Point, arch, blob, box, curve, oval, polygon
from storybook.illustrator.palette import Colour, darker, hexed, lighter
from storybook.illustrator.scenery import GRASS, bush, cottage, hills, window
from storybook.illustrator.stage import Stage

_ROOFS = (hexed("c94f3d"), hexed("d97b3a"), hexed("a8433c"), hexed("4f78a8"), hexed("8a5a9e"))
_WALLS = (hexed("f7e6c4"), hexed("fbf1de"), hexed("f3cfae"), hexed("e9d8e4"))
_BLOCKS = (hexed("d98e73"), hexed("7f9fc0"), hexed("e3bd7c"), hexed("a98bb5"), hexed("8fb3a6"))
_FLAGS = (hexed("e23d3d"), hexed("f2b632"), hexed("3a7bd5"), hexed("a64ac9"))


def village(stage: Stage) -> None:
    """Draw cottages with bright roofs around a church, and a path that leads there."""
    dice = stage.dice
    back = hills(stage, dice.uniform(0.52, 0.56), hexed("8fc070"), distance=0.4, swing=0.03)
    stage.mist(0.6)
    _church(stage, (dice.uniform(0.74, 0.80), back(0.77) + 0.07), dice.uniform(0.17, 0.20))
    lawn = hills(stage, 0.64, hexed("97c765"), distance=0.08, swing=0.015)
    for x in (dice.uniform(0.30, 0.36), dice.uniform(0.50, 0.56)):
        cottage(
            stage,
            (x, lawn(x) + 0.03),
            dice.uniform(0.14, 0.17),
            dice.pick(_ROOFS),
            wall=dice.pick(_WALLS),
            distance=0.15,
        )
    hills(stage, 0.74, GRASS, swing=0.012)
    _path(stage, dice.uniform(0.46, 0.54))
    cottage(
        stage,
        (dice.uniform(0.87, 0.93), dice.uniform(0.82, 0.85)),
        dice.uniform(0.28, 0.33),
        dice.pick(_ROOFS),
        wall=dice.pick(_WALLS),
    )
    cottage(
        stage,
        (dice.uniform(0.10, 0.16), dice.uniform(0.80, 0.83)),
        dice.uniform(0.25, 0.30),
        dice.pick(_ROOFS),
        wall=dice.pick(_WALLS),
    )
    bush(stage, (dice.uniform(0.0, 0.06), 0.90), 0.16)
    bush(stage, (dice.uniform(0.70, 0.76), 0.86), 0.13)


def _path(stage: Stage, x: float) -> None:
    sand = stage.land(stage.shade(hexed("e8cf9c")), 0.6)
    left = [(0.30, 1.05), (0.36, 0.90), (x - 0.05, 0.80), (x - 0.02, 0.72)]
    right = [(x + 0.02, 0.72), (x + 0.07, 0.80), (0.66, 0.90), (0.74, 1.05)]
    stage.detail(blob(left + right), sand)


def _church(stage: Stage, foot: Point, width: float) -> None:
    x, y = foot
    wall, roof = stage.shade(hexed("faf4e8")), stage.shade(hexed("56708f"))
    top = y - width * 1.7
    stage.shape(box(x, y - width * 0.8, x + width * 1.1, y), wall)
    nave = [
        (x, y - width * 0.8),
        (x + width * 0.2, y - width * 1.35),
        (x + width * 0.95, y - width * 1.35),
        (x + width * 1.2, y - width * 0.8),
    ]
    stage.shape(polygon(*nave), roof)
    half = width * 0.3
    stage.shape(box(x - half, top, x + half, y), wall)
    peak = top - width * 1.25
    stage.shape(polygon((x - half * 1.3, top), (x, peak), (x + half * 1.3, top)), roof)
    stage.snow(
        polygon((x - half * 0.8, top - width * 0.5), (x, peak), (x + half * 0.8, top - width * 0.5))
    )
    stage.snow(
        polygon(
            nave[1],
            nave[2],
            (x + width * 1.05, y - width * 1.1),
            (x + width * 0.1, y - width * 1.1),
        )
    )
    gold = hexed("f2c14e")
    stage.stroke(curve([(x, peak), (x, peak - width * 0.36)]), gold, width * 0.08)
    stage.stroke(
        curve([(x - width * 0.11, peak - width * 0.24), (x + width * 0.11, peak - width * 0.24)]),
        gold,
        width * 0.08,
    )
    stage.detail(oval(x, top + width * 0.3, half * 0.45, half * 0.45), gold)
    window(stage, x + width * 0.55, y - width * 0.6, x + width * 0.8, y - width * 0.15)


def castle(stage: Stage) -> None:
    """Draw a castle: battlements, a gate, and towers with pointed roofs and flags."""
    dice = stage.dice
    stone = stage.shade(dice.pick((hexed("c9c2cf"), hexed("d6cbb8"), hexed("b9c2d0"))))
    roof = stage.shade(
        dice.pick((hexed("c8413b"), hexed("3f6fb5"), hexed("8a4fa8"), hexed("3f8f7a")))
    )
    hills(stage, dice.uniform(0.54, 0.58), hexed("95c274"), distance=0.4, swing=0.03)
    stage.mist(0.6)
    _tower(
        stage,
        (dice.uniform(0.63, 0.68), 0.76),
        (0.095, dice.uniform(0.48, 0.54)),
        lighter(stone, 0.12),
        roof,
    )
    _tower(
        stage,
        (dice.uniform(0.36, 0.42), 0.76),
        (0.085, dice.uniform(0.40, 0.46)),
        lighter(stone, 0.12),
        roof,
    )
    top = dice.uniform(0.50, 0.54)
    _battlements(stage, (0.10, top), (0.90, 0.80), stone)
    gate = arch(0.42, top + 0.08, 0.58, 0.80)
    stage.shape(gate, hexed("6b4a38"))
    height = dice.uniform(0.48, 0.54)
    _tower(stage, (dice.uniform(0.82, 0.87), 0.82), (0.18, height), stone, roof)
    _tower(stage, (dice.uniform(0.09, 0.13), 0.82), (0.15, dice.uniform(0.27, 0.33)), stone, roof)
    hills(stage, 0.79, GRASS, swing=0.012)
    way = [(0.36, 1.05), (0.43, 0.88), (0.46, 0.79), (0.56, 0.79), (0.60, 0.88), (0.68, 1.05)]
    stage.detail(blob(way), stage.land(stage.shade(hexed("e3cda0")), 0.6))
    bush(stage, (dice.uniform(0.02, 0.10), 0.90), 0.17)
    bush(stage, (dice.uniform(0.92, 1.0), 0.92), 0.15)


def _battlements(stage: Stage, corner: Point, opposite: Point, stone: Colour) -> None:
    left, top = corner
    right, bottom = opposite
    teeth = 9
    step = (right - left) / (2 * teeth - 1)
    spots = [(left, bottom)]
    for tooth in range(teeth):
        start = left + 2 * step * tooth
        spots += [
            (start, top + 0.035),
            (start, top),
            (start + step, top),
            (start + step, top + 0.035),
        ]
    wall = polygon(*spots, (right, bottom))
    stage.shape(wall, stone)
    stage.snow(box(left, top + 0.03, right, top + 0.05))


def _tower(stage: Stage, foot: Point, size: Point, stone: Colour, roof: Colour) -> None:
    x, y = foot
    width, height = size
    half, top = width / 2, y - height
    stage.shape(box(x - half, top, x + half, y), stone)
    stage.detail(box(x + half * 0.35, top, x + half, y), darker(stone, 0.14))
    peak = top - width * 1.15
    flag = stage.shade(stage.dice.pick(_FLAGS))
    stage.stroke(curve([(x, peak + 0.02), (x, peak - width * 0.45)]), hexed("6b5648"), 0.010)
    high = peak - width * 0.45
    pennant = polygon((x, high), (x + width * 0.6, high + width * 0.15), (x, high + width * 0.32))
    stage.shape(pennant, flag)
    stage.shape(
        polygon((x - half * 1.35, top + 0.01), (x, peak), (x + half * 1.35, top + 0.01)), roof
    )
    stage.snow(
        polygon(
            (x - half * 0.75, top - width * 0.5), (x, peak), (x + half * 0.75, top - width * 0.5)
        )
    )
    for level in (0.14, 0.46):
        sill = top + height * level + width * 0.42
        window(stage, x - half * 0.28, sill - width * 0.36, x + half * 0.28, sill)


def city(stage: Stage) -> None:
    """Draw tall houses full of windows along a street."""
    dice = stage.dice
    left = -0.08
    while left < 1.05:
        width = dice.uniform(0.10, 0.16)
        top = dice.uniform(0.34, 0.50)
        far = stage.far(stage.shade(hexed("8fa3bd")), 0.35)
        stage.detail(box(left, top, left + width, 0.9), far)
        left += width
    stage.mist(0.7)
    for (start, end), (high, low) in (
        ((0.63, 0.80), (0.20, 0.30)),
        ((0.80, 1.06), (0.02, 0.10)),
        ((0.19, 0.34), (0.42, 0.50)),
        ((-0.06, 0.19), (0.30, 0.38)),
    ):
        _block(stage, start + dice.uniform(-0.01, 0.01), end, dice.uniform(high, low))
    _street(stage)
    _lamp_post(stage, dice.uniform(0.70, 0.76), 0.88)


def _block(stage: Stage, left: float, right: float, top: float) -> None:
    wall = stage.shade(stage.dice.pick(_BLOCKS), 1.5)
    stage.shape(box(left, top, right, 0.82), wall)
    stage.shape(box(left - 0.008, top - 0.02, right + 0.008, top + 0.012), darker(wall, 0.25))
    stage.snow(box(left - 0.008, top - 0.035, right + 0.008, top - 0.005))
    columns = max(round((right - left) / 0.075), 2)
    wide = (right - left) / columns
    level = top + 0.05
    while level < 0.62:
        for column in range(columns):
            middle = left + wide * (column + 0.5)
            window(stage, middle - wide * 0.27, level, middle + wide * 0.27, level + 0.055)
        level += 0.095
    _awning(stage, left, right)


def _awning(stage: Stage, left: float, right: float) -> None:
    """A shop on the ground floor, under a striped awning."""
    bright = stage.shade(stage.dice.pick(_FLAGS))
    inset = (right - left) * 0.08
    window(stage, left + inset * 2, 0.735, right - inset * 2, 0.80)
    stripes = 5
    wide = (right - left - 2 * inset) / stripes
    for stripe in range(stripes):
        start = left + inset + wide * stripe
        cloth = polygon((start, 0.70), (start + wide, 0.70), (start + wide, 0.745), (start, 0.745))
        stage.detail(cloth, bright if stripe % 2 == 0 else hexed("fbf3e4"))


def _street(stage: Stage) -> None:
    pavement = stage.land(stage.shade(hexed("cfc6ba")), 0.6)
    stage.shape(box(-0.12, 0.78, 1.12, 1.12), pavement)
    road = stage.land(stage.shade(hexed("6d7078")), 0.5)
    stage.shape(box(-0.12, 0.84, 1.12, 1.12), road)
    start = stage.dice.uniform(-0.2, 0.0)
    for dash in range(6):
        x = start + dash * 0.23
        line = polygon((x, 0.935), (x + 0.12, 0.935), (x + 0.115, 0.955), (x - 0.005, 0.955))
        stage.detail(line, hexed("f4e9c8"))


def _lamp_post(stage: Stage, x: float, foot: float) -> None:
    iron = hexed("3d4450")
    top = foot - 0.40
    stage.stroke(curve([(x, foot), (x, top)]), iron, 0.016)
    if stage.time in ("night", "fog", "rain"):
        stage.glow((x, top - 0.02), 0.11, hexed("ffe08a"), 0.8)
    stage.shape(oval(x, top - 0.02, 0.028, 0.032), stage.lamp(hexed("fff0b5")))
    stage.stroke(curve([(x - 0.03, top + 0.014), (x + 0.03, top + 0.014)]), iron, 0.014)
