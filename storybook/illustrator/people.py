"""People's heads: skin, hair, and what tells a girl from a grandmother."""

from __future__ import annotations

import math
from dataclasses import dataclass

from storybook.dice import Dice
from storybook.illustrator import faces, hats
from storybook.illustrator.faces import Face
from storybook.illustrator.palette import Colour, darker, hexed, lighter, mix, varied
from storybook.illustrator.pen import Limb, Pen, mirrored, scalloped
from storybook.illustrator.poses import Build

SKIN = {
    "light": hexed("fbd9c0"),
    "tan": hexed("e3ad7c"),
    "brown": hexed("b0754a"),
    "dark": hexed("744829"),
}
HAIR = {
    "red": hexed("c8481d"),
    "blonde": hexed("f2cb62"),
    "brown": hexed("74452a"),
    "black": hexed("2b2329"),
    "grey": hexed("b4b3bb"),
}
BUILDS = {
    "girl": Build(0.142, 0.168, 0.165, 0.064, 0.080, 0.139, 0.131),
    "boy": Build(0.146, 0.168, 0.165, 0.070, 0.077, 0.139, 0.130),
    "woman": Build(0.205, 0.198, 0.195, 0.070, 0.083, 0.124, 0.121, 0.026, 0.035),
    "man": Build(0.222, 0.208, 0.205, 0.094, 0.083, 0.123, 0.123, 0.031, 0.039),
    "grandmother": Build(0.138, 0.186, 0.175, 0.080, 0.102, 0.131, 0.126),
    "grandfather": Build(0.160, 0.186, 0.180, 0.084, 0.094, 0.129, 0.125),
}
RIBBONS = tuple(hexed(code) for code in ("e0483e", "f4b63a", "4a86d0", "f07fae", "5aa55c"))


@dataclass(frozen=True, slots=True)
class Person:
    """The looks of one person's head."""

    who: str
    skin: Colour
    hair: Colour
    style: str
    fringe: str
    part: float
    ribbon: Colour
    freckles: bool

    @classmethod
    def rolled(cls, who: str, skin: str, hair: str, style: str, dice: Dice) -> Person:
        """Return a person of whom the words are true."""
        tone, shade = varied(SKIN[skin], dice, 0.7), varied(HAIR[hair], dice, 0.6)
        if skin == "dark" and hair == "brown":
            shade = darker(shade, 0.4)  # or the face would have no hairline
        return cls(
            who=who,
            skin=tone,
            hair=shade,
            style=style,
            fringe=dice.pick(("straight", "parted", "swept")),
            part=dice.uniform(-0.35, 0.35),
            ribbon=varied(dice.pick(RIBBONS), dice),
            freckles=dice.chance(0.3),
        )

    @property
    def old(self) -> bool:
        """Whether this is a grandparent."""
        return self.who.startswith("grand")

    @property
    def bald(self) -> bool:
        """Whether the crown is bare."""
        return self.who == "grandfather"

    def strand(self) -> Colour:
        """Return the colour of lines in the hair."""
        return lighter(self.hair, 0.22) if sum(self.hair) < 1.0 else darker(self.hair, 0.2)


def draw_hair_behind(pen: Pen, person: Person, turn: float, *, lying: bool) -> None:
    """Draw the hair that hangs or stands behind head and body, in the head's frame."""
    x = -0.12 * turn
    if person.style == "long":
        low = 0.62 if lying else 1.0  # on the ground it has no room to hang
        pen.blob([
            (x, -1.1), (x + 0.9, -0.75), (x + 1.16, 0.1), (x + 1.2 * low, 1.1 * low),
            (x + 1.05 * low, 1.9 * low), (x + 0.6 * low, 2.02 * low), (x, 1.75), (x - 0.6, 2.02),
            (x - 1.05, 1.9), (x - 1.2, 1.1), (x - 1.16, 0.1), (x - 0.9, -0.75),
        ], darker(person.hair, 0.1))  # fmt: skip
    elif person.style == "curly" and not person.bald:
        full = 1.0 if person.who in ("girl", "woman") else 0.92
        _curls(pen, person, x, full)
    if person.who == "grandmother":
        pen.oval(x * 0.5, -1.24, 0.44, 0.38, person.hair)
        pen.line([(x - 0.2, -1.3), (x, -1.42), (x + 0.22, -1.26)], person.strand(), 0.006)


def _curls(pen: Pen, person: Person, x: float, full: float) -> None:
    count, low = (9, 128) if full == 1.0 else (8, 100)
    points = []
    for k in range(count + 1):
        angle = math.radians(-low + 2 * low * k / count - 90)
        points.append((x + 1.2 * full * math.cos(angle), -0.05 + 1.2 * full * math.sin(angle)))
    pen.shape(scalloped(points, 0.42), person.hair)


def draw_plaits(pen: Pen, person: Person, *, lying: bool) -> None:
    """Draw two plaits that hang beside the face."""
    for side in (-1, 1):
        plait = Limb((side * 0.92, 0.35), (side * 1.32, 0.8), (side * 1.2, 1.85))
        if lying and side > 0:  # the lower one falls over the shoulder
            plait = Limb((0.6, 0.75), (0.75, 1.2), (0.0, 1.9))
        for k in range(4):
            x, y = plait.at(0.1 + 0.24 * k)
            pen.at(x, y, side * (14 - 8 * k)).oval(0, 0, 0.235 - 0.02 * k, 0.25, person.hair)
        x, y = plait.at(0.98)
        pen.oval(x, y + 0.24, 0.15, 0.2, person.hair)
        pen.oval(x, y + 0.06, 0.15, 0.09, person.ribbon)


def draw_head(pen: Pen, person: Person, face: Face) -> None:
    """Draw the head in its own frame: 1 to the side, 1 to the crown."""
    ear = 0.08 * face.shift
    for side in (-1, 1):
        pen.oval(side * 0.99 - ear, 0.14, 0.15, 0.19, darker(person.skin, 0.04))
    jaw = 0.93 if person.who in ("man", "boy") else 0.86
    pen.blob(mirrored([
        (0, -1.0), (0.62, -0.82), (0.97, -0.25), (0.98, 0.25), (jaw, 0.58), (0.5, 0.92), (0, 1.0),
    ]), person.skin)  # fmt: skip
    if person.who == "grandfather":
        _beard(pen, person, face)
    faces.cheeks(pen, face, person.skin)
    if person.freckles and not person.old:
        _freckles(pen, person, face)
    faces.eyes(pen, face, ground=faces.WHITE)
    if person.who in ("girl", "woman") and face.eyes != "closed":
        _lashes(pen, face)
    _nose(pen, person, face)
    faces.mouth(pen, face, y={"grandfather": 0.66, "man": 0.72}.get(person.who, 0.6),
                ink=hexed("a8323a") if person.who == "woman" else hexed("6b2c30"))  # fmt: skip
    _front_hair(pen, person, face)
    heavy = person.who in ("man", "grandfather")
    brow = (
        person.hair
        if sum(person.hair) < 1.9 and person.hair != person.skin
        else darker(person.hair, 0.25)
    )
    faces.brows(
        pen,
        face,
        brow if sum(person.skin) > 1.3 else darker(brow, 0.2),
        width=0.016 if heavy else 0.008,
    )
    if person.old:
        faces.glasses(pen, face)
    if person.who == "man":
        _moustache(pen, person, face)
    if person.who == "woman":
        for side in (-1, 1):
            pen.oval(side * 1.0 - ear, 0.4, 0.075, 0.085, hexed("f3c74e"))
    if person.who in hats.WORN_BY:  # high enough to show the hair
        hats.WORN_BY[person.who](pen.at(0, -0.17), face.shift, person.ribbon)


def _nose(pen: Pen, person: Person, face: Face) -> None:
    size = 0.11 if not person.old else 0.16
    pen.oval(
        face.shift * 1.3,
        0.34,
        size,
        size * 0.8,
        mix(person.skin, hexed("c8503c"), 0.32),
        outline=False,
    )


def _freckles(pen: Pen, person: Person, face: Face) -> None:
    for side in (-1, 1):
        for dx, dy in ((-0.1, 0.0), (0.06, -0.05), (0.0, 0.1)):
            pen.oval(
                face.shift + side * 0.6 + dx,
                0.38 + dy,
                0.035,
                0.035,
                darker(person.skin, 0.25),
                outline=False,
            )


def _lashes(pen: Pen, face: Face) -> None:
    for side in (-1, 1):
        x = face.shift + side * face.gap
        pen.line([
            (x - side * 0.12, -0.13), (x + side * 0.1, -0.13), (x + side * 0.26, -0.04),
        ], faces.INK, 0.007)  # fmt: skip


def _moustache(pen: Pen, person: Person, face: Face) -> None:
    x = face.shift * 1.15
    for side in (-1, 1):
        pen.blob([
            (x, 0.43), (x + side * 0.26, 0.38), (x + side * 0.62, 0.57), (x + side * 0.34, 0.68),
            (x, 0.57),
        ], darker(person.hair, 0.12))  # fmt: skip


def _beard(pen: Pen, person: Person, face: Face) -> None:
    rough = 0.1 if person.style == "curly" else 0.0
    x = face.shift * 0.4
    pen.blob([
        (-1.0, 0.12), (-0.78, 0.38), (-0.4 + x, 0.42), (x * 1.6, 0.5), (0.4 + x, 0.42),
        (0.78, 0.38), (1.0, 0.12), (1.04, 0.6),
        (0.85 + rough, 0.98), (0.5, 1.2 - rough), (0.25, 1.36 + rough), (0, 1.34 - rough),
        (-0.25, 1.36 + rough), (-0.5, 1.2 - rough), (-0.85 - rough, 0.98), (-1.04, 0.6),
    ], person.hair)  # fmt: skip


def _front_hair(pen: Pen, person: Person, face: Face) -> None:
    if person.bald:
        for side in (-1, 1):
            pen.blob([
                (side * 0.86, -0.55), (side * 1.14, -0.4), (side * 1.2, 0.0), (side * 1.02, 0.2),
                (side * 0.94, -0.1),
            ], person.hair)  # fmt: skip
        return
    part = person.part + face.shift * 0.6
    low = {"short": 0.62 if person.who in ("girl", "woman") else 0.05}.get(person.style, 0.2)
    fringe = {
        "straight": [(0.84, -0.3), (0.4, -0.36), (0.0, -0.38), (-0.4, -0.36), (-0.84, -0.3)],
        "parted": [(0.86, -0.12), (0.62, -0.42), (part, -0.76), (-0.62, -0.42), (-0.86, -0.12)],
        "swept": [(0.86, -0.3), (0.55, -0.62), (0.2, -0.58), (-0.35, -0.34), (-0.86, -0.14)],
    }[person.fringe]
    if person.style == "curly":
        fringe = [
            (0.9, -0.2), (0.7, -0.5), (0.48, -0.36), (0.22, -0.56), (0.0, -0.4), (-0.24, -0.56),
            (-0.48, -0.36), (-0.7, -0.5), (-0.9, -0.2),
        ]  # fmt: skip
    crown = [
        (-1.08, -0.25), (-0.84, -0.82), (-0.4, -1.1), (0.0, -1.17), (0.4, -1.1), (0.84, -0.82),
        (1.08, -0.25),
    ]  # fmt: skip
    if low > 0.3:  # a bob, that swings out at the jaw
        right, left = (
            [(1.16, 0.3), (1.12, low), (0.9, low + 0.04), (0.92, 0.2)],
            [(-0.92, 0.2), (-0.9, low + 0.04), (-1.12, low), (-1.16, 0.3)],
        )
    else:
        right, left = [(1.09, low), (0.98, low + 0.02)], [(-0.98, low + 0.02), (-1.09, low)]
    pen.blob([*crown, *right, *fringe, *left], person.hair)
    if person.style != "curly":
        pen.line([
            (part - 0.5, -0.94), (part - 0.1, -0.98), (part + 0.25, -0.84),
        ], person.strand(), 0.007)  # fmt: skip


def draw_shawl(pen: Pen, person: Person, build: Build) -> None:
    """Draw a grandmother's shawl, in the torso's frame."""
    s, top = build.shoulder, -build.torso
    wool = lighter(person.ribbon, 0.55)
    for side in (-1, 1):
        pen.blob([
            (0, top), (side * s * 0.9, top + 0.0), (side * s * 1.2, top + 0.05),
            (side * s * 0.7, top + 0.062), (side * 0.004, top + 0.088),
            (side * 0.004, top + 0.088),
        ], wool)  # fmt: skip
    pen.oval(0, top + 0.078, 0.013, 0.013, person.ribbon)
