"""The animals: their colours and proportions, tails and wings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from storybook.dice import Dice
from storybook.illustrator.palette import Colour, hexed, varied
from storybook.illustrator.pen import Limb, Pen
from storybook.illustrator.poses import Build

Hues = tuple[str, str, str]


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
    "rabbit": (
        ("c9b49c", "f8efe4", "94806c"),
        ("f1ece6", "fffdfa", "c9bdb4"),
        ("a9a3a6", "ece8e8", "77727a"),
    ),
    "bear": (("8c5a36", "d9b184", "5c3820"), ("a06a3c", "e2be92", "6b4426")),
    "cat": (
        ("8f8c96", "e9e5e4", "5a5764"),
        ("efa352", "fdeed8", "c0702c"),
        ("4a4550", "cfc8cc", "2e2a34"),
    ),
    "dog": (("c98f52", "f8ead4", "7a4a2a"), ("ead3ae", "fdf6e8", "8a5634")),
    "owl": (("93683f", "e8cfa4", "5e4028"), ("a07c58", "efdcbc", "6a4c38")),
    "dragon": (
        ("57a84c", "e5e49a", "2f7350"),
        ("3f9f86", "dbeab4", "28685f"),
        ("8a6cc0", "ecd9f0", "5c4492"),
    ),
    "robot": (("a9b4be", "dfe6ea", "66727e"), ("9aaebb", "d6e6ea", "566a7a")),
    "penguin": (("323846", "fdfaf4", "f29a2e"), ("3d4a63", "fdfaf4", "f0922a")),
    "frog": (("6cb545", "dcefa6", "43852f"), ("83be3c", "e8f0ac", "568c2c")),
    "elephant": (("98a3b3", "c9cfd8", "6a7484"), ("a7a4b0", "d2d0d8", "767284")),
    "lion": (("ecb556", "fbe5b8", "a65f22"), ("e2a548", "f8dfae", "8c4c20")),
}
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


def _tail(build: Build, sway: float, reach: float, rise: float) -> Limb:
    start = (-build.hip * 0.5, -0.015)
    return Limb(
        start, (-build.hip - reach * 0.9, 0.05), (-build.hip - reach * (0.8 + 0.3 * sway), -rise)
    )


def _fox_tail(pen: Pen, animal: Animal, build: Build, sway: float) -> None:
    tail = _tail(build, sway, 0.125, 0.145)
    pen.shape(tail.outline((0.02, 0.042, 0.062, 0.058, 0.016)), animal.main)
    pen.shape(tail.outline((0.058, 0.053, 0.014), 0.74, 1.0), animal.pale, outline=False)


def _cat_tail(pen: Pen, animal: Animal, build: Build, sway: float) -> None:
    tail = Limb(
        (-build.hip * 0.6, -0.01),
        (-build.hip - 0.17, 0.02),
        (-build.hip - 0.06 - 0.05 * sway, -0.17),
    )
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
    pen.blob([
        (x - 0.03, y + 0.01), (x, y - 0.05), (x + 0.03, y + 0.008), (x, y + 0.03),
    ], animal.dark)  # fmt: skip


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
    pen.blob([
        (x - 0.03, y + 0.012), (x - 0.012, y - 0.05), (x + 0.03, y + 0.01), (x, y + 0.02),
    ], animal.dark)  # fmt: skip


_TAILS: dict[str, Callable[[Pen, Animal, Build, float], None]] = {
    "fox": _fox_tail,
    "cat": _cat_tail,
    "dog": _dog_tail,
    "rabbit": _rabbit_tail,
    "lion": _lion_tail,
    "elephant": _elephant_tail,
    "dragon": _dragon_tail,
}
