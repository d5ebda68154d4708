"""The stage that a landscape is built on.

A medium, seen straight or in a mirror, with the light and weather of the scene at hand.
"""

from __future__ import annotations

import skia

from storybook.illustrator.forms import Point
from storybook.illustrator.light import Light
from storybook.illustrator.medium import Medium
from storybook.illustrator.palette import Colour, hexed, mix, varied
from storybook.world import Scene

_HAZE = hexed("cfe3ee")
_FOG = hexed("dde1e2")
_SNOW = hexed("f6f9ff")
_MIRROR = skia.Matrix.Scale(-1, 1).postTranslate(1, 0)


class Stage:
    """Where landscapes are drawn.

    Everything is composed as if the sun stood on the left and whatever is tall on the right; half
    of the scenes show the whole in a mirror.

    Args:
        medium: what it is drawn with.
        scene: what is drawn.
        stream: names the dice that decide the details.
    """

    def __init__(self, medium: Medium, scene: Scene, stream: str) -> None:
        self.medium = medium
        self.dice = scene.dice(stream)
        self.light = Light(scene.time, scene.dice("light"))
        self.time = scene.time
        self.place = scene.place
        composition = scene.dice("composition")
        self.mirrored = composition.chance(0.5)
        self.sun = _sun(scene, composition.uniform(0.15, 0.25), composition.uniform())

    @property
    def snowy(self) -> bool:
        """Whether snow lies on everything."""
        return self.time == "snow"

    def shape(
        self, path: skia.Path, colour: Colour, *, outline: bool = True, alpha: float = 1.0
    ) -> None:
        """Fill a closed path; see :meth:`Medium.shape`."""
        self.medium.shape(self._placed(path), colour, outline=outline, alpha=alpha)

    def detail(self, path: skia.Path, colour: Colour, alpha: float = 1.0) -> None:
        """Fill a closed path inside a thing, or far away, that needs no contour."""
        self.medium.shape(self._placed(path), colour, outline=False, alpha=alpha)

    def stroke(self, path: skia.Path, colour: Colour, width: float) -> None:
        """Draw a line; see :meth:`Medium.stroke`."""
        self.medium.stroke(self._placed(path), colour, width)

    def glow(self, spot: Point, radius: float, colour: Colour, strength: float = 0.8) -> None:
        """Lay a soft light around a point; see :meth:`Medium.glow`."""
        x = 1 - spot[0] if self.mirrored else spot[0]
        self.medium.glow(x, spot[1], radius, colour, strength)

    def mist(self, level: float, strength: float = 0.75) -> None:
        """In fog, hide what has been drawn so far behind a veil that is thickest at ``level``."""
        if self.time == "fog":
            self.medium.veil(_FOG, level - 0.45, level, strength * 0.35, strength)

    def shade(self, colour: Colour, amount: float = 1.0) -> Colour:
        """Return a neighbour of the colour."""
        return varied(colour, self.dice, amount)

    def far(self, colour: Colour, distance: float) -> Colour:
        """Return the colour as the air shows it at a distance from 0 (here) to 1 (lost)."""
        if self.time == "fog":
            return mix(colour, _FOG, min(1.6 * distance, 0.9))
        return mix(colour, _HAZE, distance)

    def land(self, colour: Colour, snow: float = 0.82) -> Colour:
        """Return the colour of ground: when it snows, ``snow`` of it is white."""
        return mix(colour, _SNOW, snow) if self.snowy else colour

    def leaf(self, colour: Colour) -> Colour:
        """Return the colour of leaves: when it snows, they are frosted."""
        return mix(colour, _SNOW, 0.3) if self.snowy else colour

    def snow(self, path: skia.Path) -> None:
        """Lay snow on something, if it snows."""
        if self.snowy:
            self.detail(path, _SNOW)

    def lamp(self, colour: Colour) -> Colour:
        """Return the paint for something that shines by itself in ``colour``."""
        return self.light.shining(colour)

    def _placed(self, path: skia.Path) -> skia.Path:
        if not self.mirrored:
            return path
        placed = skia.Path(path)
        placed.transform(_MIRROR)
        return placed


def _sun(scene: Scene, across: float, up: float) -> Point:
    if scene.time == "sunset":
        # Among trees a low sun is seen only through a gap, and higher up.
        wooded = scene.place.endswith("forest")
        return (across + 0.11, 0.27 + 0.07 * up) if wooded else (across, 0.34 + 0.10 * up)
    return across, 0.12 + 0.06 * up
