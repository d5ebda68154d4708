"""The five garments, cut to any build and pose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import skia

from storybook.dice import Dice
from storybook.illustrator.palette import Colour, darker, hexed, lighter, varied
from storybook.illustrator.pen import Limb, Pen
from storybook.illustrator.poses import Build, Pose

CLOTH = {
    "red": hexed("d6322c"),
    "blue": hexed("2f68cf"),
    "green": hexed("3c9d46"),
    "yellow": hexed("f7cd2e"),
    "orange": hexed("f1801f"),
    "purple": hexed("8545b0"),
    "pink": hexed("f58cb5"),
    "turquoise": hexed("25b9b4"),
    "white": hexed("f8f6f1"),
    "black": hexed("2d2b34"),
}
TROUSERS = tuple(hexed(code) for code in ("44506e", "6a4c3b", "70727c", "8a7355"))
SHIRTS = tuple(hexed(code) for code in ("f6ecd8", "e9e4dc", "dfe7ec", "f3dfc6"))
SHOES = tuple(hexed(code) for code in ("5b3a2a", "3a3540", "8a5534", "b5483c"))
BUTTON = hexed("f4dfa6")
PATTERNS = ("plain", "plain", "plain", "dots", "stripes", "band")


@dataclass(frozen=True, slots=True)
class Outfit:
    """A garment, its cloth, and what is worn with it."""

    garment: str
    cloth: Colour
    shade: Colour
    """The cloth in its folds and seams."""
    accent: Colour
    """Collars and patterns: the cloth, paler, or darker where it is pale already."""
    shirt: Colour | None
    """What shows beneath; animals wear the garment alone."""
    trousers: Colour | None
    shoes: Colour | None
    pattern: str
    hem: float
    """How far the garment reaches down the leg: 0 is the hip, 1 the ground."""
    flare: float

    @classmethod
    def rolled(cls, colour: str, garment: str, person: bool, dice: Dice) -> Outfit:
        """Return an outfit whose garment the two words name."""
        cloth = varied(CLOTH[colour], dice, 0.8 if colour not in ("white", "black") else 0.25)
        pale = colour in ("white", "yellow")
        shirt, trousers = varied(dice.pick(SHIRTS), dice), varied(dice.pick(TROUSERS), dice)
        shoes = varied(dice.pick(SHOES), dice)
        hems = {"dress": (0.5, 0.72), "coat": (0.38, 0.6), "cape": (0.55, 0.85)}
        low, high = hems.get(garment, (0.02, 0.14))
        return cls(
            garment=garment,
            cloth=cloth,
            shade=darker(cloth, 0.16) if colour != "black" else lighter(cloth, 0.2),
            accent=darker(cloth, 0.13)
            if pale
            else lighter(cloth, 0.45 if colour != "black" else 0.3),
            shirt=shirt if person else None,
            trousers=trousers if person and garment != "dress" else None,
            shoes=shoes if person else None,
            pattern=dice.pick(PATTERNS) if garment in ("dress", "jumper") else "plain",
            hem=dice.uniform(low, high),
            flare=dice.uniform(0.9, 1.15),
        )

    def leg_colour(self) -> Colour | None:
        """Return the colour of a clothed leg, or None for a bare one."""
        return self.cloth if self.garment == "dungarees" else self.trousers

    def sleeve(self) -> tuple[Colour, float] | None:
        """Return the sleeve's colour and how much of the arm it covers, or None for none."""
        if self.garment in ("dungarees", "cape"):
            return (self.shirt, 0.84) if self.shirt else None
        return self.cloth, 0.46 if self.garment == "dress" else 0.84


@dataclass(frozen=True, slots=True)
class Under:
    """What shows where the garment leaves the chest free, and the belly's colour if it differs."""

    chest: Colour
    belly: Colour | None


@dataclass(frozen=True, slots=True)
class Cut:
    """Where cloth ends on this body, in the torso's frame: its origin is between the hips."""

    top: float
    shoulder: float
    waist: float
    hip: float
    hem: float
    hem_width: float

    @classmethod
    def of(cls, outfit: Outfit, pose: Pose, build: Build) -> Cut:
        """Return the cut of an outfit."""
        reach = build.leg * outfit.hem if outfit.garment != "cape" else 0.0
        if pose.stance == "seated":
            reach = min(reach, 0.055)
        elif pose.stance == "floor":
            reach = min(reach, 0.035)
        skirted = outfit.garment in ("dress", "coat")
        flare = {"dress": 1.38, "coat": 1.14}.get(outfit.garment, 1.0)
        if pose.stance == "lying":
            flare = 1 + (flare - 1) * 0.4
        return cls(
            top=-build.torso,
            shoulder=build.shoulder,
            waist=build.shoulder * 0.5 + build.hip * 0.5,
            hip=build.hip * 1.03,
            hem=max(reach, 0.014),
            hem_width=build.hip * (flare * outfit.flare if skirted else 1.0),
        )

    def path(self) -> skia.Path:
        """Return the garment's contour."""
        path = skia.Path()
        s, top, hem, w = self.shoulder, self.top, self.hem, self.hem_width
        path.moveTo(-s * 0.45, top)
        path.quadTo(-s * 0.95, top + 0.008, -s * 1.04, top + 0.05)
        path.cubicTo(-self.waist, top * 0.5, -self.hip, top * 0.25, -w, hem - 0.008)
        path.quadTo(-w * 0.98, hem + 0.004, -w * 0.9, hem + 0.004)
        path.quadTo(0, hem + 0.022, w * 0.9, hem + 0.004)
        path.quadTo(w * 0.98, hem + 0.004, w, hem - 0.008)
        path.cubicTo(self.hip, top * 0.25, self.waist, top * 0.5, s * 1.04, top + 0.05)
        path.quadTo(s * 0.95, top + 0.008, s * 0.45, top)
        path.close()
        return path

    def side(self) -> skia.Path:
        """Return the strip along one side that lies in shade."""
        path = skia.Path()
        s, top, hem, w = self.shoulder, self.top, self.hem, self.hem_width
        path.moveTo(s * 1.02, top + 0.05)
        path.cubicTo(self.waist, top * 0.5, self.hip, top * 0.25, w, hem - 0.008)
        path.quadTo(w * 0.98, hem + 0.004, w * 0.9, hem + 0.004)
        path.lineTo(w * 0.66, hem + 0.009)
        path.cubicTo(self.hip * 0.74, top * 0.2, self.waist * 0.8, top * 0.5, s * 1.02, top + 0.05)
        path.close()
        return path

    def width(self, y: float) -> float:
        """Return half the garment's width at a height, a little inside its edge."""
        share = (y - self.top) / (self.hem - self.top)
        return 0.95 * (self.shoulder + (self.hem_width - self.shoulder) * share**1.25)


def draw_cape_behind(pen: Pen, outfit: Outfit, pose: Pose, build: Build) -> None:
    """Draw the part of a cape that falls behind the body."""
    wide = build.hip * 1.95 * outfit.flare
    hem = build.leg * outfit.hem
    if pose.stance in ("seated", "floor"):
        wide, hem = build.hip * 1.5, 0.04
    if pose.stance == "lying":
        return
    drift = -0.05 * (1 - pose.narrow) / 0.12 - 0.25 * max(pose.lift, 0)
    s, top = build.shoulder, -build.torso
    pen.blob([
        (-s * 0.8, top), (0, top - 0.01), (s * 0.8, top), (s * 1.25, top + 0.06),
        (wide * 0.92 + drift * 0.3, hem * 0.4), (wide + drift, hem), (wide + drift, hem),
        (wide * 0.45 + drift, hem + 0.012), (drift, hem - 0.004),
        (-wide * 0.5 + drift, hem + 0.012),
        (-wide + drift, hem), (-wide + drift, hem), (-wide * 0.92 + drift * 0.6, hem * 0.4),
        (-s * 1.25, top + 0.06),
    ], outfit.cloth)  # fmt: skip
    for x in (-0.62, 0.62):
        pen.line([
            (x * s * 1.2, top + 0.08), (x * wide + drift * 0.7, hem * 0.75),
        ], outfit.shade, 0.005)  # fmt: skip


def draw_torso(pen: Pen, outfit: Outfit, pose: Pose, build: Build, under: Under) -> None:
    """Draw what clothes the body between neck and hem, in the torso's frame."""
    cut = Cut.of(outfit, pose, build)
    if outfit.garment == "cape" and pose.stance == "lying":
        _wrapped(pen, outfit, cut, build)
        return
    _TORSOS[outfit.garment](pen, outfit, cut, under)


def draw_thighs(pen: Pen, outfit: Outfit, pose: Pose, build: Build) -> None:
    """Draw the cloth of a skirt or a coat's tails over the legs of one who sits or lies."""
    if pose.stance not in ("floor", "seated", "lying") or outfit.garment not in ("dress", "coat"):
        return
    width, share = build.leg_width * 1.12, outfit.hem + 0.05
    for leg in pose.legs:
        pen.shape(leg.outline((width, width * 1.06, width * 1.1), 0.0, share), outfit.cloth)


def draw_sleeve(pen: Pen, outfit: Outfit, arm: Limb, build: Build) -> None:
    """Draw a sleeve along an arm."""
    sleeve = outfit.sleeve()
    if sleeve is None:
        return
    colour, share = sleeve
    w = build.arm_width
    widths = (w * 1.12, w * 1.22, w * 1.18) if share > 0.5 else (w * 1.15, w * 1.5, w * 1.3)
    pen.shape(arm.outline(widths, 0.0, share), colour)
    if share > 0.5 and colour == outfit.cloth:
        (x, y), (nx, ny) = arm.at(share - 0.02), arm.normal(share)
        pen.line([(x + nx * w, y + ny * w), (x - nx * w, y - ny * w)], outfit.shade, 0.007)


def _sewn(pen: Pen, outfit: Outfit, cut: Cut) -> None:
    pen.shape(cut.path(), outfit.cloth)
    pen.shape(cut.side(), outfit.shade, outline=False, alpha=0.55)


def _jumper(pen: Pen, outfit: Outfit, cut: Cut, under: Under) -> None:
    del under
    _sewn(pen, outfit, cut)
    _patterned(pen, outfit, cut)
    y = cut.hem - 0.012
    w = cut.width(y)
    pen.line([(-w, y - 0.006), (0, y + 0.006), (w, y - 0.006)], outfit.shade, 0.008)


def _dress(pen: Pen, outfit: Outfit, cut: Cut, under: Under) -> None:
    del under
    _sewn(pen, outfit, cut)
    _patterned(pen, outfit, cut)
    for side in (-1, 1):
        pen.line([
            (side * cut.hip * 0.4, 0.0), (side * cut.hem_width * 0.5, cut.hem - 0.01),
        ], outfit.shade, 0.005)  # fmt: skip
    y = cut.top * 0.42
    w = cut.width(y)
    pen.line([(-w, y - 0.003), (0, y + 0.006), (w, y - 0.003)], outfit.shade, 0.007)


def _coat(pen: Pen, outfit: Outfit, cut: Cut, under: Under) -> None:
    del under
    _sewn(pen, outfit, cut)
    pen.line([(0.004, cut.top * 0.8), (0.006, cut.hem + 0.008)], outfit.shade, 0.006)
    for k in range(3):
        pen.oval(-0.018, cut.top * (0.58 - 0.24 * k), 0.0095, 0.0095, BUTTON, outline=False)
    for side in (-1, 1):
        x = side * cut.hip * 0.55
        pen.line([(x - 0.018, -0.012), (x + 0.018, -0.012)], outfit.shade, 0.007)


def _dungarees(pen: Pen, outfit: Outfit, cut: Cut, under: Under) -> None:
    pen.shape(cut.path(), under.chest)
    w, s, top = cut.hip * 1.02, cut.shoulder, cut.top
    waist = top * 0.48
    bib = skia.Path()
    bib.moveTo(-s * 0.62, top * 0.82)
    bib.lineTo(s * 0.62, top * 0.82)
    bib.quadTo(s * 0.66, waist, cut.waist * 1.03, waist)
    bib.cubicTo(cut.hip, waist * 0.6, w, -0.02, w, 0.016)
    bib.quadTo(0, 0.034, -w, 0.016)
    bib.cubicTo(-w, -0.02, -cut.hip, waist * 0.6, -cut.waist * 1.03, waist)
    bib.quadTo(-s * 0.66, waist, -s * 0.62, top * 0.82)
    for side in (-1, 1):
        pen.line([(side * s * 0.5, top * 0.8), (side * s * 0.62, top)], outfit.cloth, 0.018)
    pen.shape(bib, outfit.cloth)
    for side in (-1, 1):
        pen.oval(side * s * 0.46, top * 0.72, 0.0095, 0.0095, BUTTON, outline=False)
    pocket = skia.Path()
    pocket.addRoundRect(skia.Rect(-s * 0.36, top * 0.56, s * 0.36, top * 0.26), 0.012, 0.012)
    pen.shape(pocket, outfit.shade, outline=False)


def _cape(pen: Pen, outfit: Outfit, cut: Cut, under: Under) -> None:
    pen.shape(cut.path(), under.chest)
    if under.belly is not None:
        pen.oval(0, cut.top * 0.3, cut.hip * 0.6, -cut.top * 0.4, under.belly, outline=False)
    s, top, low = cut.shoulder * 1.2, cut.top, outfit.hem * 0.06
    for side in (-1, 1):
        pen.blob([
            (0, top + 0.004), (side * s * 0.6, top - 0.006), (side * s, top + 0.035),
            (side * s * 1.3, top * 0.4), (side * cut.hip * 1.5, low), (side * cut.hip * 1.5, low),
            (side * cut.hip * 0.6, low + 0.014), (side * cut.hip * 0.6, low + 0.014),
            (side * s * 0.42, top * 0.42), (side * s * 0.24, top * 0.76),
        ], outfit.cloth)  # fmt: skip
    pen.oval(0, top * 0.85, 0.015, 0.015, BUTTON)


def _wrapped(pen: Pen, outfit: Outfit, cut: Cut, build: Build) -> None:
    around = replace(cut, hem=build.leg * outfit.hem, hem_width=build.hip * 1.12)
    pen.shape(around.path(), outfit.cloth)
    for side in (-1, 1):
        x = side * build.hip * 0.4
        pen.line([(x * 0.6, cut.top * 0.6), (x, around.hem - 0.01)], outfit.shade, 0.005)
    pen.oval(0, cut.top * 0.85, 0.015, 0.015, BUTTON)


def draw_collar(pen: Pen, outfit: Outfit, build: Build) -> None:
    """Draw what closes the garment at the neck, over the chest, in the torso's frame."""
    s, top = build.shoulder, -build.torso
    if outfit.garment in ("dress", "coat"):
        for side in (-1, 1):
            pen.blob([
                (0, top + 0.008), (side * s * 0.75, top + 0.004), (side * s * 0.7, top + 0.04),
                (side * s * 0.3, top + 0.05),
            ], outfit.accent)  # fmt: skip
    elif outfit.garment == "jumper":
        pen.line([
            (-s * 0.6, top + 0.02), (0, top + 0.036), (s * 0.6, top + 0.02),
        ], outfit.shade, 0.014)  # fmt: skip


def _patterned(pen: Pen, outfit: Outfit, cut: Cut) -> None:
    height = cut.hem - cut.top
    if outfit.pattern == "dots":
        for row, xs in enumerate(((-0.5, 0.5), (-0.66, 0.0, 0.66), (-0.4, 0.4), (-0.7, 0.0, 0.7))):
            y = cut.top + height * (0.3 + 0.19 * row)
            for x in xs:
                pen.oval(x * cut.width(y), y, 0.0105, 0.0105, outfit.accent, outline=False)
    elif outfit.pattern == "stripes":
        for share in (0.4, 0.62, 0.84):
            y = cut.top + height * share
            w = cut.width(y) * 0.97
            pen.line([(-w, y - 0.006), (0, y + 0.006), (w, y - 0.006)], outfit.accent, 0.012)
    elif outfit.pattern == "band":
        y = cut.hem - 0.035
        w = cut.width(y) * 0.98
        pen.line([(-w, y - 0.007), (0, y + 0.008), (w, y - 0.007)], outfit.accent, 0.017)


_TORSOS: dict[str, Callable[[Pen, Outfit, Cut, Under], None]] = {
    "dress": _dress,
    "coat": _coat,
    "jumper": _jumper,
    "dungarees": _dungarees,
    "cape": _cape,
}
