"""Open country: meadow, mountains, desert and farm."""

from __future__ import annotations

from typing import TYPE_CHECKING

from storybook.illustrator.forms import (
    MARGIN,
    Point,
    Ridge,
    arch,
    blob,
    box,
    curve,
    oval,
    polygon,
)
from storybook.illustrator.palette import Colour, darker, hexed, lighter
from storybook.illustrator.scenery import GRASS, bush, flower, hills, pine, stone, tree, tuft
from storybook.illustrator.stage import Stage

if TYPE_CHECKING:
    import skia

_PETALS = (hexed("e8474f"), hexed("f9c836"), hexed("f6f2ee"), hexed("8a63d2"), hexed("f284b0"))
_SAND = hexed("ecc275")


def meadow(stage: Stage) -> None:
    """Draw rolling hills full of flowers."""
    dice = stage.dice
    hills(stage, dice.uniform(0.46, 0.52), hexed("8fc4a0"), distance=0.5, swing=0.06)
    stage.mist(0.6)
    hills(stage, dice.uniform(0.55, 0.59), hexed("8ac763"), distance=0.25, swing=0.05)
    stage.mist(0.7, 0.5)
    ridge = hills(stage, dice.uniform(0.64, 0.68), hexed("a5d65e"), distance=0.08, swing=0.04)
    x = dice.uniform(0.78, 0.90)
    tree(stage, (x, ridge(x) + 0.01), dice.uniform(0.28, 0.38), distance=0.1, width=0.4)
    _drift(stage, ridge)
    hills(stage, 0.77, GRASS, swing=0.02)
    for row, size in ((0.77, 0.024), (0.85, 0.034), (0.94, 0.044)):
        for column in range(8):
            across = (column + dice.uniform(0.1, 0.9)) / 8
            if not 0.36 < across < 0.64 and dice.chance(0.9):
                down = row + dice.uniform(-0.02, 0.03)
                flower(stage, (across, down), size * dice.uniform(0.9, 1.2), dice.pick(_PETALS))
    for x in (dice.uniform(0.03, 0.2), dice.uniform(0.8, 0.97)):
        tuft(stage, (x, 1.0), 0.09, stage.land(hexed("4f9a3c"), 0.4))


def _drift(stage: Stage, ridge: Ridge) -> None:
    """Scatter the flowers of a slope too far away to see more of them than their colour."""
    dice = stage.dice
    colour = dice.pick(_PETALS)
    for index in range(9):
        x = index / 8 + dice.uniform(-0.05, 0.05)
        size = dice.uniform(0.010, 0.015)
        y = ridge(x) + dice.uniform(0.03, 0.09)
        stage.detail(oval(x, y, size, size * 0.8), stage.far(colour, 0.1))


def mountains(stage: Stage) -> None:
    """Draw great peaks with snow on them, above slopes with firs."""
    dice = stage.dice
    slate = stage.shade(hexed("7f8fb5"))
    far = ((0.42, 0.26, 0.30), (0.12, 0.36, 0.30), (0.62, 0.30, 0.28))
    for x, top, half in far:
        _peak(
            stage,
            (x + dice.uniform(-0.05, 0.05), top + dice.uniform(-0.03, 0.03)),
            half,
            slate,
            0.4,
        )
    stage.mist(0.62)
    summit = (dice.uniform(0.76, 0.86), dice.uniform(0.08, 0.15))
    _peak(stage, summit, dice.uniform(0.36, 0.44), hexed("6b78a0"), 0.1)
    stage.mist(0.7, 0.5)
    slope = hills(stage, 0.67, hexed("84b56a"), distance=0.1, swing=0.025)
    for x in (0.06, 0.24, 0.70, 0.94):
        across = x + dice.uniform(-0.04, 0.04)
        pine(stage, (across, slope(across) + 0.05), dice.uniform(0.20, 0.30), distance=0.1)
    hills(stage, 0.78, hexed("76ad57"), swing=0.02)
    for x, foot in ((0.04, 0.90), (0.95, 0.92)):
        pine(stage, (x + dice.uniform(-0.03, 0.03), foot), dice.uniform(0.34, 0.42))
    stone(stage, (dice.uniform(0.20, 0.28), 0.88), 0.12)
    stone(stage, (dice.uniform(0.74, 0.80), 0.94), 0.09)


def _peak(stage: Stage, summit: Point, half: float, rock: Colour, distance: float) -> None:
    x, top = summit
    foot = 0.80
    colour = stage.far(stage.shade(rock), distance)
    stage.shape(polygon((x - half, foot), summit, (x + half, foot)), colour)
    dim = darker(colour, 0.14)
    stage.detail(
        polygon(summit, (x + half, foot), (x + half * 0.15, foot), (x + half * 0.12, top + 0.2)),
        dim,
    )
    cap = stage.dice.uniform(0.30, 0.40) * (1.3 if stage.snowy else 1.0)
    down, wide = top + (foot - top) * cap, half * cap
    edge = [
        (x - wide, down),
        (x - wide * 0.5, down - 0.035),
        (x - wide * 0.2, down + 0.03),
        (x + wide * 0.2, down - 0.03),
        (x + wide * 0.55, down + 0.025),
        (x + wide, down),
    ]
    stage.shape(polygon(summit, *edge), stage.far(hexed("fbfdff"), distance * 0.2), outline=False)


def desert(stage: Stage) -> None:
    """Draw sand dunes and tall cacti under a wide sky."""
    dice = stage.dice
    rock = stage.far(stage.shade(hexed("c46f45")), 0.25)
    _mesa(stage, dice.uniform(0.70, 0.82), dice.uniform(0.36, 0.42), 0.20, rock)
    _mesa(stage, dice.uniform(0.05, 0.20), dice.uniform(0.45, 0.50), 0.14, stage.far(rock, 0.2))
    stage.mist(0.62)
    hills(stage, 0.60, lighter(_SAND, 0.25), distance=0.15, swing=0.02)
    for x, top, half in ((0.25, 0.56, 0.45), (0.74, 0.62, 0.50), (0.36, 0.70, 0.60)):
        crest = (x + dice.uniform(-0.08, 0.08), top + dice.uniform(-0.025, 0.025))
        _dune(stage, crest, half, stage.land(stage.shade(_SAND)))
    hills(stage, 0.80, hexed("e8b965"), swing=0.015, waves=0.8)
    _cactus(stage, (dice.uniform(0.84, 0.91), dice.uniform(0.84, 0.89)), dice.uniform(0.46, 0.56))
    _cactus(stage, (dice.uniform(0.07, 0.15), dice.uniform(0.80, 0.84)), dice.uniform(0.26, 0.34))
    stone(stage, (dice.uniform(0.68, 0.76), 0.93), 0.10, hexed("b98252"))
    for x, y in ((0.20, 0.90), (0.44, 0.96), (0.82, 0.955)):
        left = x + dice.uniform(-0.05, 0.05)
        ripple = [
            (left - 0.09, y),
            (left - 0.03, y - 0.01),
            (left + 0.03, y + 0.006),
            (left + 0.09, y),
        ]
        stage.stroke(curve(ripple), stage.land(hexed("c9974a"), 0.5), 0.010)


def _dune(stage: Stage, crest: Point, half: float, sand: Colour) -> None:
    x, top = crest
    foot = 0.88
    body = curve([(x - half, foot)])
    body.cubicTo(x - half * 0.5, foot - 0.01, x - half * 0.25, top, x, top)
    body.cubicTo(x + half * 0.15, top + 0.02, x + half * 0.6, foot - 0.05, x + half, foot)
    body.close()
    stage.shape(body, lighter(sand, 0.12))
    lee = curve([crest])
    lee.cubicTo(x + half * 0.15, top + 0.02, x + half * 0.6, foot - 0.05, x + half, foot)
    lee.lineTo(x - half * 0.1, foot)
    lee.cubicTo(x + half * 0.2, foot - 0.08, x - half * 0.12, top + 0.08, x, top)
    lee.close()
    stage.detail(lee, darker(sand, 0.10))


def _mesa(stage: Stage, x: float, top: float, half: float, colour: Colour) -> None:
    rock = [(x - half, 0.75), (x - half * 0.7, top), (x + half * 0.65, top), (x + half, 0.75)]
    stage.shape(polygon(*rock), colour)
    stage.snow(box(x - half * 0.7, top, x + half * 0.65, top + 0.025))
    stripe = box(x - half * 0.78, top + 0.06, x + half * 0.74, top + 0.09)
    stage.detail(stripe, darker(colour, 0.12))


def _cactus(stage: Stage, foot: Point, height: float) -> None:
    x, y = foot
    green = stage.shade(hexed("4d9a58"), 1.5)
    thick = height * 0.17
    for way, low, high in ((-1, 0.42, 0.74), (1, 0.32, 0.62)):
        arm = [
            (x, y - height * low),
            (x + way * height * 0.24, y - height * low),
            (x + way * height * 0.26, y - height * high),
        ]
        stage.stroke(_bent(arm), green, thick * 0.72)
    stage.stroke(curve([foot, (x, y - height + thick / 2)]), green, thick)
    shine = curve([(x - thick * 0.2, y - height * 0.1), (x - thick * 0.2, y - height * 0.85)])
    stage.stroke(shine, lighter(green, 0.25), thick * 0.14)
    stage.snow(oval(x, y - height + thick * 0.12, thick * 0.45, thick * 0.32))
    for way, high in ((-1, 0.74), (1, 0.62)):
        tip = (x + way * height * 0.26, y - height * high - thick * 0.2)
        if not stage.snowy:
            stage.detail(oval(*tip, thick * 0.24, thick * 0.22), hexed("f0609a"))
        stage.snow(oval(*tip, thick * 0.34, thick * 0.24))


def _bent(points: list[Point]) -> skia.Path:
    (ax, ay), (bx, by), (cx, cy) = points
    path = curve([(ax, ay), (ax + (bx - ax) * 0.5, ay)])
    path.quadTo(bx, by, bx, by - 0.06)
    path.lineTo(cx, cy)
    return path


def farm(stage: Stage) -> None:
    """Draw a red barn with a silo, striped fields, a white fence and a bale of hay."""
    dice = stage.dice
    hills(stage, dice.uniform(0.50, 0.55), hexed("9cc66b"), distance=0.4, swing=0.03)
    stage.mist(0.6)
    _field(stage, dice.uniform(0.58, 0.62))
    _silo(stage, dice.uniform(0.68, 0.72), 0.70, dice.uniform(0.40, 0.46))
    _barn(stage, (dice.uniform(0.84, 0.90), 0.76), dice.uniform(0.36, 0.42))
    hills(stage, 0.76, hexed("85b84d"), swing=0.012)
    _fence(stage, dice.uniform(0.79, 0.82))
    _bale(stage, (dice.uniform(0.10, 0.18), dice.uniform(0.90, 0.93)), dice.uniform(0.085, 0.105))
    bush(stage, (dice.uniform(0.90, 0.98), 0.95), 0.16)


def _field(stage: Stage, top: float) -> None:
    crop = stage.land(stage.shade(hexed("e3c552")))
    stage.shape(box(-MARGIN, top, 1 + MARGIN, 1 + MARGIN), crop)
    gone = stage.dice.uniform(0.25, 0.40)
    for row in range(-4, 7):
        near, far = row * 0.26, gone + (row - 1) * 0.05
        furrow = polygon((far, top), (far + 0.022, top), (near + 0.12, 0.9), (near, 0.9))
        stage.detail(furrow, stage.land(hexed("a9b548"), 0.65))


def _silo(stage: Stage, x: float, foot: float, height: float) -> None:
    metal = stage.shade(hexed("c9ccd0"))
    stage.shape(box(x - 0.05, foot - height, x + 0.05, foot), metal)
    stage.detail(box(x + 0.015, foot - height, x + 0.05, foot), darker(metal, 0.15))
    dome = arch(x - 0.055, foot - height - 0.06, x + 0.055, foot - height + 0.01)
    stage.shape(dome, stage.shade(hexed("b9483e")))
    stage.snow(arch(x - 0.05, foot - height - 0.06, x + 0.05, foot - height - 0.01))


def _barn(stage: Stage, foot: Point, width: float) -> None:
    x, y = foot
    half, eaves = width / 2, y - width * 0.52
    ridge, knee = eaves - width * 0.42, eaves - width * 0.26
    red, white = stage.shade(hexed("c8392f")), hexed("f7f0e2")
    front = [
        (x - half, y),
        (x - half, eaves),
        (x - half * 0.62, knee),
        (x, ridge),
        (x + half * 0.62, knee),
        (x + half, eaves),
        (x + half, y),
    ]
    stage.shape(polygon(*front), red)
    roof = curve(front[1:2])
    for spot in front[2:6]:
        roof.lineTo(*spot)
    stage.stroke(roof, hexed("f6f9ff") if stage.snowy else hexed("6e4a44"), width * 0.09)
    door = (x - half * 0.42, y - width * 0.40, x + half * 0.42, y)
    stage.shape(box(*door), darker(red, 0.18))
    for a, b in (((0, 1), (2, 3)), ((0, 3), (2, 1))):
        cross = curve([(door[a[0]], door[a[1]]), (door[b[0]], door[b[1]])])
        stage.stroke(cross, white, width * 0.035)
    frame = curve([(door[0], door[3])])
    for spot in ((door[0], door[1]), (door[2], door[1]), (door[2], door[3])):
        frame.lineTo(*spot)
    stage.stroke(frame, white, width * 0.04)
    loft = box(x - half * 0.18, eaves - width * 0.16, x + half * 0.18, eaves + width * 0.0)
    stage.shape(loft, stage.lamp(hexed("ffd95e")) if stage.time == "night" else white)


def _fence(stage: Stage, level: float) -> None:
    white = stage.shade(hexed("f8f3e6"), 0.5)
    for rail in (0.0, 0.055):
        stage.stroke(curve([(-0.1, level + rail), (1.1, level + rail)]), white, 0.016)
    shift = stage.dice.uniform(0.0, 0.12)
    for post in range(-1, 9):
        x = shift + post * 0.13
        picket = [
            (x - 0.015, level + 0.10),
            (x - 0.015, level - 0.03),
            (x, level - 0.05),
            (x + 0.015, level - 0.03),
            (x + 0.015, level + 0.10),
        ]
        stage.shape(polygon(*picket), white)


def _bale(stage: Stage, spot: Point, radius: float) -> None:
    x, y = spot
    straw = stage.shade(hexed("e6b84c"))
    stage.shape(oval(x, y - radius, radius, radius), straw)
    for share in (0.66, 0.34):
        stage.stroke(
            oval(x, y - radius, radius * share, radius * share), darker(straw, 0.25), 0.009
        )
    stage.snow(
        blob(
            [
                (x - radius * 0.8, y - radius * 1.5),
                (x, y - radius * 2.08),
                (x + radius * 0.8, y - radius * 1.5),
                (x, y - radius * 1.7),
            ]
        )
    )
