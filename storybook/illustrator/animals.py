"""Animals' heads, tails and wings."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from storybook.dice import Dice
from storybook.illustrator import faces
from storybook.illustrator.faces import Face
from storybook.illustrator.palette import Colour, darker, hexed, lighter, varied
from storybook.illustrator.pen import Limb, Pen, mirrored, scalloped
from storybook.illustrator.poses import Build

Hues = tuple[str, str, str]

NOSE = hexed("3a2630")
PINK = hexed("f0a3a4")


@dataclass(frozen=True, slots=True)
class Animal:
    """The looks of one animal: its fur (or feathers, scales, steel), pale parts and dark parts."""

    who: str
    main: Colour
    pale: Colour
    dark: Colour

    @classmethod
    def rolled(cls, who: str, dice: Dice) -> Animal:
        """Return one animal of its kind."""
        main, pale, dark = (varied(hexed(code), dice) for code in dice.pick(COATS[who]))
        return cls(who, main, pale, dark)


COATS: dict[str, tuple[Hues, ...]] = {
    "fox": (("e2762c", "fff3e2", "5a3328"), ("d4622a", "fcecd8", "4a2c28")),
    "rabbit": (("c9b49c", "f8efe4", "94806c"), ("f1ece6", "fffdfa", "c9bdb4"), ("a9a3a6", "ece8e8", "77727a")),
    "bear": (("8c5a36", "d9b184", "5c3820"), ("a06a3c", "e2be92", "6b4426")),
    "cat": (("8f8c96", "e9e5e4", "5a5764"), ("efa352", "fdeed8", "c0702c"), ("4a4550", "cfc8cc", "2e2a34")),
    "dog": (("c98f52", "f8ead4", "7a4a2a"), ("ead3ae", "fdf6e8", "8a5634")),
    "owl": (("93683f", "e8cfa4", "5e4028"), ("a07c58", "efdcbc", "6a4c38")),
    "dragon": (("57a84c", "e5e49a", "2f7350"), ("3f9f86", "dbeab4", "28685f"), ("8a6cc0", "ecd9f0", "5c4492")),
    "robot": (("a9b4be", "dfe6ea", "66727e"), ("9aaebb", "d6e6ea", "566a7a")),
    "penguin": (("323846", "fdfaf4", "f29a2e"), ("3d4a63", "fdfaf4", "f0922a")),
    "frog": (("6cb545", "dcefa6", "43852f"), ("83be3c", "e8f0ac", "568c2c")),
    "elephant": (("98a3b3", "c9cfd8", "6a7484"), ("a7a4b0", "d2d0d8", "767284")),
    "lion": (("ecb556", "fbe5b8", "a65f22"), ("e2a548", "f8dfae", "8c4c20")),
}  # fmt: skip
BUILDS = {
    "fox": Build(0.112, 0.178, 0.165, 0.062, 0.084, 0.140, 0.118),
    "rabbit": Build(0.105, 0.172, 0.160, 0.060, 0.082, 0.126, 0.116),
    "bear": Build(0.105, 0.190, 0.165, 0.086, 0.112, 0.146, 0.126, 0.036, 0.044),
    "cat": Build(0.112, 0.172, 0.165, 0.060, 0.080, 0.142, 0.118),
    "dog": Build(0.112, 0.178, 0.165, 0.066, 0.086, 0.132, 0.122),
    "owl": Build(0.070, 0.186, 0.160, 0.086, 0.106, 0.148, 0.128, 0.034, 0.026),
    "dragon": Build(0.110, 0.182, 0.160, 0.066, 0.094, 0.134, 0.118, 0.030, 0.042),
    "robot": Build(0.125, 0.172, 0.165, 0.080, 0.084, 0.134, 0.112, 0.022, 0.026),
    "penguin": Build(0.062, 0.215, 0.160, 0.084, 0.108, 0.126, 0.118, 0.030, 0.030),
    "frog": Build(0.115, 0.172, 0.170, 0.068, 0.092, 0.160, 0.112, 0.025, 0.030),
    "elephant": Build(0.105, 0.190, 0.160, 0.084, 0.110, 0.126, 0.124, 0.036, 0.050),
    "lion": Build(0.115, 0.182, 0.165, 0.072, 0.090, 0.122, 0.112, 0.032, 0.040),
}


def draw_tail(pen: Pen, animal: Animal, build: Build, sway: float) -> None:
    """Draw the tail, if there is one, in the torso's frame; ``sway``, from -1 to 1, bends it."""
    draw = _TAILS.get(animal.who)
    if draw:
        draw(pen, animal, build, sway)


def draw_head(pen: Pen, animal: Animal, face: Face) -> None:
    """Draw the head in its own frame: 1 to the side, 1 to the crown."""
    _HEADS[animal.who](pen, animal, face)


def _tail(build: Build, sway: float, reach: float, rise: float) -> Limb:
    start = (-build.hip * 0.5, -0.015)
    return Limb(start, (-build.hip - reach * 0.9, 0.05), (-build.hip - reach * (0.8 + 0.3 * sway), -rise))


def _fox_tail(pen: Pen, animal: Animal, build: Build, sway: float) -> None:
    tail = _tail(build, sway, 0.125, 0.145)
    pen.shape(tail.outline((0.02, 0.042, 0.062, 0.058, 0.016)), animal.main)
    pen.shape(tail.outline((0.058, 0.053, 0.014), 0.74, 1.0), animal.pale, outline=False)


def _cat_tail(pen: Pen, animal: Animal, build: Build, sway: float) -> None:
    tail = Limb((-build.hip * 0.6, -0.01), (-build.hip - 0.17, 0.02), (-build.hip - 0.06 - 0.05 * sway, -0.17))
    pen.shape(tail.outline((0.02, 0.02, 0.019, 0.017)), animal.main)
    pen.shape(tail.outline((0.0195, 0.018), 0.8, 1.0), animal.dark, outline=False)


def _dog_tail(pen: Pen, animal: Animal, build: Build, sway: float) -> None:
    tail = _tail(build, sway, 0.075, 0.09)
    pen.shape(tail.outline((0.02, 0.024, 0.014)), animal.dark)


def _rabbit_tail(pen: Pen, animal: Animal, build: Build, sway: float) -> None:
    pen.oval(-build.hip * 1.08, 0.0 - 0.01 * sway, 0.042, 0.042, animal.pale)


def _lion_tail(pen: Pen, animal: Animal, build: Build, sway: float) -> None:
    tail = _tail(build, sway, 0.12, 0.11)
    pen.shape(tail.outline((0.014, 0.014, 0.013)), animal.main)
    x, y = tail.end
    pen.blob([(x - 0.03, y + 0.01), (x, y - 0.05), (x + 0.03, y + 0.008), (x, y + 0.03)], animal.dark)


def _elephant_tail(pen: Pen, animal: Animal, build: Build, sway: float) -> None:
    tail = _tail(build, sway, 0.06, 0.0)
    pen.shape(tail.outline((0.012, 0.011, 0.010)), animal.main)


def draw_wings(pen: Pen, animal: Animal, build: Build, *, lying: bool) -> None:
    """Draw a dragon's wings, in the torso's frame: one who lies shows the upper one alone."""
    if animal.who != "dragon":
        return
    top = -build.torso
    for side in (-1,) if lying else (-1, 1):
        pen.blob([
            (side * 0.03, top + 0.06), (side * 0.10, top - 0.01), (side * 0.23, top - 0.065),
            (side * 0.23, top - 0.065), (side * 0.255, top + 0.05), (side * 0.225, top + 0.11),
            (side * 0.225, top + 0.11), (side * 0.17, top + 0.085), (side * 0.145, top + 0.14),
            (side * 0.145, top + 0.14), (side * 0.09, top + 0.11), (side * 0.04, top + 0.13),
        ], animal.dark)  # fmt: skip
        pen.line([(side * 0.07, top + 0.05), (side * 0.215, top - 0.045)], animal.pale, 0.008)


def _dragon_tail(pen: Pen, animal: Animal, build: Build, sway: float) -> None:
    tail = _tail(build, sway, 0.15, 0.055)
    for t in (0.35, 0.55, 0.75):
        (x, y), (nx, ny) = tail.at(t), tail.normal(t)
        r = 0.03 * (1.3 - t)
        pen.blob([(x - r, y), (x - nx * r * 2.2, y - ny * r * 2.2), (x + r, y)], animal.pale)
    pen.shape(tail.outline((0.045, 0.038, 0.026, 0.012)), animal.main)
    x, y = tail.end
    pen.blob([(x - 0.03, y + 0.012), (x - 0.012, y - 0.05), (x + 0.03, y + 0.01), (x, y + 0.02)], animal.dark)


_TAILS: dict[str, Callable[[Pen, Animal, Build, float], None]] = {
    "fox": _fox_tail,
    "cat": _cat_tail,
    "dog": _dog_tail,
    "rabbit": _rabbit_tail,
    "lion": _lion_tail,
    "elephant": _elephant_tail,
    "dragon": _dragon_tail,
}


def _skull(wide: float = 1.0, chin: float = 0.95) -> list[tuple[float, float]]:
    return mirrored([(0, -0.96), (0.6, -0.82), (0.96 * wide, -0.2), (0.98 * wide, 0.3), (0.6, 0.84), (0, chin)])


def _pointed_ears(pen: Pen, animal: Animal, inner: Colour, height: float = 1.5, out: float = 0.86) -> None:
    for side in (-1, 1):
        pen.blob([(side * 0.26, -0.8), (side * out, -height), (side * out, -height), (side * 0.97, -0.3)], animal.main)
        pen.blob([(side * 0.46, -0.82), (side * (out - 0.03), -height * 0.86), (side * 0.84, -0.55)],
                 inner, outline=False)  # fmt: skip


def _nose(pen: Pen, face: Face, y: float, w: float = 0.13, colour: Colour = NOSE) -> None:
    x = face.shift * 1.5
    pen.blob([(x - w, y - w * 0.5), (x, y - w * 0.7), (x + w, y - w * 0.5), (x, y + w * 0.75)], colour, outline=False)


def _fox(pen: Pen, animal: Animal, face: Face) -> None:
    _pointed_ears(pen, animal, animal.dark, 1.55)
    pen.blob([(0, -0.92), (0.6, -0.8), (0.95, -0.2), (1.24, 0.34), (1.24, 0.34), (0.7, 0.8), (0, 1.06),
              (-0.7, 0.8), (-1.24, 0.34), (-1.24, 0.34), (-0.95, -0.2), (-0.6, -0.8)], animal.main)  # fmt: skip
    x = face.shift * 0.8
    for side in (-1, 1):
        pen.blob([(x * 1.4, 0.2), (x + side * 0.4, 0.32), (side * 1.14, 0.36), (side * 0.68, 0.74), (0, 1.0)],
                 animal.pale, outline=False)  # fmt: skip
    faces.cheeks(pen, face, animal.pale, y=0.5, gap=0.72)
    faces.eyes(pen, face, y=0.0, size=1.15)
    _nose(pen, face, 0.42, 0.15)
    faces.mouth(pen, face, y=0.66, width=0.2)


def _rabbit(pen: Pen, animal: Animal, face: Face) -> None:
    for side in (-1, 1):
        lean = 10 * face.brow + (3 if side > 0 else -3) + side * 9
        ear = pen.at(side * 0.42, -0.7, lean)
        ear.blob(mirrored([(0, -1.42), (0.24, -1.05), (0.28, -0.45), (0.18, 0.1), (0, 0.2)]), animal.main)
        ear.blob(mirrored([(0, -1.2), (0.13, -0.95), (0.16, -0.45), (0.08, 0.0), (0, 0.05)]), PINK, outline=False)
    pen.blob(_skull(1.02), animal.main)
    x = face.shift
    pen.oval(x - 0.22, 0.5, 0.3, 0.27, animal.pale, outline=False)
    pen.oval(x + 0.22, 0.5, 0.3, 0.27, animal.pale, outline=False)
    faces.cheeks(pen, face, animal.main, y=0.42, gap=0.72)
    faces.eyes(pen, face, size=1.2)
    _nose(pen, face, 0.36, 0.11, hexed("d9686f"))
    faces.mouth(pen, face, y=0.56, width=0.19)
    if face.mouth == "smile":
        pen.blob([(x * 1.1 - 0.1, 0.7), (x * 1.1 + 0.1, 0.7), (x * 1.1 + 0.08, 0.86), (x * 1.1 - 0.08, 0.86)],
                 faces.WHITE, outline=False)  # fmt: skip


def _bear(pen: Pen, animal: Animal, face: Face) -> None:
    for side in (-1, 1):
        pen.oval(side * 0.74, -0.78, 0.36, 0.38, animal.main)
        pen.oval(side * 0.74, -0.76, 0.2, 0.22, animal.pale, outline=False)
    pen.blob(_skull(1.03), animal.main)
    pen.oval(face.shift, 0.46, 0.48, 0.4, animal.pale, outline=False)
    faces.cheeks(pen, face, animal.main, y=0.36, gap=0.76)
    faces.eyes(pen, face, y=-0.06, size=1.08)
    _nose(pen, face, 0.28, 0.19)
    faces.mouth(pen, face, y=0.56, width=0.22)


def _cat(pen: Pen, animal: Animal, face: Face) -> None:
    _pointed_ears(pen, animal, PINK, 1.36, 0.84)
    pen.blob(_skull(1.06), animal.main)
    for x in (-0.2, 0.0, 0.2):
        pen.line([(x + face.shift * 0.4, -0.86), (x * 0.85 + face.shift * 0.5, -0.55)], animal.dark, 0.012)
    x = face.shift
    pen.oval(x - 0.19, 0.5, 0.26, 0.22, animal.pale, outline=False)
    pen.oval(x + 0.19, 0.5, 0.26, 0.22, animal.pale, outline=False)
    faces.cheeks(pen, face, animal.main, y=0.42, gap=0.74)
    faces.eyes(pen, face, size=1.15, ground=hexed("dcea86"))
    _nose(pen, face, 0.38, 0.1, hexed("e0787c"))
    faces.mouth(pen, face, y=0.54, width=0.2)
    whisker = faces.WHITE if sum(animal.main) < 1.2 else animal.dark
    for side in (-1, 1):
        for dy in (-0.06, 0.1):
            pen.line([(x + side * 0.5, 0.46 + dy * 0.5), (side * 1.22 + x * 0.5, 0.42 + dy * 2)], whisker, 0.005)


def _dog(pen: Pen, animal: Animal, face: Face) -> None:
    pen.blob(_skull(0.98), animal.main)
    if face.brow > -0.3:
        pen.oval(face.shift + face.gap, 0.0, 0.34, 0.42, animal.dark, outline=False)
    pen.oval(face.shift, 0.5, 0.46, 0.38, animal.pale, outline=False)
    faces.cheeks(pen, face, animal.main, y=0.44, gap=0.74)
    faces.eyes(pen, face, y=-0.02, size=1.1, ground=faces.WHITE)
    _nose(pen, face, 0.32, 0.2)
    faces.mouth(pen, face, y=0.58, width=0.24)
    if face.mouth == "smile":
        pen.oval(face.shift * 1.1 + 0.06, 0.78, 0.11, 0.14, faces.TONGUE, outline=False)
    for side in (-1, 1):
        pen.blob([(side * 0.55, -0.86), (side * 0.95, -0.72), (side * 1.24, 0.0), (side * 1.16, 0.56),
                  (side * 0.92, 0.5), (side * 0.86, -0.05)], animal.dark)  # fmt: skip


def _owl(pen: Pen, animal: Animal, face: Face) -> None:
    for side in (-1, 1):
        pen.blob([(side * 0.3, -0.8), (side * 0.92, -1.36), (side * 0.92, -1.36), (side * 0.96, -0.4)], animal.dark)
    pen.blob(_skull(1.0, 1.0), animal.main)
    x = face.shift * 0.8
    for side in (-1, 1):
        pen.oval(x + side * 0.44, 0.06, 0.5, 0.54, animal.pale, outline=False)
    if face.eyes == "closed":
        faces.eyes(pen, face, y=0.06, gap=0.44, size=1.5)
    else:
        for side in (-1, 1):
            pen.oval(x + side * 0.44, 0.06, 0.34, 0.36, hexed("f7b731"), outline=False)
            down = 0.09 if face.eyes == "down" else 0.0
            pen.oval(x * 1.15 + side * 0.43, 0.07 + down, 0.2, 0.23, faces.INK, outline=False)
            pen.oval(x * 1.15 + side * 0.43 - 0.07, -0.02 + down, 0.07, 0.08, faces.WHITE, outline=False)
    depth = 0.72 if face.mouth != "open" else 0.8
    pen.blob([(x * 1.5 - 0.15, 0.3), (x * 1.5 + 0.15, 0.3), (x * 1.5, depth), (x * 1.5, depth)], hexed("ef8f2a"))
    faces.cheeks(pen, face, animal.pale, y=0.6, gap=0.62)


def _dragon(pen: Pen, animal: Animal, face: Face) -> None:
    for side in (-1, 1):
        pen.blob([(side * 0.34, -0.78), (side * 0.55, -1.5), (side * 0.55, -1.5), (side * 0.74, -0.62)], animal.pale)
        pen.blob([(side * 0.8, -0.3), (side * 1.34, -0.5), (side * 1.34, -0.5), (side * 0.9, 0.14)], animal.dark)
    pen.blob([(-0.16, -0.9), (0, -1.32), (0, -1.32), (0.16, -0.9)], animal.dark)
    pen.blob(_skull(0.97, 0.9), animal.main)
    x = face.shift * 1.1
    pen.blob([(x - 0.7, 0.5), (x - 0.4, 0.2), (x, 0.24), (x + 0.4, 0.2), (x + 0.7, 0.5), (x + 0.5, 0.92),
              (x, 1.02), (x - 0.5, 0.92)], lighter(animal.main, 0.22))  # fmt: skip
    for side in (-1, 1):
        pen.oval(x + side * 0.26, 0.37, 0.08, 0.09, animal.dark, outline=False)
    faces.cheeks(pen, face, animal.main, y=0.3, gap=0.78)
    faces.eyes(pen, face, y=-0.18, size=1.15, ground=hexed("fff3b8"))
    faces.mouth(pen, face, y=0.66, width=0.34)


def _robot(pen: Pen, animal: Animal, face: Face) -> None:
    pen.line([(0, -0.9), (0, -1.38)], animal.dark, 0.012)
    pen.oval(0, -1.44, 0.16, 0.18, hexed("e8483c"))
    for side in (-1, 1):
        pen.oval(side * 1.02, 0.05, 0.16, 0.26, animal.dark)
    box = [(-0.98, -0.8), (-0.9, -0.9), (0.9, -0.9), (0.98, -0.8), (0.98, 0.82), (0.9, 0.92), (-0.9, 0.92), (-0.98, 0.82)]
    pen.blob(_cornered(box), animal.main)
    panel = [(x * 0.82, y * 0.78) for x, y in box]
    pen.blob(_cornered(panel), animal.pale, outline=False)
    faces.cheeks(pen, face, animal.pale, y=0.36, gap=0.58)
    if face.eyes == "closed":
        faces.eyes(pen, face, y=-0.1, size=1.4)
    else:
        faces.eyes(pen, face, y=-0.12, size=1.5, ground=hexed("8fe3f2"))
    x = face.shift
    open_mouth = 0.2 if face.mouth == "open" else 0.1
    pen.blob(_cornered([(x - 0.36, 0.36), (x + 0.36, 0.36), (x + 0.3, 0.36 + 2 * open_mouth), (x - 0.3, 0.36 + 2 * open_mouth)]),
             animal.dark, outline=False)  # fmt: skip
    for dx in (-0.13, 0.13):
        pen.line([(x + dx, 0.4), (x + dx, 0.32 + 2 * open_mouth)], animal.pale, 0.006)


def _cornered(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    return [p for p in points for _ in (0, 1)]


def _penguin(pen: Pen, animal: Animal, face: Face) -> None:
    pen.blob(_skull(1.0, 1.0), animal.main)
    x = face.shift * 0.8
    for side in (-1, 1):
        pen.oval(x + side * 0.38, 0.06, 0.44, 0.56, animal.pale, outline=False)
    pen.oval(x, 0.5, 0.62, 0.42, animal.pale, outline=False)
    faces.cheeks(pen, face, animal.pale, y=0.5, gap=0.56)
    faces.eyes(pen, face, y=0.06, gap=0.36, size=1.15)
    depth = 0.2 if face.mouth == "open" else 0.0
    x = face.shift * 1.4
    if depth:
        pen.blob([(x - 0.2, 0.4), (x + 0.2, 0.4), (x, 0.86)], hexed("c8642a"), outline=False)
    pen.blob([(x - 0.27, 0.38), (x, 0.24), (x + 0.27, 0.38), (x, 0.62), (x, 0.62)], animal.dark)


def _frog(pen: Pen, animal: Animal, face: Face) -> None:
    x = face.shift * 0.5
    for side in (-1, 1):
        pen.oval(x + side * 0.52, -0.78, 0.36, 0.44, animal.main)
    pen.blob(mirrored([(0, -0.78), (0.6, -0.72), (0.98, -0.1), (1.04, 0.34), (0.66, 0.84), (0, 0.96)]), animal.main)
    pen.blob([(x - 0.8, 0.45), (x, 0.34), (x + 0.8, 0.45), (x + 0.55, 0.76), (x, 0.86), (x - 0.55, 0.76)],
             animal.pale, outline=False)  # fmt: skip
    faces.cheeks(pen, face, animal.main, y=0.22, gap=0.74)
    faces.eyes(pen, face, y=-0.8, gap=0.5, size=1.35, ground=faces.WHITE)
    for side in (-1, 1):
        pen.oval(face.shift + side * 0.12, 0.05, 0.045, 0.05, animal.dark, outline=False)
    faces.mouth(pen, face, y=0.42, width=0.62)


def _elephant(pen: Pen, animal: Animal, face: Face) -> None:
    for side in (-1, 1):
        flap = side * (1.0 - 0.1 * side * face.shift)
        pen.blob([(flap * 0.7, -0.72), (flap * 1.3, -0.95), (flap * 1.78, -0.35), (flap * 1.68, 0.4),
                  (flap * 1.2, 0.72), (flap * 0.75, 0.4)], animal.main)  # fmt: skip
        pen.blob([(flap * 0.95, -0.5), (flap * 1.3, -0.7), (flap * 1.58, -0.25), (flap * 1.48, 0.28),
                  (flap * 1.15, 0.46)], hexed("e8b9bd"), outline=False)  # fmt: skip
    pen.blob(_skull(0.94, 0.9), animal.main)
    faces.cheeks(pen, face, animal.main, y=0.38, gap=0.66)
    x = face.shift * 1.3
    for side in (-1, 1):
        pen.line([(x + side * 0.2, 0.5), (x + side * 0.42, 0.58), (x + side * 0.58, 0.46)], faces.INK, 0.008)
    trunk = Limb((x, 0.16), (x - 0.06, 1.25), (x + 0.62, 1.18))
    pen.shape(trunk.outline((0.27, 0.24, 0.19, 0.15, 0.14)), lighter(animal.main, 0.1))
    for t in (0.32, 0.48):
        (px, py), (nx, ny) = trunk.at(t), trunk.normal(t)
        pen.line([(px + nx * 0.1, py + ny * 0.1), (px - nx * 0.1, py - ny * 0.1)], animal.dark, 0.005)
    faces.eyes(pen, face, y=-0.06, gap=0.46, size=1.15, ground=faces.WHITE)


def _lion(pen: Pen, animal: Animal, face: Face) -> None:
    around = [2 * math.pi * k / 13 for k in range(13)]
    mane = [(1.3 * math.sin(angle), 0.05 - 1.3 * math.cos(angle)) for angle in around]
    pen.shape(scalloped(mane, 0.5), animal.dark)
    for side in (-1, 1):
        pen.oval(side * 0.78, -0.76, 0.29, 0.3, animal.main)
        pen.oval(side * 0.78, -0.74, 0.15, 0.16, darker(animal.main, 0.25), outline=False)
    pen.blob(_skull(0.98), animal.main)
    x = face.shift
    pen.oval(x - 0.2, 0.52, 0.3, 0.26, animal.pale, outline=False)
    pen.oval(x + 0.2, 0.52, 0.3, 0.26, animal.pale, outline=False)
    faces.cheeks(pen, face, animal.main, y=0.4, gap=0.72)
    faces.eyes(pen, face, y=-0.04, size=1.15)
    _nose(pen, face, 0.34, 0.18)
    faces.mouth(pen, face, y=0.58, width=0.22)


_HEADS: dict[str, Callable[[Pen, Animal, Face], None]] = {
    "fox": _fox,
    "rabbit": _rabbit,
    "bear": _bear,
    "cat": _cat,
    "dog": _dog,
    "owl": _owl,
    "dragon": _dragon,
    "robot": _robot,
    "penguin": _penguin,
    "frog": _frog,
    "elephant": _elephant,
    "lion": _lion,
}
