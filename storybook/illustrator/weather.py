"""The sky behind a scene and the air in front of it."""

from __future__ import annotations

import math

import skia

from storybook.dice import Dice
from storybook.illustrator.forms import (
    blob,
    cloud,
    curve,
    limb,
    oval,
    polygon,
    puff,
    twinkle,
)
from storybook.illustrator.light import Light
from storybook.illustrator.medium import Medium
from storybook.illustrator.palette import Colour, hexed, lighter, mix, varied
from storybook.illustrator.stage import Stage
from storybook.world import Scene

__all__ = ["Light", "draw_air", "draw_sky"]

_SKIES = {
    "day": (hexed("4da3e3"), hexed("d8f0f7")),
    "sunset": (hexed("a85b93"), hexed("ffc063")),
    "night": (hexed("101644"), hexed("34509a")),
    "rain": (hexed("727d8a"), hexed("b3bcc2")),
    "snow": (hexed("8393b3"), hexed("c3cde0")),
    "fog": (hexed("c2c8cb"), hexed("e2e4e2")),
}
_MAGIC = {"day": hexed("b58cf0"), "sunset": hexed("b03fa0"), "night": hexed("3d1f72")}
_WHITE = (1.0, 1.0, 1.0)
_PETALS = (hexed("f28fb1"), hexed("f7b7cb"), hexed("fff3f5"))
_FLOWERS = (hexed("e8516a"), hexed("f4c430"), hexed("8e6bd1"), hexed("ff8f5a"))


def draw_sky(medium: Medium, scene: Scene, light: Light) -> None:
    """Draw the sky, with the sun, the moon and stars, or the clouds that tell its time.

    Args:
        medium: the page, lit by ``light.scenery``.
        scene: what the page shows.
        light: the light that the medium is lit by.
    """
    stage = Stage(medium, scene, "sky")
    top, bottom = (_sky_colour(stage, colour) for colour in _SKIES[scene.time])
    medium.sky(light.shining(top), light.shining(bottom), stage.dice.uniform(0.55, 0.68))
    {
        "day": _fair,
        "sunset": _sundown,
        "night": _moonlit,
        "rain": _overcast,
        "snow": _wintry,
        "fog": _blank,
    }[scene.time](stage)


def _sky_colour(stage: Stage, colour: Colour) -> Colour:
    if stage.place == "enchanted forest":
        colour = mix(colour, _MAGIC.get(stage.time, hexed("9a86c8")), 0.45)
    return varied(colour, stage.dice, 1.8)


def _fair(stage: Stage) -> None:
    dice = stage.dice
    x, y = stage.sun
    radius = dice.uniform(0.060, 0.078)
    stage.glow((x, y), radius * 3.2, hexed("fff3b0"), 0.8)
    rays, turn = dice.integer(9, 12), dice.uniform(0, 1)
    for ray in range(rays):
        stage.detail(
            _ray(x, y, radius * 1.22, radius * 1.75, (ray + turn) / rays, 0.16), hexed("ffd23f")
        )
    stage.shape(oval(x, y, radius, radius), varied(hexed("ffd23f"), dice))
    for spot in ((0.62, 0.12), (0.90, 0.25), (0.40, 0.25)):
        if dice.chance(0.85):
            _cloud(stage, spot, dice.uniform(0.22, 0.34), _WHITE)


def _sundown(stage: Stage) -> None:
    dice = stage.dice
    x, y = stage.sun
    radius = dice.uniform(0.125, 0.155)
    turn = dice.uniform(0, 1)
    for ray in range(14):
        wedge = _ray(x, y, radius * 0.9, 1.3, (ray + turn) / 14, 0.055)
        stage.detail(wedge, stage.lamp(hexed("ffd873")), alpha=0.38)
    stage.glow((x, y), radius * 2.6, hexed("fff0a8"), 0.75)
    stage.shape(oval(x, y, radius, radius), stage.lamp(varied(hexed("ff7a2f"), dice)))
    stage.detail(oval(x, y, radius * 0.78, radius * 0.78), stage.lamp(hexed("ff9a3d")))
    for spot in ((0.70, 0.10), (0.45, 0.20), (0.88, 0.28)):
        width = dice.uniform(0.25, 0.42)
        left = spot[0] + dice.uniform(-0.08, 0.08)
        level = spot[1] + dice.uniform(-0.03, 0.03)
        streak = oval(left, level, width / 2, dice.uniform(0.012, 0.022))
        stage.detail(streak, stage.lamp(varied(hexed("f0787a"), dice)), alpha=0.85)


def _moonlit(stage: Stage) -> None:
    dice = stage.dice
    x, y = stage.sun
    radius = dice.uniform(0.068, 0.09)
    stage.glow((x, y), radius * 3.4, hexed("9db8ff"), 0.55)
    pale = stage.lamp(varied(hexed("fff4c8"), dice))
    if dice.chance(0.6):
        stage.shape(_crescent(x, y, radius * 1.1, dice.uniform(0.35, 0.6)), pale)
    else:
        stage.shape(oval(x, y, radius, radius), pale)
        for dx, dy, size in ((-0.3, -0.2, 0.22), (0.3, 0.25, 0.28), (0.25, -0.4, 0.14)):
            crater = oval(x + dx * radius, y + dy * radius, size * radius, size * radius)
            stage.detail(crater, stage.lamp(hexed("e5d8a0")))
    star = stage.lamp(hexed("fff9dc"))
    for column in range(6):
        for row in range(2):
            across = 0.08 + 0.17 * column + dice.uniform(-0.06, 0.06)
            down = 0.06 + 0.20 * row + dice.uniform(-0.04, 0.11)
            if math.hypot(across - x, down - y) > radius * 1.7 and dice.chance(0.85):
                stage.shape(twinkle(across, down, dice.uniform(0.012, 0.03)), star, outline=False)


def _overcast(stage: Stage) -> None:
    dice = stage.dice
    back, front = hexed("8a949f"), hexed("59636f")
    for left in (0.08, 0.45, 0.85):
        _cloud(stage, (left, dice.uniform(0.16, 0.22)), dice.uniform(0.42, 0.55), back)
    for left in (0.22, 0.74):
        width = dice.uniform(0.40, 0.52)
        _cloud(stage, (left, dice.uniform(0.12, 0.19)), width, varied(front, dice))


def _wintry(stage: Stage) -> None:
    dice = stage.dice
    for left in (0.18, 0.80):
        spot = (left + dice.uniform(-0.08, 0.08), dice.uniform(0.13, 0.22))
        _cloud(stage, spot, dice.uniform(0.34, 0.46), hexed("e3e8f2"))


def _blank(stage: Stage) -> None:
    dice = stage.dice
    for level in (0.10, 0.26, 0.42):
        band = [
            (-0.1, level + dice.uniform(-0.03, 0.03)),
            (0.35, level + dice.uniform(-0.04, 0.04)),
            (0.7, level + dice.uniform(-0.04, 0.04)),
            (1.1, level + dice.uniform(-0.03, 0.03)),
        ]
        width = dice.uniform(0.06, 0.10)
        stage.detail(limb(band, width, width), stage.lamp(hexed("f0f1ef")), alpha=0.55)


def _cloud(stage: Stage, spot: tuple[float, float], width: float, colour: Colour) -> None:
    dice = stage.dice
    x = spot[0] + dice.uniform(-0.06, 0.06)
    y = spot[1] + dice.uniform(-0.03, 0.03)
    height = width * dice.uniform(0.30, 0.40)
    state = cloud(x, y, width, height, dice.integer(3, 4), dice)
    stage.shape(state, stage.lamp(colour))
    inner = cloud(x + width * 0.10, y, width * 0.62, height * 0.55, 3, dice)
    stage.detail(inner, stage.lamp(mix(colour, hexed("9db8d8"), 0.16)))


def _ray(x: float, y: float, near: float, far: float, turn: float, spread: float) -> skia.Path:
    angle = math.tau * turn
    spread *= math.tau / 2
    ends = ((near, angle - spread), (far, angle), (near, angle + spread))
    if far > 1:
        ends = ((near, angle), (far, angle - spread), (far, angle + spread))
    return polygon(*((x + r * math.cos(a), y + r * math.sin(a)) for r, a in ends))


def _crescent(x: float, y: float, radius: float, lean: float) -> skia.Path:
    path = skia.Path()
    disc = skia.Rect(x - radius, y - radius, x + radius, y + radius)
    start = 90 - 60 * lean
    path.arcTo(disc, start, 220, True)
    first = math.radians(start)
    end = (x + radius * math.cos(first), y + radius * math.sin(first))
    middle = math.radians(start + 110)
    path.quadTo(x + radius * 0.35 * math.cos(middle), y + radius * 0.35 * math.sin(middle), *end)
    path.close()
    return path


def draw_air(medium: Medium, scene: Scene, light: Light) -> None:
    """Draw what hangs in front of the whole scene: rain, snow, mist, glow, and the mood's frame.

    Args:
        medium: the page, in no particular light.
        scene: what the page shows.
        light: the scene's light.
    """
    stage = Stage(medium, scene, "air")
    weather = {
        "sunset": _afterglow,
        "night": _dark_air,
        "rain": _rain,
        "snow": _flakes,
        "fog": _fog,
    }
    if scene.time in weather:
        weather[scene.time](stage)
    if scene.place == "enchanted forest" or (scene.time == "night" and scene.place == "meadow"):
        _fireflies(stage)
    mood = {"picturesque": _picturesque, "dreamy": _dreamy}.get(scene.mood)
    if mood:
        with medium.lit(light.figure):
            mood(stage)


def _afterglow(stage: Stage) -> None:
    stage.glow(stage.sun, stage.dice.uniform(0.75, 0.95), hexed("ffb04a"), 0.34)


def _dark_air(stage: Stage) -> None:
    stage.medium.veil(hexed("0c1238"), 0.75, 1.1, 0.0, 0.35)


def _rain(stage: Stage) -> None:
    dice = stage.dice
    slant = dice.uniform(0.16, 0.34)
    pale, blue = hexed("eef5fa"), hexed("5f7f98")
    for column in range(7):
        for row in range(6):
            x = (column + dice.uniform(0.1, 0.9)) / 6.5
            y = (row + dice.uniform(0.0, 0.9)) / 5.5 - 0.04
            length = dice.uniform(0.065, 0.105)
            face = _on_a_face(x, y)
            if face and dice.chance(0.75):
                continue
            if dice.chance(0.3) and not face:
                stage.shape(_drop(x, y, length * 0.55, slant), hexed("bfe3f5"))
                continue
            streak = curve([(x, y), (x - slant * length, y + length)])
            bright = dice.chance(0.7)
            stage.stroke(streak, pale if bright else blue, 0.0125 if bright else 0.009)


def _drop(x: float, y: float, length: float, slant: float) -> skia.Path:
    """Return a falling drop: a point above, round below."""
    low, half = (x - slant * length, y + length), length * 0.30
    path = curve([(x, y)])
    path.cubicTo(x, y + length * 0.4, low[0] + half * 1.5, low[1] - half, low[0] + half, low[1])
    path.cubicTo(
        low[0] + half * 0.8, low[1] + half, low[0] - half, low[1] + half, low[0] - half, low[1]
    )
    path.cubicTo(low[0] - half * 1.3, low[1] - half, x, y + length * 0.4, x, y)
    path.close()
    return path


def _on_a_face(x: float, y: float) -> bool:
    return 0.30 < x < 0.70 and 0.18 < y < 0.62


def _flakes(stage: Stage) -> None:
    dice = stage.dice
    for column in range(7):
        for row in range(7):
            x = (column + dice.uniform(0.0, 1.0)) / 7
            y = (row + dice.uniform(0.0, 1.0)) / 7
            radius = dice.uniform(0.009, 0.021)
            if _on_a_face(x, y) and dice.chance(0.65):
                continue
            stage.shape(oval(x, y, radius, radius), _WHITE)


def _fog(stage: Stage) -> None:
    dice = stage.dice
    stage.medium.veil(hexed("e9ebea"), 0.0, 1.0, 0.14, 0.10)
    for level in (0.30, 0.52, 0.74, 0.93):
        _bank(stage, level + dice.uniform(-0.04, 0.04))
    stage.medium.veil(hexed("eceeed"), 0.80, 1.0, 0.0, 0.60)


def _bank(stage: Stage, level: float) -> None:
    """Two tongues of mist, one from each edge, that leave the middle of the page free."""
    dice = stage.dice
    for edge, way in ((-0.12, 1), (1.12, -1)):
        start = level + dice.uniform(-0.05, 0.05)
        reach, half = way * dice.uniform(0.30, 0.44), dice.uniform(0.040, 0.060)
        tongue = [
            (edge, start - half),
            (edge + reach * 0.45, start - half * dice.uniform(0.7, 1.2)),
            (edge + reach * 0.80, start - half * dice.uniform(0.1, 0.5)),
            (edge + reach, start),
            (edge + reach * 0.70, start + half * dice.uniform(0.5, 0.9)),
            (edge, start + half),
        ]
        stage.detail(blob(tongue), hexed("f4f5f3"), alpha=0.55)
        stage.stroke(_waft(edge, start + half * 0.2, reach * 0.8, dice), hexed("aeb6ba"), 0.008)


def _waft(edge: float, level: float, reach: float, dice: Dice) -> skia.Path:
    """Return a wavy line that ends in a curl: how a pencil says mist."""
    swing = dice.uniform(0.010, 0.018) * (1 if dice.chance(0.5) else -1)
    line = [
        (edge + reach * share, level + swing * (-1) ** n)
        for n, share in enumerate((0.2, 0.42, 0.64, 0.84))
    ]
    end = edge + reach
    curl = [
        (end, level - 0.012),
        (end + reach * 0.03, level - 0.034),
        (end - reach * 0.06, level - 0.030),
    ]
    return curve([*line, *curl])


def _fireflies(stage: Stage) -> None:
    dice = stage.dice
    for index in range(9):
        x = dice.uniform(0.03, 0.33) if index % 2 else dice.uniform(0.67, 0.97)
        y = dice.uniform(0.25, 0.92)
        stage.glow((x, y), dice.uniform(0.03, 0.045), hexed("f6ff8f"), 0.85)
        stage.detail(oval(x, y, 0.008, 0.008), hexed("fffce0"))


def _picturesque(stage: Stage) -> None:
    for flip in (False, True):
        _blossom(stage, flip)
        _posy(stage, flip)
    flyers = _butterfly if stage.dice.chance(0.5) else _bird
    for index in range(2):
        x = stage.dice.uniform(0.08, 0.28) if index else stage.dice.uniform(0.72, 0.92)
        flyers(stage, x, stage.dice.uniform(0.28, 0.45))


def _blossom(stage: Stage, flip: bool) -> None:
    dice = stage.dice
    reach, drop = dice.uniform(0.34, 0.46), dice.uniform(0.04, 0.07)
    edge, way = (1.0, -1) if flip else (0.0, 1)
    branch = [
        (edge - way * 0.04, 0.10 + drop),
        (edge + way * reach * 0.5, 0.055),
        (edge + way * reach, 0.03 + drop),
    ]
    stage.shape(limb(branch, 0.028, 0.010), hexed("6b4a34"))
    for index in range(6):
        share = (index + 0.5) / 6
        x, y = edge + way * reach * share, 0.06 + drop * (0.7 - share) + dice.uniform(-0.03, 0.04)
        radius = dice.uniform(0.026, 0.040)
        stage.shape(puff(x, y, radius, radius, 5, dice), varied(dice.pick(_PETALS), dice))
        stage.detail(oval(x, y, radius * 0.3, radius * 0.3), hexed("f4c430"))


def _posy(stage: Stage, flip: bool) -> None:
    dice = stage.dice
    for index in range(3):
        inset = 0.04 + 0.075 * index + dice.uniform(-0.015, 0.015)
        x = 1 - inset if flip else inset
        y = 0.87 + 0.03 * index + dice.uniform(-0.02, 0.02)
        radius = dice.uniform(0.030, 0.042)
        stage.stroke(curve([(x, 1.05), (x, y)]), hexed("3f7d3a"), 0.012)
        stage.shape(puff(x, y, radius, radius, 6, dice), varied(dice.pick(_FLOWERS), dice))
        stage.detail(oval(x, y, radius * 0.36, radius * 0.36), hexed("fff0b8"))


def _butterfly(stage: Stage, x: float, y: float) -> None:
    dice = stage.dice
    colour = varied(dice.pick(_FLOWERS), dice)
    size = dice.uniform(0.027, 0.036)
    for way in (-1, 1):
        stage.shape(oval(x + way * size * 0.8, y - size * 0.5, size * 0.8, size * 0.9), colour)
        stage.detail(
            oval(x + way * size * 0.6, y + size * 0.6, size * 0.55, size * 0.6),
            lighter(colour, 0.3),
        )
    stage.stroke(curve([(x, y - size), (x, y + size)]), hexed("4a3328"), 0.008)


def _bird(stage: Stage, x: float, y: float) -> None:
    size = stage.dice.uniform(0.045, 0.062)
    feather = hexed("e8ecf6") if stage.time == "night" else hexed("3f4456")
    wings = [(x - size, y - size * 0.35), (x - size * 0.5, y - size * 0.5), (x, y)]
    other = [(x, y), (x + size * 0.5, y - size * 0.5), (x + size, y - size * 0.35)]
    for wing in (wings, other):
        stage.stroke(curve(wing), feather, 0.013)


def _dreamy(stage: Stage) -> None:
    dice = stage.dice
    stage.medium.veil(hexed("ffe3f3"), 0.0, 0.5, 0.30, 0.0)
    stage.medium.veil(hexed("e8e0ff"), 0.6, 1.0, 0.0, 0.36)
    stage.glow((dice.uniform(0.2, 0.8), dice.uniform(0.15, 0.4)), 0.5, hexed("fff6e0"), 0.3)
    for index in range(10):
        x = dice.uniform(0.03, 0.30) if index % 2 else dice.uniform(0.70, 0.97)
        y = dice.uniform(0.05, 0.92)
        stage.glow((x, y), 0.045, hexed("fff3d0"), 0.6)
        stage.detail(twinkle(x, y, dice.uniform(0.018, 0.036)), hexed("fffdf0"))
