"""Eyes, mouths and cheeks, shared by people and animals.

A face is drawn in the head's frame: the origin in the middle of the head, 1 from there to its
side and to its crown.
"""

from __future__ import annotations

from dataclasses import dataclass

from storybook.dice import Dice
from storybook.illustrator.palette import Colour, hexed, mix
from storybook.illustrator.pen import Pen
from storybook.illustrator.poses import Pose

INK = hexed("2b2230")
WHITE = hexed("fffdf8")
BLUSH = hexed("ee6f73")
TONGUE = hexed("ee7d7a")
IRISES = tuple(hexed(code) for code in ("5a3a24", "3f6fa8", "4d7d4a", "3b2c2a", "6b5a3c"))


@dataclass(frozen=True, slots=True)
class Face:
    """What one face looks like, in heads: 1 is half the head's width or height."""

    shift: float
    """How far the turned face lies to the side."""
    eyes: str
    mouth: str
    gap: float
    size: float
    brow: float
    smile: float
    blush: float
    iris: Colour

    @classmethod
    def rolled(cls, pose: Pose, dice: Dice) -> Face:
        """Return a face for the pose."""
        return cls(
            shift=0.24 * pose.turn,
            eyes=pose.eyes,
            mouth=pose.mouth,
            gap=dice.uniform(0.37, 0.46),
            size=dice.uniform(0.92, 1.14),
            brow=dice.uniform(-1.0, 1.0),
            smile=dice.uniform(0.75, 1.25),
            blush=dice.uniform(0.35, 0.7),
            iris=dice.pick(IRISES),
        )


def eyes(pen: Pen, face: Face, y: float = 0.08, gap: float | None = None, size: float = 1.0,
         ground: Colour | None = None, ink: Colour = INK) -> None:  # fmt: skip
    """Draw both eyes. ``ground`` is the eyeball's colour; without one the eye is a dark bead."""
    gap = face.gap if gap is None else gap
    for side in (-1, 1):
        x = face.shift + side * gap * (1 - 0.12 * side * face.shift)
        _eye(pen, face, x, y, size * face.size, ground, ink)


def _eye(pen: Pen, face: Face, x: float, y: float, size: float, ground: Colour | None,
         ink: Colour) -> None:  # fmt: skip
    if face.eyes == "closed":
        w, drop = 0.17 * size, 0.11 * size
        pen.line([(x - w, y), (x, y + drop), (x + w, y)], ink, 0.0085)
        return
    down = 0.07 * size if face.eyes == "down" else 0.0
    look = face.shift * 0.18
    if ground is not None:
        pen.oval(x, y, 0.185 * size, 0.235 * size, ground, outline=False)
        pen.oval(x + look, y + 0.015 + down, 0.135 * size, 0.185 * size, face.iris, outline=False)
        pen.oval(x + look, y + 0.02 + down, 0.095 * size, 0.14 * size, INK, outline=False)
    else:
        pen.oval(x + look, y + down, 0.13 * size, 0.18 * size, ink, outline=False)
    pen.oval(
        x + look - 0.045 * size,
        y + down - 0.075 * size,
        0.05 * size,
        0.06 * size,
        WHITE,
        outline=False,
    )


def brows(pen: Pen, face: Face, colour: Colour, y: float = -0.22, width: float = 0.009) -> None:
    """Draw the eyebrows of one who is awake."""
    if face.eyes == "closed":
        return
    for side in (-1, 1):
        x = face.shift + side * face.gap
        inner, outer = y - 0.03 * face.brow, y + 0.03 * face.brow
        pen.line([(x - side * 0.15, inner), (x, y - 0.06), (x + side * 0.17, outer)], colour, width)


def mouth(pen: Pen, face: Face, y: float = 0.55, width: float = 0.26, ink: Colour = INK) -> None:
    """Draw the mouth, smiling, open in a laugh, or asleep."""
    x, w = face.shift * 1.1, width * (0.8 + 0.2 * face.smile)
    drop = 0.13 * face.smile
    if face.mouth == "open":
        depth = 0.24 * face.smile + 0.06
        pen.blob([
            (x - w, y - 0.03), (x - w, y - 0.03), (x, y + 0.02), (x + w, y - 0.03),
            (x + w, y - 0.03), (x + w * 0.62, y + depth * 0.8), (x, y + depth),
            (x - w * 0.62, y + depth * 0.8),
        ], mix(ink, hexed("8c2f35"), 0.6), outline=False)  # fmt: skip
        pen.oval(x, y + depth * 0.72, w * 0.5, depth * 0.24, TONGUE, outline=False)
    elif face.mouth == "sleepy":
        pen.line([
            (x - w * 0.5, y + 0.02), (x, y + drop * 0.6), (x + w * 0.5, y + 0.02),
        ], ink, 0.0075)  # fmt: skip
    else:
        pen.line([
            (x - w, y - 0.02), (x - w * 0.5, y + drop * 0.8), (x, y + drop),
            (x + w * 0.5, y + drop * 0.8), (x + w, y - 0.02),
        ], ink, 0.008)  # fmt: skip


def cheeks(pen: Pen, face: Face, skin: Colour, y: float = 0.42, gap: float = 0.66) -> None:
    """Draw rosy cheeks."""
    rosy = mix(skin, BLUSH, face.blush)
    for side in (-1, 1):
        x = min(max(face.shift * 0.9 + side * gap, -0.77), 0.77)
        pen.oval(x, y, 0.18, 0.135, rosy, outline=False)


def glasses(pen: Pen, face: Face, y: float = 0.08) -> None:
    """Draw round spectacles."""
    frame = hexed("7a4a2a")
    for side in (-1, 1):
        pen.ring(face.shift + side * (face.gap + 0.01), y, 0.29, 0.31, frame, 0.0065)
    pen.line([
        (face.shift - 0.13, y - 0.04), (face.shift, y - 0.08), (face.shift + 0.13, y - 0.04),
    ], frame, 0.0065)  # fmt: skip
