"""The animals' heads: what makes a fox a fox at a glance."""

from __future__ import annotations

import math
from collections.abc import Callable

from storybook.illustrator import faces
from storybook.illustrator.animals import Animal
from storybook.illustrator.faces import Face
from storybook.illustrator.palette import Colour, darker, hexed, lighter
from storybook.illustrator.pen import Limb, Pen, Point, mirrored, scalloped

NOSE = hexed("3a2630")
PINK = hexed("f0a3a4")


def draw_head(pen: Pen, animal: Animal, face: Face) -> None:
    """Draw the head in its own frame: 1 to the side, 1 to the crown."""
    _HEADS[animal.who](pen, animal, face)


def _skull(wide: float = 1.0, chin: float = 0.95) -> list[Point]:
    return mirrored([
        (0, -0.96), (0.6, -0.82), (0.96 * wide, -0.2), (0.98 * wide, 0.3), (0.6, 0.84), (0, chin),
    ])  # fmt: skip


def _pointed_ears(
    pen: Pen, animal: Animal, inner: Colour, height: float = 1.5, out: float = 0.86
) -> None:
    for side in (-1, 1):
        pen.blob([
            (side * 0.26, -0.8), (side * out, -height), (side * out, -height),
            (side * 0.97, -0.3),
        ], animal.main)  # fmt: skip
        pen.blob([
            (side * 0.46, -0.82), (side * (out - 0.03), -height * 0.86), (side * 0.84, -0.55),
        ], inner, outline=False)  # fmt: skip


def _nose(pen: Pen, face: Face, y: float, w: float = 0.13, colour: Colour = NOSE) -> None:
    x = face.shift * 1.5
    pen.blob([
        (x - w, y - w * 0.5), (x, y - w * 0.7), (x + w, y - w * 0.5), (x, y + w * 0.75),
    ], colour, outline=False)  # fmt: skip


def _fox(pen: Pen, animal: Animal, face: Face) -> None:
    _pointed_ears(pen, animal, animal.dark, 1.55)
    pen.blob([
        (0, -0.92), (0.6, -0.8), (0.95, -0.2), (1.24, 0.34), (1.24, 0.34), (0.7, 0.8), (0, 1.06),
        (-0.7, 0.8), (-1.24, 0.34), (-1.24, 0.34), (-0.95, -0.2), (-0.6, -0.8),
    ], animal.main)  # fmt: skip
    x = face.shift * 0.8
    for side in (-1, 1):
        pen.blob([
            (x * 1.4, 0.2), (x + side * 0.4, 0.32), (side * 1.14, 0.36), (side * 0.68, 0.74),
            (0, 1.0),
        ], animal.pale, outline=False)  # fmt: skip
    faces.cheeks(pen, face, animal.pale, y=0.5, gap=0.72)
    faces.eyes(pen, face, y=0.0, size=1.15)
    _nose(pen, face, 0.42, 0.15)
    faces.mouth(pen, face, y=0.66, width=0.2)


def _rabbit(pen: Pen, animal: Animal, face: Face) -> None:
    for side in (-1, 1):
        lean = 10 * face.brow + (3 if side > 0 else -3) + side * 9
        ear = pen.at(side * 0.42, -0.7, lean)
        ear.blob(mirrored([
            (0, -1.42), (0.24, -1.05), (0.28, -0.45), (0.18, 0.1), (0, 0.2),
        ]), animal.main)  # fmt: skip
        ear.blob(mirrored([
            (0, -1.2), (0.13, -0.95), (0.16, -0.45), (0.08, 0.0), (0, 0.05),
        ]), PINK, outline=False)  # fmt: skip
    pen.blob(_skull(1.02), animal.main)
    x = face.shift
    pen.oval(x - 0.22, 0.5, 0.3, 0.27, animal.pale, outline=False)
    pen.oval(x + 0.22, 0.5, 0.3, 0.27, animal.pale, outline=False)
    faces.cheeks(pen, face, animal.main, y=0.42, gap=0.72)
    faces.eyes(pen, face, size=1.2)
    _nose(pen, face, 0.36, 0.11, hexed("d9686f"))
    faces.mouth(pen, face, y=0.56, width=0.19)
    if face.mouth == "smile":
        pen.blob([
            (x * 1.1 - 0.1, 0.7), (x * 1.1 + 0.1, 0.7), (x * 1.1 + 0.08, 0.86),
            (x * 1.1 - 0.08, 0.86),
        ], faces.WHITE, outline=False)  # fmt: skip


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
        pen.line([
            (x + face.shift * 0.4, -0.86), (x * 0.85 + face.shift * 0.5, -0.55),
        ], animal.dark, 0.012)  # fmt: skip
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
            pen.line([
                (x + side * 0.5, 0.46 + dy * 0.5), (side * 1.22 + x * 0.5, 0.42 + dy * 2),
            ], whisker, 0.005)  # fmt: skip


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
        pen.blob([
            (side * 0.55, -0.86), (side * 0.95, -0.72), (side * 1.24, 0.0), (side * 1.16, 0.56),
            (side * 0.92, 0.5), (side * 0.86, -0.05),
        ], animal.dark)  # fmt: skip


def _owl(pen: Pen, animal: Animal, face: Face) -> None:
    for side in (-1, 1):
        pen.blob([
            (side * 0.3, -0.8), (side * 0.92, -1.36), (side * 0.92, -1.36), (side * 0.96, -0.4),
        ], animal.dark)  # fmt: skip
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
            pen.oval(
                x * 1.15 + side * 0.43 - 0.07, -0.02 + down, 0.07, 0.08, faces.WHITE, outline=False
            )
    depth = 0.72 if face.mouth != "open" else 0.8
    pen.blob([
        (x * 1.5 - 0.15, 0.3), (x * 1.5 + 0.15, 0.3), (x * 1.5, depth), (x * 1.5, depth),
    ], hexed("ef8f2a"))  # fmt: skip
    faces.cheeks(pen, face, animal.pale, y=0.6, gap=0.62)


def _dragon(pen: Pen, animal: Animal, face: Face) -> None:
    for side in (-1, 1):
        pen.blob([
            (side * 0.34, -0.78), (side * 0.55, -1.5), (side * 0.55, -1.5), (side * 0.74, -0.62),
        ], animal.pale)  # fmt: skip
        pen.blob([
            (side * 0.8, -0.3), (side * 1.34, -0.5), (side * 1.34, -0.5), (side * 0.9, 0.14),
        ], animal.dark)  # fmt: skip
    pen.blob([(-0.16, -0.9), (0, -1.32), (0, -1.32), (0.16, -0.9)], animal.dark)
    pen.blob(_skull(0.97, 0.9), animal.main)
    x = face.shift * 1.1
    pen.blob([
        (x - 0.7, 0.5), (x - 0.4, 0.2), (x, 0.24), (x + 0.4, 0.2), (x + 0.7, 0.5),
        (x + 0.5, 0.92), (x, 1.02), (x - 0.5, 0.92),
    ], lighter(animal.main, 0.22))  # fmt: skip
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
    box = [
        (-0.98, -0.8), (-0.9, -0.9), (0.9, -0.9), (0.98, -0.8), (0.98, 0.82), (0.9, 0.92),
        (-0.9, 0.92), (-0.98, 0.82),
    ]  # fmt: skip
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
    pen.blob(_cornered([
        (x - 0.36, 0.36), (x + 0.36, 0.36), (x + 0.3, 0.36 + 2 * open_mouth),
        (x - 0.3, 0.36 + 2 * open_mouth),
    ]), animal.dark, outline=False)  # fmt: skip
    for dx in (-0.13, 0.13):
        pen.line([(x + dx, 0.4), (x + dx, 0.32 + 2 * open_mouth)], animal.pale, 0.006)


def _cornered(points: list[Point]) -> list[Point]:
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
    pen.blob(mirrored([
        (0, -0.78), (0.6, -0.72), (0.98, -0.1), (1.04, 0.34), (0.66, 0.84), (0, 0.96),
    ]), animal.main)  # fmt: skip
    pen.blob([
        (x - 0.8, 0.45), (x, 0.34), (x + 0.8, 0.45), (x + 0.55, 0.76), (x, 0.86),
        (x - 0.55, 0.76),
    ], animal.pale, outline=False)  # fmt: skip
    faces.cheeks(pen, face, animal.main, y=0.22, gap=0.74)
    faces.eyes(pen, face, y=-0.8, gap=0.5, size=1.35, ground=faces.WHITE)
    for side in (-1, 1):
        pen.oval(face.shift + side * 0.12, 0.05, 0.045, 0.05, animal.dark, outline=False)
    faces.mouth(pen, face, y=0.42, width=0.62)


def _elephant(pen: Pen, animal: Animal, face: Face) -> None:
    for side in (-1, 1):
        flap = side * (1.0 - 0.1 * side * face.shift)
        pen.blob([
            (flap * 0.7, -0.72), (flap * 1.3, -0.95), (flap * 1.78, -0.35), (flap * 1.68, 0.4),
            (flap * 1.2, 0.72), (flap * 0.75, 0.4),
        ], animal.main)  # fmt: skip
        pen.blob([
            (flap * 0.95, -0.5), (flap * 1.3, -0.7), (flap * 1.58, -0.25), (flap * 1.48, 0.28),
            (flap * 1.15, 0.46),
        ], hexed("e8b9bd"), outline=False)  # fmt: skip
    pen.blob(_skull(0.94, 0.9), animal.main)
    faces.cheeks(pen, face, animal.main, y=0.38, gap=0.66)
    x = face.shift * 1.3
    for side in (-1, 1):
        pen.line([
            (x + side * 0.2, 0.5), (x + side * 0.42, 0.58), (x + side * 0.58, 0.46),
        ], faces.INK, 0.008)  # fmt: skip
    trunk = Limb((x, 0.16), (x - 0.06, 1.25), (x + 0.62, 1.18))
    pen.shape(trunk.outline((0.27, 0.24, 0.19, 0.15, 0.14)), lighter(animal.main, 0.1))
    for t in (0.32, 0.48):
        (px, py), (nx, ny) = trunk.at(t), trunk.normal(t)
        pen.line([
            (px + nx * 0.1, py + ny * 0.1), (px - nx * 0.1, py - ny * 0.1),
        ], animal.dark, 0.005)  # fmt: skip
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
