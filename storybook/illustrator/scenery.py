"""Things that stand in more than one place: trees, houses, boats, flowers, stones."""

from __future__ import annotations

import math

from storybook.illustrator.forms import (
    Point,
    Ridge,
    arch,
    box,
    curve,
    limb,
    oval,
    polygon,
    puff,
    spiral,
)
from storybook.illustrator.palette import Colour, darker, hexed, lighter, mix
from storybook.illustrator.stage import Stage

BARK = hexed("7d5536")
GRASS = hexed("7dbb4f")
LEAVES = hexed("4f9443")
NEEDLES = hexed("2f6b4a")
ROCK = hexed("9a9690")
SEA = hexed("3f93c4")
WALL = hexed("f5e3c0")
_LAMPLIGHT = hexed("ffd95e")
_GLASS = hexed("a9d8ea")


def hills(
    stage: Stage,
    level: float,
    colour: Colour,
    *,
    distance: float = 0.0,
    swing: float = 0.03,
    waves: float = 1.2,
) -> Ridge:
    """Draw land from a line of hills down to the page's foot and return the line."""
    ridge = Ridge(level, swing, stage.dice, waves)
    seen = stage.far(stage.land(stage.shade(colour)), distance)
    stage.shape(ridge.path(), seen, outline=distance < 0.5)
    return ridge


def tree(
    stage: Stage,
    foot: Point,
    height: float,
    leaves: Colour = LEAVES,
    *,
    distance: float = 0.0,
    width: float = 0.32,
) -> None:
    """Draw a broad-leaved tree with a straight trunk; ``width`` is its crown's, of its height."""
    dice = stage.dice
    x, y = foot
    near = distance < 0.35
    trunk = limb([(x, y), (x, y - height * 0.6)], height * 0.12, height * 0.07)
    stage.shape(trunk, stage.far(stage.shade(BARK), distance), outline=near)
    green = stage.far(stage.leaf(stage.shade(leaves, 1.5)), distance)
    middle, across, up = y - height * 0.68, height * width, height * 0.33
    crown = puff(x, middle, across, up, dice.integer(7, 9), dice)
    stage.shape(crown, green, outline=near)
    if near:
        light = puff(x - across * 0.25, middle - up * 0.25, across * 0.5, up * 0.45, 6, dice)
        stage.detail(light, lighter(green, 0.16))
    stage.snow(puff(x, middle - up * 0.55, across * 0.72, up * 0.42, 6, dice))


def pine(
    stage: Stage,
    foot: Point,
    height: float,
    needles: Colour = NEEDLES,
    *,
    distance: float = 0.0,
) -> None:
    """Draw a fir with three skirts."""
    x, y = foot
    near = distance < 0.35
    trunk = box(x - height * 0.04, y - height * 0.2, x + height * 0.04, y)
    stage.shape(trunk, stage.far(BARK, distance), outline=near)
    green = stage.far(stage.shade(needles, 1.3), distance)
    for tier in range(3):
        wide = height * (0.27 - 0.06 * tier)
        low, high = y - height * (0.12 + 0.26 * tier), y - height * (0.55 + 0.225 * tier)
        skirt = polygon((x - wide, low), (x, high), (x + wide, low), (x, low + height * 0.05))
        stage.shape(skirt, lighter(green, 0.05 * tier), outline=near)
        drop = (low - high) * 0.5
        tip = wide * drop / (low - high)
        stage.snow(polygon((x - tip, high + drop), (x, high), (x + tip, high + drop * 0.8)))


def grove(
    stage: Stage, level: float, height: float, colour: Colour, distance: float, count: int = 9
) -> None:
    """Draw a far line of treetops as one soft mass."""
    dice = stage.dice
    green = stage.far(stage.leaf(stage.shade(colour)), distance)
    stage.detail(box(-0.12, level - height * 0.4, 1.12, 1.12), green)
    for index in range(count):
        x = (index + dice.uniform(0.2, 0.8)) / count
        size = height * dice.uniform(0.7, 1.2)
        stage.detail(puff(x, level - height * 0.4, 0.75 / count, size, 7, dice), green)


def bush(stage: Stage, spot: Point, width: float, colour: Colour = LEAVES) -> None:
    """Draw a bush that sits on ``spot``."""
    x, y = spot
    green = stage.leaf(stage.shade(colour, 1.4))
    stage.shape(puff(x, y - width * 0.28, width * 0.5, width * 0.36, 7, stage.dice), green)
    stage.snow(puff(x, y - width * 0.48, width * 0.36, width * 0.16, 5, stage.dice))


def twisted_tree(
    stage: Stage, foot: Point, height: float, bark: Colour, leaves: Colour, *, lean: float = 0.1
) -> None:
    """Draw a tree out of a fairy tale: a winding trunk, curling branches, balls of leaves.

    ``lean`` is how far its trunk swings to the right (in page units) on its way up.
    """
    dice = stage.dice
    x, y = foot
    top = (x + lean * 0.8, y - height)
    trunk = [
        foot,
        (x + lean * 0.9, y - height * 0.25),
        (x - lean * 0.5, y - height * 0.52),
        (x + lean * 0.7, y - height * 0.78),
        top,
    ]
    flare = curve([(x - height * 0.19, y + height * 0.02)])
    flare.quadTo(x - height * 0.06, y - height * 0.02, x + lean * 0.4, y - height * 0.16)
    flare.quadTo(x + height * 0.09, y - height * 0.02, x + height * 0.20, y + height * 0.02)
    flare.quadTo(x, y - height * 0.03, x - height * 0.19, y + height * 0.02)
    flare.close()
    stage.shape(flare, bark, outline=False)
    for share, way in ((0.45, 1.0), (0.62, -1.0)):
        _curl(stage, (x, y - height * share), height * dice.uniform(0.16, 0.22), way, bark)
    stage.shape(limb(trunk, height * 0.17, height * 0.06), bark)
    for dx, dy, size in ((-0.17, 0.92, 0.17), (0.20, 0.88, 0.18), (0.02, 1.02, 0.22)):
        ball = stage.leaf(stage.shade(leaves, 2.0))
        spot = (x + lean * 0.7 + dx * height, y - dy * height)
        stage.shape(puff(*spot, size * height, size * height * 0.72, 7, dice), ball)
        stage.snow(
            puff(
                spot[0],
                spot[1] - size * height * 0.4,
                size * height * 0.7,
                size * height * 0.28,
                6,
                dice,
            )
        )


def _curl(stage: Stage, root: Point, size: float, way: float, colour: Colour) -> None:
    x, y = root
    tip = spiral(x + way * size, y - size * 0.55, size * 0.45, -0.9 * way, math.pi / 2)
    stage.stroke(curve([root, *tip]), colour, size * 0.17)


def mushroom(stage: Stage, foot: Point, height: float, cap: Colour) -> None:
    """Draw a toadstool that gives off light of its own."""
    x, y = foot
    stem = limb([(x, y), (x, y - height * 0.7)], height * 0.30, height * 0.22)
    stage.shape(stem, stage.lamp(hexed("f3ead8")))
    brim, crown = y - height * 0.55, y - height * 1.12
    shape = arch(x - height * 0.5, crown, x + height * 0.5, brim)
    stage.glow((x, y - height * 0.7), height * 1.3, lighter(cap, 0.3), 0.6)
    stage.shape(shape, stage.lamp(cap))
    for dx, dy, size in ((-0.22, 0.72, 0.09), (0.05, 0.90, 0.11), (0.26, 0.70, 0.08)):
        dot = oval(x + dx * height, y - dy * height, size * height, size * height)
        stage.detail(dot, stage.lamp(hexed("fff6d8")))


def flower(stage: Stage, spot: Point, size: float, petals: Colour, stem: float = 2.2) -> None:
    """Draw one flower; ``spot`` is its heart and ``stem`` its length in ``size``s."""
    x, y = spot
    foot = (x + stage.dice.uniform(-0.4, 0.4) * size, y + size * stem)
    stage.stroke(curve([foot, spot]), hexed("4c8a3c"), size * 0.3)
    stage.shape(puff(x, y, size, size, 6, stage.dice), stage.shade(petals, 1.2))
    stage.detail(oval(x, y, size * 0.38, size * 0.38), hexed("f7cf4d"))


def tuft(stage: Stage, foot: Point, height: float, colour: Colour) -> None:
    """Draw a tuft of grass."""
    x, y = foot
    for lean in (-0.5, 0.0, 0.5):
        blade = polygon(
            (x - height * 0.14, y), (x + lean * height, y - height), (x + height * 0.14, y)
        )
        stage.detail(blade, colour)


def stone(stage: Stage, spot: Point, width: float, colour: Colour = ROCK) -> None:
    """Draw a boulder that sits on ``spot``."""
    x, y = spot
    dice = stage.dice
    grey = stage.shade(colour)
    stage.shape(
        polygon(
            (x - width * 0.5, y),
            (x - width * 0.38, y - width * dice.uniform(0.3, 0.45)),
            (x + width * dice.uniform(-0.1, 0.1), y - width * dice.uniform(0.45, 0.6)),
            (x + width * 0.4, y - width * 0.3),
            (x + width * 0.5, y),
        ),
        grey,
    )
    stage.snow(oval(x, y - width * 0.42, width * 0.32, width * 0.09))


def window(stage: Stage, left: float, top: float, right: float, bottom: float) -> None:
    """Draw a window, lit from inside at night and in dull weather."""
    lit = stage.time in ("night", "sunset", "fog", "rain")
    if stage.time == "night":
        middle = ((left + right) / 2, (top + bottom) / 2)
        stage.glow(middle, (right - left) * 1.6, _LAMPLIGHT, 0.5)
    stage.shape(
        box(left, top, right, bottom),
        stage.lamp(_LAMPLIGHT) if lit else _GLASS,
        outline=False,
    )


def cottage(
    stage: Stage,
    foot: Point,
    width: float,
    roof: Colour,
    *,
    wall: Colour = WALL,
    distance: float = 0.0,
) -> None:
    """Draw a small house with a steep roof, a door, windows and a chimney."""
    x, y = foot
    half, high = width / 2, width * 0.55
    eaves, peak = y - high, y - high - width * stage.dice.uniform(0.55, 0.7)
    plaster = stage.far(stage.shade(wall), distance)
    tiles = stage.far(stage.shade(roof, 1.3), distance)
    chimney = box(x + half * 0.35, peak + width * 0.02, x + half * 0.62, eaves)
    stage.shape(chimney, stage.far(hexed("9c5a45"), distance))
    stage.shape(box(x - half * 0.86, eaves, x + half * 0.86, y), plaster)
    gable = polygon(
        (x - half * 1.15, eaves),
        (x - half * 0.25, peak),
        (x + half * 0.25, peak),
        (x + half * 1.15, eaves),
    )
    stage.shape(gable, tiles)
    mid = (eaves + peak) / 2
    stage.snow(
        polygon(
            (x - half * 0.8, mid),
            (x - half * 0.28, peak - width * 0.03),
            (x + half * 0.28, peak - width * 0.03),
            (x + half * 0.8, mid),
        )
    )
    door = stage.far(hexed("8a5a3a"), distance)
    stage.detail(arch(x - half * 0.18, y - high * 0.72, x + half * 0.18, y), door)
    for way in (-1, 1):
        middle = x + way * half * 0.52
        window(
            stage,
            middle - half * 0.16,
            eaves + high * 0.25,
            middle + half * 0.16,
            eaves + high * 0.6,
        )


def sailing_boat(stage: Stage, spot: Point, size: float, hull: Colour, sail: Colour) -> None:
    """Draw a sailing boat; ``spot`` is the middle of its waterline."""
    x, y = spot
    mast = curve([(x, y), (x, y - size * 1.25)])
    stage.stroke(mast, hexed("6b4a34"), size * 0.045)
    stage.shape(
        polygon(
            (x + size * 0.06, y - size * 1.2),
            (x + size * 0.55, y - size * 0.25),
            (x + size * 0.06, y - size * 0.25),
        ),
        sail,
    )
    stage.shape(
        polygon(
            (x - size * 0.06, y - size * 1.0),
            (x - size * 0.42, y - size * 0.25),
            (x - size * 0.06, y - size * 0.25),
        ),
        lighter(sail, 0.3),
    )
    stage.shape(
        polygon(
            (x - size * 0.6, y - size * 0.18),
            (x + size * 0.65, y - size * 0.18),
            (x + size * 0.42, y + size * 0.12),
            (x - size * 0.4, y + size * 0.12),
        ),
        hull,
    )


def water(stage: Stage, top: float, bottom: float, colour: Colour = SEA) -> None:
    """Draw water between two heights, lighter far off, with the sun's or moon's road on it."""
    blue = stage.shade(colour)
    if stage.snowy:
        blue = mix(blue, hexed("c8d8e8"), 0.35)
    if stage.time == "sunset":
        blue = mix(blue, stage.lamp(hexed("f08a6a")), 0.6)
    stage.shape(box(-0.12, top, 1.12, bottom), stage.far(blue, 0.18))
    stage.detail(box(-0.12, top + (bottom - top) * 0.45, 1.12, bottom), darker(blue, 0.08))
    if stage.time in ("sunset", "night"):
        gold = hexed("ffc45c") if stage.time == "sunset" else hexed("c9d4ff")
        _road(stage, top, bottom, stage.lamp(gold))
    pale = lighter(blue, 0.4)
    for _ in range(7):
        x, y = stage.dice.uniform(0.0, 1.0), stage.dice.uniform(top + 0.02, bottom - 0.02)
        length = stage.dice.uniform(0.04, 0.09)
        wave = [
            (x - length, y),
            (x - length / 3, y - 0.006),
            (x + length / 3, y + 0.004),
            (x + length, y),
        ]
        stage.stroke(curve(wave), pale, 0.007)


def _road(stage: Stage, top: float, bottom: float, colour: Colour) -> None:
    rows = 5
    for row in range(rows):
        y = top + (bottom - top) * (row + 0.5) / rows
        wide = 0.05 + 0.018 * row + stage.dice.uniform(-0.012, 0.012)
        x = stage.sun[0] + stage.dice.uniform(-0.015, 0.015)
        stage.detail(oval(x, y, wide, 0.009), colour, alpha=0.85)


def puddles(stage: Stage) -> None:
    """Draw what rain leaves on the ground."""
    dice = stage.dice
    for x in (dice.uniform(0.10, 0.26), dice.uniform(0.72, 0.9)):
        y = dice.uniform(0.90, 0.955)
        wide = dice.uniform(0.09, 0.13)
        stage.shape(oval(x, y, wide, wide * 0.27), stage.lamp(hexed("a9bfce")))
        stage.stroke(oval(x, y, wide * 0.5, wide * 0.12), stage.lamp(hexed("e6eff5")), 0.007)
