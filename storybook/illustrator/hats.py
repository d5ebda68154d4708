"""What each person wears on the head, so that people are told apart even where a face is small.

Everything is drawn in the head's frame: the origin in its middle, 1 from there to its side and to
its crown. ``shift`` is how far a turned face lies to the side.
"""

from __future__ import annotations

from storybook.illustrator.palette import Colour, darker, hexed, lighter
from storybook.illustrator.pen import Pen

STRAW, FELT, DENIM = hexed("efcf7d"), hexed("4f3f38"), hexed("3f6fb8")


def bow(pen: Pen, shift: float, ribbon: Colour) -> None:
    """Tie a girl's big bow."""
    bow = pen.at(-0.34 + shift * 0.6, -1.06, -14)
    for side in (-1, 1):
        bow.blob([
            (0, 0), (side * 0.34, -0.34), (side * 0.62, -0.3), (side * 0.62, 0.26),
            (side * 0.34, 0.28),
        ], ribbon)  # fmt: skip
    bow.oval(0, 0, 0.15, 0.16, darker(ribbon, 0.18))


def cap(pen: Pen, shift: float, _: Colour) -> None:
    """Put on a boy's cap, its peak to where he looks."""
    x = shift * 0.5
    pen.blob([
        (-1.06, -0.42), (-1.02, -0.86), (-0.62, -1.24), (0.0, -1.36), (0.62, -1.24), (1.02, -0.86),
        (1.06, -0.42), (1.06, -0.42), (0.5, -0.56), (0.0, -0.6), (-0.5, -0.56), (-1.06, -0.42),
    ], DENIM)  # fmt: skip
    pen.blob([
        (x - 0.5, -0.62), (x + 0.2, -0.66), (x + 0.95, -0.58), (x + 1.42, -0.34), (x + 0.9, -0.36),
        (x + 0.2, -0.42), (x - 0.4, -0.44),
    ], darker(DENIM, 0.3))  # fmt: skip
    pen.oval(x * 0.6, -1.33, 0.12, 0.1, darker(DENIM, 0.3))


def straw_hat(pen: Pen, shift: float, ribbon: Colour) -> None:
    """Put on a woman's straw hat with its ribbon."""
    x = shift * 0.3
    pen.oval(x, -0.62, 1.6, 0.24, STRAW)
    pen.blob([
        (x - 0.86, -0.66), (x - 0.8, -1.14), (x - 0.4, -1.44), (x + 0.4, -1.44), (x + 0.8, -1.14),
        (x + 0.86, -0.66), (x, -0.56),
    ], lighter(STRAW, 0.15))  # fmt: skip
    pen.blob([
        (x - 0.88, -0.9), (x, -0.82), (x + 0.88, -0.9), (x + 0.9, -0.66), (x + 0.9, -0.66),
        (x, -0.54), (x - 0.9, -0.66), (x - 0.9, -0.66),
    ], ribbon)  # fmt: skip


def bowler(pen: Pen, shift: float, _: Colour) -> None:
    """Put on a man's bowler hat."""
    x = shift * 0.3
    pen.blob([
        (x - 0.9, -0.6), (x - 0.94, -1.1), (x - 0.5, -1.52), (x + 0.5, -1.52), (x + 0.94, -1.1),
        (x + 0.9, -0.6), (x, -0.52),
    ], FELT)  # fmt: skip
    pen.blob([
        (x - 0.93, -0.84), (x, -0.76), (x + 0.93, -0.84), (x + 0.92, -0.62), (x + 0.92, -0.62),
        (x, -0.52), (x - 0.92, -0.62), (x - 0.92, -0.62),
    ], darker(FELT, 0.35))  # fmt: skip
    pen.oval(x, -0.6, 1.26, 0.14, lighter(FELT, 0.1))


WORN_BY = {"girl": bow, "boy": cap, "woman": straw_hat, "man": bowler}
